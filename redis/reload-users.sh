#!/bin/sh
# Has a running Redis read its users anew, so that an upgrade that changes them needs no restart of it. One that
# starts reads them by itself. Users that Redis refuses are taken back.
# Usage: reload-users.sh DIR HOST, after secrets.sh
set -eu
dir=${1:?usage: reload-users.sh DIR HOST}
host=${2:?usage: reload-users.sh DIR HOST}

# Allowed while Redis loads, too.
REDISCLI_AUTH=$(cat "$dir/redis/admin_password")
export REDISCLI_AUTH
answer=$(timeout 5 redis-cli -h "$host" --user admin ACL LOAD 2>&1 || true)
case $answer in
    OK | "" | *"not connect"*) rm -f "$dir/redis/users.acl.before" ;;
    *)
        [ ! -f "$dir/redis/users.acl.before" ] || mv "$dir/redis/users.acl.before" "$dir/redis/users.acl"
        echo "Redis refuses redis/users.acl, and keeps the users that it has: $answer" >&2
        exit 1
        ;;
esac
