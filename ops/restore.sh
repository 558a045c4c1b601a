#!/bin/sh
# Replaces what Redis holds by a backup. Only Redis stops, for some seconds; what it held becomes a backup of its own.
# Usage: [FORCE=yes] ops/restore.sh FILE [FOLDER]
#   Run it where `docker compose` finds the project. FOLDER: where the backup of the present data goes, as in backup.sh.
# With docker-compose.sentinel.yml the restored `redis` must be the master, and the other one copies it. Sentinels stop
# meanwhile: they would put the other one, which has the data of before, into its place.
set -eu
umask 077
file=${1:-} folder=${2:-backups}
here=$(cd "$(dirname "$0")" && pwd)

fail() { echo "$*" >&2; exit 1; }

sha256() {
    if command -v sha256sum > /dev/null; then sha256sum < "$1"; else shasum -a 256 < "$1"; fi | cut -d ' ' -f 1
}

# The scripts go along as text, so that they need not be in the image.
data() {
    docker compose run --rm --no-TTY --no-deps --entrypoint sh redis -c "$(cat "$here/data.sh")" data.sh "$@"
}

cli_in() { # SERVICE WORD ...
    service=$1
    shift
    # shellcheck disable=SC2016
    docker compose exec -T "$service" sh -c \
        'REDISCLI_AUTH=$(cat /run/secrets/admin_password) exec redis-cli --user admin "$@"' sh "$@" < /dev/null
}
cli() { cli_in redis "$@"; }

sentinels=$(docker compose config --services | grep -x 'sentinel-[123]' | tr '\n' ' ')
sentinel() { cli_in sentinel-1 -p 26379 sentinel "$@" 2> /dev/null; }
is_copied() { [ "$(cli_in replica role 2> /dev/null | sed -n '2p;4p' | xargs)" = "corkboard-redis connected" ]; }
# Until `redis` is the master, and `replica` has all of it.
make_master() {
    tries=60
    until master=$(sentinel get-master-addr-by-name corkboard | head -n 1) &&
        [ "$master" = corkboard-redis ] && is_copied; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        if [ "$master" = corkboard-replica ]; then sentinel failover corkboard > /dev/null || true; fi
        sleep 1
    done
}
# shellcheck disable=SC2086 # a list
watch_again() { docker compose up --detach --wait --no-deps --no-recreate $sentinels; }

[ -n "$file" ] || fail "which backup? As in: make restore FILE=backups/corkboard-20260131T030000Z.rdb"
[ -f "$file" ] || fail "there is no file $file"
[ -f "$file.sha256" ] || fail "there is no $file.sha256, which \`make backup\` wrote beside it: copy it here, too"
read -r digest _ < "$file.sha256" || true
[ "$(sha256 "$file")" = "$digest" ] || fail "$file is damaged: its digest is another one than $file.sha256 says." \
    "Nothing was changed; take another backup."
if [ "${FORCE:-}" != yes ]; then
    [ -t 0 ] || fail "restoring replaces what Redis holds, and nobody can be asked here: say FORCE=yes"
    printf 'Everything written since then goes into a backup of its own. Replace the data by %s? [yes/no] ' "$file"
    read -r answer
    [ "$answer" = yes ] || fail "Nothing was changed."
fi

if [ -n "$sentinels" ]; then
    echo "Seeing to it that redis is the master, and the replica has all of it ..."
    make_master || fail "With a second Redis a restore needs both of them and the Sentinels. Nothing was changed." \
        "Next: \`docker compose up --wait\`, and again; if one cannot run, docs/how-to/second-redis.md#restore-a-backup"
fi

revoked=$(mktemp)
undo=: unwatched=''
finish() {
    code=$?
    trap - EXIT
    end_renewal
    $undo > /dev/null 2>&1 || true
    [ -z "$unwatched" ] || watch_again > /dev/null 2>&1 || true
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM
# Writes wait for as long as this lives, and go on within a minute when it is killed. The renewal ends with the file.
pause() { cli client pause 60000 write > /dev/null; }
renewing='' seconds=0
renew() {
    while sleep 1 && [ -e "$revoked" ] && kill -0 $$ 2> /dev/null; do
        seconds=$((seconds + 1))
        [ $((seconds % 5)) != 0 ] || pause 2> /dev/null || return 0
    done
}
end_renewal() {
    rm -f "$revoked"
    [ -z "$renewing" ] || wait "$renewing" || true
    renewing=''
}
serve() { docker compose up --detach --wait --no-deps --no-recreate redis; }
cancel() { cli client unpause; data drop /data < /dev/null; }

echo "Reading the backup ..."
undo="data drop /data"
data stage /data < "$file"

# One that cannot read its data starts again and again.
running=$(docker compose ps --status running --status restarting --quiet redis)
keep=
if [ -n "$running" ] && [ "$(cli ping 2> /dev/null)" = PONG ]; then
    # A master whose writes wait does not answer them in time.
    if [ -n "$sentinels" ]; then
        unwatched=yes
        # shellcheck disable=SC2086 # a list
        docker compose stop $sentinels
    fi
    # From here on nobody writes: what is kept is all that was ever acknowledged, and nothing is revoked meanwhile.
    undo=cancel
    pause
    renew &
    renewing=$!
    echo "Keeping what there is ..."
    sh "$here/backup.sh" "$folder"
    cli eval_ro "$(cat "$here/revoked.lua")" 0 > "$revoked"
    data amend /data < "$revoked"
else
    keep=/data/replaced-$(date -u +%Y%m%dT%H%M%SZ)
    echo "Redis does not answer. Its files stay in its volume, in $keep. Tickets that were revoked after the backup" \
        "become valid again; to prevent that, change the key (docs/how-to/secrets.md)."
fi
echo "Replacing it ..."
if [ -n "$running" ]; then undo=serve; fi
docker compose stop redis
end_renewal # none may meet the next Redis
data commit /data "$keep" < /dev/null
undo=:
if [ -z "$running" ]; then
    echo "Restored. Corkboard does not run; start it."
elif serve; then
    if [ -n "$unwatched" ]; then
        echo "The replica copies it ..."
        tries=300
        until is_copied || [ $((tries -= 1)) = 0 ]; do sleep 1; done
        watch_again || fail "Restored, but the Sentinels do not start: \`docker compose up --wait\`"
        unwatched=''
    fi
    echo "Restored. Every client fetches its state again."
else
    fail "Redis does not start; \`docker compose logs redis\` says why"
fi
