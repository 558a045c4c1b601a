#!/bin/sh
# Makes the deployment's secrets on the first run and keeps them afterwards.
# Usage: secrets.sh DIR     (DIR/redis, DIR/wsgi and DIR/asgi: one folder a service)
# The ACL file is rendered anew every time, so that a changed users.acl is taken.
set -eu
umask 022
dir=${1:?usage: secrets.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# Written under another name first: a run that is cut short leaves no half secret.
keep() {
    [ -s "$1" ] && return
    printf '%s' "$2" > "$1.new"
    mv "$1.new" "$1"
}

sha256() {
    if command -v sha256sum > /dev/null; then sha256sum < "$1"; else shasum -a 256 < "$1"; fi | cut -d ' ' -f 1
}

mkdir -p "$dir/redis" "$dir/wsgi" "$dir/asgi"
keep "$dir/redis/admin_password" "$(random)"
keep "$dir/wsgi/redis_password" "$(random)"
keep "$dir/asgi/redis_password" "$(random)"
keep "$dir/wsgi/secret_key" "$(random)"
keep "$dir/asgi/secret_key" "$(cat "$dir/wsgi/secret_key")"

sed -e "s/@wsgi@/$(sha256 "$dir/wsgi/redis_password")/" \
    -e "s/@asgi@/$(sha256 "$dir/asgi/redis_password")/" \
    -e "s/@admin@/$(sha256 "$dir/redis/admin_password")/" \
    "$here/users.acl" > "$dir/redis/users.acl.new"
mv "$dir/redis/users.acl.new" "$dir/redis/users.acl"
