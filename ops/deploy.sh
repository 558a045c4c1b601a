#!/bin/sh
# Replaces the services that have changed while the site serves: ops/deploy.sh [SERVICE ...]
#
# Builds first. New containers start beside the old ones and wait; those stop, one after the other, and each hands its
# socket to one that waits (slots/). An app that nginx asks by its address is followed by nginx first. A version that does
# not become healthy is removed again, and its image with it. docs/how-to/deploy.md says more.
# FORCE=yes replaces what has not changed, too. It asks Docker for nothing that Compose 2.20 does not know, and removes
# containers by their ids: what `--scale` removes differs between versions.
# shellcheck disable=SC2086 # ids and addresses are words of a list
set -eu

# shellcheck source=ops/containers.sh
. "$(dirname "$0")/containers.sh"

# Back to what was there before: `known` are the containers that this run found, and `old` those that serve.
undo() {
    trap '' INT TERM
    for id in $(ids "$service"); do
        case " $known " in *" $id "*) ;; *) docker rm --force "$id" > /dev/null ;; esac
    done
    keep_image "${old%% *}"
}

roll() {
    wanted=$(docker compose config "$service" | awk -v s="  $service:" '
        /^  [^ ]/ { inside = $0 == s } inside && $1 == "replicas:" { print $2; found = 1; exit }
        END { if (!found) print 1 }')
    old='' kept=0 ailing='' known='' brought=''
    for id in $(ids "$service"); do
        # Left behind by a run that was cut short, or ended for good. nginx does without them already.
        case $(health "$id") in
            healthy | unhealthy | running) ;;
            *) ailing="$ailing $id" && continue ;;
        esac
        known="${known:+$known }$id"
        if is_current "$id" && [ -z "${FORCE:-}$renewed" ] && [ $kept -lt "$wanted" ]; then
            kept=$((kept + 1))
        else
            old="${old:+$old }$id"
        fi
    done
    must_serve "${known%% *}"
    if [ $kept -ge "$wanted" ] && [ -z "$old$ailing" ]; then
        step "has not changed"
        return
    fi
    for id in $ailing; do docker rm --force "$id" > /dev/null; done

    if [ "$service" = wsgi ] && [ -z "$has_static" ]; then bring_static; fi
    if [ $kept -lt "$wanted" ]; then
        step "starting $((wanted - kept)) beside $(count $known)"
        trap 'undo; step "interrupted; the old version serves"; exit 130' INT TERM
        why="was not started"
        if make_more $((wanted - kept)) && docker start $new > /dev/null; then
            why=''
            for id in $new; do wait_healthy "$id" || break; done
        fi
        if [ -z "$why" ] && ! has_sockets; then
            step "healthy; waiting until nginx sends to it"
            wait_followed $new || why="is not found by nginx after $FOLLOW s"
        fi
        if [ -n "$why" ]; then
            step "the new version $why; the old one serves on" >&2
            [ -z "$new" ] || last_words "${id:-${new##* }}"
            undo
            exit 1
        fi
        trap - INT TERM
    fi
    [ -z "$brought" ] || take_static "$(first nginx)"
    gone=0 all=$(count $old)
    for id in $old; do
        gone=$((gone + 1))
        step "stopping old $gone of $all; it ends what it has begun"
        was=''
        has_sockets || was=$(addresses "$id")
        docker stop "$id" > /dev/null
        docker rm "$id" > /dev/null
        [ -z "$was" ] || wait_forgotten $was
    done
    step "replaced"
}

# Whether a new Redis waits until the old one ends (redis/lock.sh). Then it is there at once when that happens.
both_lock() { # OLD NEW
    for id; do
        case $(inspect '{{.Config.Entrypoint}}' "$id") in *lock.sh*) ;; *) return 1 ;; esac
    done
}
start_beside() { docker start $new > /dev/null || { why="does not start" && return 1; }; }

