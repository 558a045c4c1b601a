# shellcheck shell=sh
# What ops/deploy.sh asks of Docker. `service` is the service in question, `project` the Compose project.
# shellcheck disable=SC2086,SC2154,SC2034 # ids are words of a list; both are the caller's; it also reads `why`

PATIENCE=90     # seconds until a new container must be healthy
FOLLOW=15       # seconds until nginx must send to the new ones
UPSTREAM=http://127.0.0.1:8080/ws/nginx # asked from within nginx's container

say() { printf '%s\n' "$*"; }
step() { printf '  %-6s %s\n' "$service" "$*"; }
fail() {
    printf '  %-6s %s\n' "$service" "$*" >&2
    exit 1
}

ids() { # all containers of a service
    docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project" \
        --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False
}
first() { ids "$1" | head -n 1; }
inspect() { docker inspect --format "$@"; }
health() { inspect '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' "$1"; }
is_healthy() { case $(health "$1") in healthy | running) ;; *) return 1 ;; esac }
must_serve() { # CONTAINER or nothing
    if [ -z "$1" ] || ! is_healthy "$1"; then fail "is not healthy; \`docker compose up --build --wait\` starts it"; fi
}
image_of() { inspect '{{.Image}}' "$1"; }
# The image that the container's name for it means now; the container itself goes on with the one of its start.
newest_image() { docker image inspect --format '{{.Id}}' "$(inspect '{{.Config.Image}}' "$1")"; }
config_changed() {
    [ "$(inspect '{{index .Config.Labels "com.docker.compose.config-hash"}}' "$1")" != \
        "$(docker compose config --hash "$service" | awk '{ print $2; exit }')" ]
}
is_current() { [ "$(image_of "$1")" = "$(newest_image "$1")" ] && ! config_changed "$1"; }
forced() { [ -n "${FORCE:-}" ]; }

# Compose says what it does on stderr; that is of interest only when it fails.
compose() {
    said=$(docker compose "$@" 2>&1 < /dev/null) || {
        printf '%s\n' "$said" | tail -n 12 >&2
        return 1
    }
}
# Containers beside those that are there, not started yet: `up` could start and restart others, and with --no-deps it
# makes containers that the next `up` takes for changed. Their ids are in $new.
make_more() { # COUNT
    before=" $(ids "$service" | tr '\n' ' ')" new=''
    total=$(($1 + $(count $before)))
    compose up --no-start --no-build --no-recreate --scale "$service=$total" "$service" || return
    for id in $(ids "$service"); do
        case $before in *" $id "*) ;; *) new="$new $id" ;; esac
    done
}
count() { echo $#; }

last_words() { docker logs --tail 12 "$1" 2>&1 | sed 's/^/         /' >&2; }

# The name means the old image again: `docker compose up` would start the bad one.
keep_image() { # CONTAINER
    docker tag "$(image_of "$1")" "$(inspect '{{.Config.Image}}' "$1")"
}

# Until the container is healthy; fails with the reason in $why.
wait_healthy() { # CONTAINER
    begun=$(date +%s)
    while ! is_healthy "$1"; do
        case $(inspect '{{.RestartCount}} {{.State.Status}}' "$1") in
            "0 running") ;;
            *) why="does not start" && return 1 ;;
        esac
        [ "$(health "$1")" != unhealthy ] || { why="is unhealthy" && return 1; }
        [ $(($(date +%s) - begun)) -lt $PATIENCE ] || { why="is not healthy after $PATIENCE s" && return 1; }
        sleep 0.3
    done
}

addresses() { for id; do inspect '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$id"; done; }

# Whether nginx asks the service by Unix sockets: then it need not notice who is behind them.
has_sockets() {
    case $service in asgi) upstream=asgi list=proxy ;; *) upstream=app list=site-demo ;; esac
    docker exec "$(first nginx)" grep -q 'server "unix:' "/run/nginx/$list.conf"
}

# The addresses that nginx sent its last requests to, tries that failed included.
asked() {
    docker exec "$(first nginx)" curl -s -m 5 -o /dev/null -w '%header{x-upstream}\n' "$UPSTREAM/$upstream?[1-8]" || true
}

wait_followed() { # CONTAINER ...
    begun=$(date +%s) missing=$#
    seen=''
    while [ "$missing" -gt 0 ]; do
        seen="$seen $(asked)" missing=0
        for id; do
            found=no
            for address in $(addresses "$id"); do case $seen in *"$address:"*) found=yes ;; esac done
            [ $found = yes ] || missing=$((missing + 1))
        done
        [ $(($(date +%s) - begun)) -lt $FOLLOW ] || return 1
    done
}

wait_forgotten() { # ADDRESS ...
    begun=$(date +%s) quiet=0
    while [ $quiet -lt 2 ] && [ $(($(date +%s) - begun)) -lt $FOLLOW ]; do
        quiet=$((quiet + 1)) now=$(asked)
        for address; do case $now in *"$address:"*) quiet=0 ;; esac done
    done
}
