#!/usr/bin/env bash
# Makes sure that the base images exist: present already, else pulled, else built from Debian's packages
# (root and debootstrap needed) and tagged with the official name.
set -euo pipefail
cd "$(dirname "$0")/.."

# The names stand in the Dockerfiles. A stage has none with a colon; a digest that pins a tag is left out.
mapfile -t dockerfiles < <(find . -name Dockerfile -not -path './.ci/*' -not -path '*/node_modules/*' -not -path './.venv/*')
mapfile -t images < <(sed -n 's/^FROM \([^ @]*:[^ @]*\).*/\1/p' "${dockerfiles[@]}" | sort -u)

# A stand-in knows what it was made from, so that one of yesterday is made anew.
made_from=$(cat .ci/images/* .ci/base-images.sh | sha256sum | cut -c 1-12)

missing=()
for image in "${images[@]}"; do
    label=$(docker image inspect --format '{{index .Config.Labels "corkboard.made-from"}}' "$image" 2> /dev/null || true)
    [ -z "$label" ] || [ "$label" = "$made_from" ] || { missing+=("$image") && continue; }
    docker image inspect "$image" > /dev/null 2>&1 || timeout 120 docker pull -q "$image" 2> /dev/null || missing+=("$image")
done
# Debian has no package of some. Nothing here can start such an image, so nothing here asks for it.
stage() { basename "${1%%:*}"; }
for i in "${!missing[@]}"; do
    grep -q "AS $(stage "${missing[i]}")\$" .ci/images/Dockerfile && continue
    echo "base-images: no registry answers for ${missing[i]}, and Debian does not have it; it is not tested here"
    unset "missing[i]"
done
[ ${#missing[@]} -gt 0 ] || exit 0
echo "base-images: no registry answers for ${missing[*]}; building stand-ins from Debian packages"
if grep -l '^FROM [^ ]*@' "${dockerfiles[@]}"; then
    echo "base-images: these pin a digest, and a stand-in has another one" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! docker image inspect corkboard-debian > /dev/null 2>&1; then
    # The machine's own mirror, whatever it is.
    mirror=$(awk '$1 == "URIs:" { print $2; exit } $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ "://") { print $i; exit } }' \
        /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2> /dev/null) || true
    # The suite's Release file may be past its date on a frozen mirror. It is rolling, so sid's script fits.
    debootstrap --variant=minbase forky "$work/tree" "$mirror" sid > "$work/log" || { tail -n 20 "$work/log" >&2; exit 1; }
    printf 'Acquire::Check-Valid-Until "false";\nAcquire::Retries "5";\n' > "$work/tree/etc/apt/apt.conf.d/frozen"
    case $mirror in
        https:*) install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$work/tree/etc/ssl/certs/ca-certificates.crt" ;;
    esac
    rm -rf "$work"/tree/var/cache/apt/archives/*.deb
    tar -C "$work/tree" -c . | docker import - corkboard-debian > /dev/null
fi

pids=()
for image in "${missing[@]}"; do
    docker build -q --label "corkboard.made-from=$made_from" --target "$(stage "$image")" -t "$image" .ci/images > /dev/null &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done

# Another minor version is worth a line; another major version is another program.
check() {
    local image=$1 tag=${1#*:} have=$2
    tag=${tag%-slim} tag=${tag#v}
    case $have. in "$tag".*) return ;; esac
    echo "base-images: $image is stood in for by $have"
    [ "${have%%.*}" = "${tag%%.*}" ]
}
for image in "${missing[@]}"; do
    case $image in
        python:*) check "$image" "$(docker run --rm "$image" python -c 'import platform; print(platform.python_version())')" ;;
        nginx:*) check "$image" "$(docker run --rm "$image" nginx -v 2>&1 | sed 's/.*nginx\/\([0-9.]*\).*/\1/')" ;;
        */prometheus:*) check "$image" "$(docker run --rm "$image" --version | sed -n 's/^prometheus, version \([0-9.]*\).*/\1/p')" ;;
        redis:*) check "$image" "$(docker run --rm "$image" redis-server --version | sed 's/.* v=\([0-9.]*\).*/\1/')" ;;
    esac
done
