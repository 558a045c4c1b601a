#!/bin/sh
# Makes the deployment's secrets on the first run and keeps them afterwards.
# Usage: secrets.sh DIR REDIS [APP_ENV]
#   DIR/redis, DIR/app and DIR/asgi: one folder a service
#   REDIS: where the app finds Redis, HOST:PORT; or the Sentinels that know the master, HOST:PORT,HOST:PORT/NAME
#   APP_ENV: where the app finds what it must know; DIR/app/app.env when absent
# Some settings reach the app through that file: SECRET_KEY or SECRET_KEY_FILE, HISTORY_LENGTH,
# TICKET_SECONDS, REFRESH_RATE and WAIT_REPLICAS from the environment.
# It and the ACL file are written anew every time, so that a change is taken.
set -eu
# In volumes, which are there before, the files are for other users; folders that are made here nobody else enters.
umask 022
dir=${1:?usage: secrets.sh DIR REDIS [APP_ENV]}
redis=${2:?usage: secrets.sh DIR REDIS [APP_ENV]}
app_env=${3:-$dir/app/app.env}
here=$(cd "$(dirname "$0")" && pwd)

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# Written under another name first: a run that is cut short leaves no half secret.
replace() {
    printf '%s' "$2" > "$1.new"
    mv "$1.new" "$1"
}

keep() { [ -s "$1" ] || replace "$1" "$2"; }

sha256() {
    if command -v sha256sum > /dev/null; then sha256sum < "$1"; else shasum -a 256 < "$1"; fi | cut -d ' ' -f 1
}

# NAME='VALUE', for a shell; nothing when the value is empty.
setting() {
    [ -z "$2" ] || printf "%s='%s'\n" "$1" "$(printf '%s' "$2" | sed "s/'/'\\\\''/g")"
}

(umask 077 && mkdir -p "$dir/redis" "$dir/app" "$dir/asgi")
keep "$dir/redis/admin_password" "$(random)"
keep "$dir/redis/replica_password" "$(random)"
keep "$dir/redis/sentinel_password" "$(random)"
keep "$dir/app/redis_password" "$(random)"
keep "$dir/asgi/redis_password" "$(random)"
# Where there was no such file yet, the key that was generated before goes on.
keep "$dir/app/generated_key" "$(cat "$dir/asgi/secret_key" 2> /dev/null || random)"

# Of the demo's sessions. The sidecar does not get it.
keep "$dir/app/session_key" "$(random)"

# One key per line: the first one signs, all are accepted.
key_file=${SECRET_KEY_FILE:-$dir/app/generated_key}
if [ -z "${SECRET_KEY:-}" ] && ! { [ -f "$key_file" ] && [ -r "$key_file" ]; }; then
    echo "SECRET_KEY_FILE is invalid: expected a file that root or everybody can read (see .env.example)" >&2
    exit 1
fi
keys=${SECRET_KEY:-$(cat "$key_file")}
for app in app asgi; do replace "$dir/$app/secret_key" "$keys"; done

with_hashes() {
    sed -e "s/@app@/$(sha256 "$dir/app/redis_password")/" \
        -e "s/@asgi@/$(sha256 "$dir/asgi/redis_password")/" \
        -e "s/@admin@/$(sha256 "$dir/redis/admin_password")/" \
        -e "s/@replica@/$(sha256 "$dir/redis/replica_password")/" \
        -e "s/@sentinel@/$(sha256 "$dir/redis/sentinel_password")/" "$here/$1" > "$dir/redis/$1.new"
}
# Those of the Sentinels, which read them when they start.
with_hashes sentinel-users.acl
mv "$dir/redis/sentinel-users.acl.new" "$dir/redis/sentinel-users.acl"
with_hashes users.acl
# Until a running Redis has accepted the new ones: it would not start with users that it refuses.
[ ! -f "$dir/redis/users.acl" ] || cp "$dir/redis/users.acl" "$dir/redis/users.acl.before"
mv "$dir/redis/users.acl.new" "$dir/redis/users.acl"

address() {
    password=$(cat "$dir/app/redis_password")
    case $redis in
        */*) echo "redis+sentinel://app:$password@$redis" ;;
        *,*) echo "redis+cluster://app:$password@$redis" ;;
        *) echo "redis://app:$password@$redis/0" ;;
    esac
}

# In a volume it is for another user; elsewhere for nobody but its owner.
[ $# -lt 3 ] || umask 077
rm -f "$app_env.new"
{
    echo "# What an app needs in order to publish: written at every start. Keep it out of version control."
    setting CORKBOARD_URL "$(address)"
    setting CORKBOARD_SECRET_KEY "$(printf '%s\n' "$keys" | awk 'NF { print $1; exit }')"
    setting CORKBOARD_HISTORY_LENGTH "${HISTORY_LENGTH:-}"
    setting CORKBOARD_TICKET_SECONDS "${TICKET_SECONDS:-}"
    setting CORKBOARD_REFRESH_RATE "${REFRESH_RATE:-}"
    setting CORKBOARD_WAIT_REPLICAS "${WAIT_REPLICAS:-}"
} > "$app_env.new"
mv "$app_env.new" "$app_env"
