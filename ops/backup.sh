#!/bin/sh
# Copies what Redis holds into one file, while everything goes on: a snapshot of one moment, taken by Redis itself.
# Usage: ops/backup.sh [FOLDER]
#   Run it where `docker compose` finds the project. It writes FOLDER/corkboard-TIME.rdb and, beside it, its digest.
#   FOLDER is `backups` when absent.
set -eu
umask 077
folder=${1:-backups}

fail() { echo "$*" >&2; exit 1; }

sha256() {
    if command -v sha256sum > /dev/null; then sha256sum < "$1"; else shasum -a 256 < "$1"; fi | cut -d ' ' -f 1
}

# In the container: prints the digest in a line, and then the snapshot.
# shellcheck disable=SC2016
snapshot='
REDISCLI_AUTH=$(cat /run/secrets/admin_password)
export REDISCLI_AUTH
cli() { redis-cli --user admin "$@"; }
of() { cli info "$1" | tr -d "\r" | sed -n "s/^$2://p"; }
cd /data
# A full disk would end Redis, which must write its log.
free=$(df -Pk . | awk "NR == 2 { print \$4 }")
[ $(($(of memory used_memory) / 1024)) -lt "$free" ] || { echo "$free kB are free in the volume: too few" >&2; exit 1; }
until answer=$(cli bgsave) && case $answer in Background*started) ;; *) false ;; esac; do
    # Redis makes one copy of itself at a time.
    case $answer in *progress* | *active*) sleep 0.2 ;; *) echo "Redis: $answer" >&2; exit 1 ;; esac
done
waited=0
while [ "$(of persistence rdb_bgsave_in_progress)" = 1 ]; do
    sleep 0.2
    waited=$((waited + 1))
    [ $((waited % 10)) != 0 ] || echo "  $(of persistence current_save_keys_processed) keys so far" >&2
done
[ "$(of persistence rdb_last_bgsave_status)" = ok ] || { echo "Redis could not write it; see its log" >&2; exit 1; }
trap "rm -f backup-$$.rdb" EXIT
mv dump.rdb "backup-$$.rdb" || { echo "another backup took it away; try again" >&2; exit 1; }
sha256sum < "backup-$$.rdb" | cut -d " " -f 1
cat "backup-$$.rdb"
'

mkdir -p "$folder"
time=$(date -u +%Y%m%dT%H%M%SZ)
file=$folder/corkboard-$time.rdb
trap 'rm -f "$file.part"' EXIT
trap 'exit 130' INT TERM
docker compose exec -T redis sh -c "$snapshot" < /dev/null | {
    read -r digest || fail "no backup was made"
    cat > "$file.part"
    [ "$(sha256 "$file.part")" = "$digest" ] || fail "no backup was made: it did not arrive whole; try again"
    printf '%s  %s\n' "$digest" "${file##*/}" > "$file.sha256"
    mv "$file.part" "$file"
    echo "$file: as of $time, $(($(wc -c < "$file"))) bytes, sha256 $digest"
}
