#!/bin/sh
# Puts a backup into the folder of Redis' data. Redis takes it at its next start, as the base of its log.
# Usage: data.sh stage DATA < BACKUP
#            Lets a server of its own read it, beside the one that runs.
#        data.sh amend DATA < COMMANDS
#            Has COMMANDS carried out on what was staged.
#        data.sh commit DATA [KEEP]
#            With Redis stopped: what was staged takes the place of the data. KEEP: a new folder for the files that
#            were there; without it Redis removes them once it has started.
#        data.sh drop DATA
#            Undoes `stage`.
# REDIS_SERVER: the server to try it with.
set -eu
umask 077
step=$1 data=$2 more=${3:-}
new=$data/restore.new

# One command in the form of Redis' log.
logged() {
    printf '*%d\r\n' $#
    for word; do printf '$%d\r\n%s\r\n' "$(printf %s "$word" | wc -c)" "$word"; done
}

# A start that works is the only proof that a later one will. What cannot be read is removed.
try() {
    cd "$new"
    : > trial.log
    "${REDIS_SERVER:-redis-server}" --dir "$new" --port 0 --unixsocket trial.sock --appendonly yes --save '' \
        --maxmemory 0 >> trial.log 2>&1 &
    server=$!
    trap 'kill $server 2> /dev/null || true' EXIT
    waited=0
    while kill -0 $server 2> /dev/null && ! grep -q 'Ready to accept connections' trial.log; do
        sleep 0.1
        waited=$((waited + 1))
        [ $((waited % 20)) != 0 ] || echo "  still reading after $((waited / 10)) s" >&2
    done
    ready=$(grep -c 'Ready to accept connections' trial.log || true)
    kill $server 2> /dev/null || true
    wait $server 2> /dev/null || true
    if [ "$ready" = 0 ]; then
        echo "Redis cannot read this backup; it says:" >&2
        tail -n 5 trial.log >&2
        rm -rf "$new"
        exit 1
    fi
}

case $step in
stage)
    rm -rf "$new"
    mkdir -p "$new/appendonlydir"
    cd "$new/appendonlydir"
    # Clients have seen events and notes that the backup does not contain, under numbers that come again. So what it holds
    # is the beginning of a new era, which corkboard/functions.lua has in the epoch of every topic. Random, because no
    # client may ever have seen it. A plain command, because a script that writes is refused where a replica is required.
    era=r$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
    cat > "$era.base.rdb"
    logged SET 'fence:{master}' "*//$era" > "$era.incr.aof"
    printf 'file %s seq 1 type b\nfile %s seq 1 type i\n' "$era.base.rdb" "$era.incr.aof" \
        > appendonly.aof.manifest
    sync
    try
    ;;
amend)
    tee -a "$new"/appendonlydir/*.incr.aof > /dev/null
    try
    ;;
commit)
    # A server in a container holds it for as long as it runs (redis/lock.sh).
    if command -v flock > /dev/null; then
        exec 9> "$data/lock"
        flock --timeout 30 9 || { echo "a server still has the data: stop it first" >&2 && exit 1; }
    fi
    live=$data/appendonlydir
    mkdir -p "$live"
    cd "$new/appendonlydir"
    # "file NAME seq NUMBER type b, i or h": h is what Redis removes after its start.
    manifest() { [ ! -f "$live/appendonly.aof.manifest" ] || cat "$live/appendonly.aof.manifest"; }
    seq=$(manifest | awk '$4 > last { last = $4 } END { print last + 1 }')
    if [ -n "$more" ]; then
        mkdir "$more"
        (cd "$live" && for file in *; do [ ! -e "$file" ] || ln "$file" "$more/$file"; done)
    fi
    {
        manifest | awk '{ print $1, $2, $3, $4, "type h" }'
        printf 'file %s seq %d type b\n' ./*.base.rdb "$seq"
        printf 'file %s seq %d type i\n' ./*.incr.aof "$seq"
    } | sed 's|\./||' > "$data/restore.manifest"
    mv ./*.base.rdb ./*.incr.aof "$live"
    sync
    # Until here nothing has changed; with this step everything has.
    mv "$data/restore.manifest" "$live/appendonly.aof.manifest"
    sync
    rm -rf "$new"
    ;;
drop) rm -rf "$new" ;;
esac