# Where there can be only one: its successor takes over when the old one has ended.
swap() { # CONTAINER
    why="was not made" known=$1 old=$1
    trap 'docker start "$old" > /dev/null; undo; step "interrupted; the old version serves"; exit 130' INT TERM
    if make_more 1 && { ! both_lock "$1" $new || start_beside; }; then
        docker stop "$1" > /dev/null
        why="does not start"
        if docker start $new > /dev/null && wait_healthy $new; then
            trap - INT TERM
            docker rm "$1" > /dev/null
            step "replaced"
            return
        fi
    fi
    step "the new version $why; the old one serves on" >&2
    [ -z "$new" ] || { last_words $new && docker stop $new > /dev/null; }
    docker start "$1" > /dev/null
    undo
    exit 1
}

# The one that serves, in $running. What a run that was cut short has left beside it goes.
find_serving() {
    running='' left=''
    for id in $(ids "$service"); do
        if [ -z "$running" ] && is_healthy "$id"; then running=$id; else left="$left $id"; fi
    done
    must_serve "$running"
    for id in $left; do docker rm --force "$id" > /dev/null; done
}

# A new configuration and new static files go into the container that runs: to replace it would refuse connections.
nginx() {
    find_serving
    image=$(newest_image "$running")
    generation=$(echo "${image#*:}" | cut -c 1-12)
    if ! config_changed "$running"; then
        # shellcheck disable=SC2016 # in the container
        given=$(docker exec "$running" sh -c 'read -r container given _ < /srv/deployed/current &&
            [ "$container" = "$(hostname)" ] && echo "$given"' 2> /dev/null || image_of "$running")
        case $given in
            "$generation" | "$image")
                has_static=yes
                forced || { step "has not changed" && return; }
                ;;
        esac
    fi
    step "checking the new configuration"
    has_static=yes
    # The volume is shared with the container that runs.
    # shellcheck disable=SC2016 # in the container
    if ! said=$(docker compose run --rm --no-deps -T --entrypoint sh \
        -e STATIC_LINK=next -e "NGINX_ENVSUBST_OUTPUT_DIR=/srv/deployed/$generation/conf" nginx -ec '
            cd /srv/deployed && rm -rf "$1" && mkdir -p "$1/conf"
            nginx -V 2> "$1/version"
            . /docker-entrypoint.d/14-static.envsh
            [ "$STATIC_DIR" = /srv/deployed/static ]
            exec /docker-entrypoint.sh nginx -e stderr -t -q -c "/srv/deployed/$1/conf/nginx.conf"' \
        sh "$generation" 2>&1 < /dev/null); then
        step "refuses the new configuration; the old one serves on" >&2
        printf '%s\n' "$said" | tail -n 5 | sed 's/^/         /' >&2
        keep_image "$running"
        exit 1
    fi
    if config_changed "$running"; then
        step "replacing its container, as Compose's part of it has changed: connections are refused for a second"
        swap "$running"
        return
    fi
    # The old generation stays for nginx processes that are about to end; earlier ones go.
    # shellcheck disable=SC2016 # in the container
    docker exec "$running" sh -ec '
        cd /srv/deployed
        nginx -e stderr -t -q -c "/srv/deployed/$1/conf/nginx.conf"
        before=$1
        if [ -f current ]; then read -r _ before < current; fi
        cp "$1"/conf/*.conf /run/nginx/
        echo "$(hostname) $1" > current.new && mv current.new current
        old=$(grep -ls "^nginx: worker process" /proc/[0-9]*/cmdline || true)
        kill -HUP "$(cat /run/nginx/nginx.pid)"
        # Until all of them take no new connection any more: one that came to them would be cut when they end.
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            accepting=no
            for worker in $old; do
                if [ -e "$worker" ] && ! grep -qs "is shutting down" "$worker"; then accepting=yes; fi
            done
            [ $accepting = yes ] || break
            sleep 0.1
        done
        for generation in *; do
            case $generation in "$1" | "$before" | current | static) ;; *) rm -rf "$generation" ;; esac
        done' sh "$generation" || fail "does not take the new configuration; the old one serves on"
    take_static "$running"
    step "reloaded; the sidecars send their clients to the new workers, one by one"
    # At the same time: who is sent away by one would else meet another one before its turn, and be sent away again.
    for id in $(ids asgi); do docker exec "$id" sh -c 'kill -URG 1' & done
    wait
    # shellcheck disable=SC2016 # in the container
    docker exec "$running" sh -c 'nginx -V 2>&1 | cmp -s - "/srv/deployed/$1/version"' sh "$generation" ||
        step "is a new version itself; to start it: docker compose up --wait nginx (connections are refused for a second)"
}

# The static files of a version that serves from now on. nginx' container goes by this when it restarts.
take_static() { # CONTAINER
    # shellcheck disable=SC2016 # in the container
    docker exec "$1" sh -ec '
        cd /srv/deployed/static
        echo "$(hostname) $(readlink next)" > given.new && mv given.new given && mv -T next current' || true
}

# The pages of a new demo name static files that nginx must have before. nginx itself goes on as it is.
bring_static() {
    running=$(first nginx)
    [ -n "$running" ] || return 0
    name=$(inspect '{{.Config.Image}}' "$running") image=$(newest_image "$running")
    # shellcheck disable=SC2016 # in the container
    if compose build nginx && compose run --rm --no-deps -T --entrypoint sh -e STATIC_LINK=next nginx -ec '
        . /docker-entrypoint.d/14-static.envsh
        [ "$STATIC_DIR" = /srv/deployed/static ]'; then has_static=yes; fi
    docker tag "$image" "$name"
    [ -n "$has_static" ] || fail "has no place for its static files; the old one serves on"
    brought=yes
}

# There is one, with the data: its successor has them when it has ended, and the apps wait meanwhile.
redis() {
    find_serving
    if is_current "$running" && ! forced; then
        step "has not changed"
        return
    fi
    step "checking the new configuration"
    # Without data, and where nobody finds it: it ends at once if it cannot go by its configuration.
    said=$(docker compose run --rm --no-deps -T --entrypoint timeout redis 2 redis-server /etc/corkboard/redis.conf \
        --bind 127.0.0.1 --dir /tmp --save '' --appendonly no 2>&1 < /dev/null) || [ $? = 124 ] || {
        step "refuses the new configuration; the old one serves on" >&2
        printf '%s\n' "$said" | tail -n 5 | sed 's/^/         /' >&2
        keep_image "$running"
        exit 1
    }
    step "rewriting its log, so that it starts fast"
    # shellcheck disable=SC2016 # in the container
    docker exec "$running" sh -c '
        REDISCLI_AUTH=$(cat /run/secrets/admin_password) && export REDISCLI_AUTH
        redis-cli --user admin bgrewriteaof > /dev/null
        while redis-cli --user admin info persistence | grep -q "aof_rewrite_[a-z_]*:1"; do sleep 0.2; done' ||
        step "cannot be asked to; it reads all of its log"
    step "restarting; the apps wait for it"
    swap "$running"
}

# The one-shot service that writes secrets and Redis' users. The apps read what it wrote when they start.
secrets() {
    service=secrets
    written=$(first secrets)
    if [ -z "$written" ] || is_current "$written"; then return; fi
    if config_changed "$written"; then renewed=yes; fi
    compose up --detach --no-build --no-deps secrets || fail "cannot be started"
    [ "$(docker wait "$(first secrets)")" = 0 ] || { last_words "$(first secrets)" && fail "failed"; }
    step "written anew"
}

has_static='' # `yes` when nginx has the static files of the newest demo
renewed='' # `yes` when the apps must start anew although they have not changed themselves
service=compose
project=$(docker compose config | awk '$1 == "name:" { print $2; exit }')
[ -n "$project" ] || exit 1
if [ $# -eq 0 ]; then
    for service in redis nginx asgi wsgi; do
        if [ -n "$(ids $service)" ]; then set -- "$@" $service; fi
    done
    [ $# -gt 0 ] || fail "nothing of $project runs here; \`docker compose up --build --wait\` starts it"
fi
for service; do
    [ -n "$(ids "$service")" ] || fail "does not run here; \`docker compose up --build --wait\` starts it"
done
say "Building $*"
docker compose build "$@" || exit
say "Deploying to $project"
secrets
for service; do
    case $service in
        nginx | redis) "$service" ;;
        *) roll ;;
    esac
done
