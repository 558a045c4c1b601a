#!/bin/sh
# What the official image does before nginx starts: name the resolvers, run the scripts, render the templates.
set -eu

if [ "${1:-}" = nginx ]; then
    if [ -n "${NGINX_ENTRYPOINT_LOCAL_RESOLVERS:-}" ]; then
        NGINX_LOCAL_RESOLVERS=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2 }' /etc/resolv.conf | paste -sd ' ')
        export NGINX_LOCAL_RESOLVERS
    fi
    for script in /docker-entrypoint.d/*; do
        [ -x "$script" ] || continue
        case $script in
            *.envsh)
                # shellcheck source=/dev/null
                . "$script"
                ;;
            *.sh) "$script" ;;
        esac
    done
    templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
    suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
    rendered=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
    # Only variables that exist are replaced: nginx has its own $names.
    # shellcheck disable=SC2016
    names=$(awk 'BEGIN { for (name in ENVIRON) if (name ~ ENVIRON["NGINX_ENVSUBST_FILTER"]) printf "${%s} ", name }')
    if [ -d "$templates" ]; then
        find "$templates" -follow -type f -name "*$suffix" | while read -r template; do
            target=$rendered/${template#"$templates"/}
            mkdir -p "$(dirname "$target")"
            envsubst "$names" < "$template" > "${target%"$suffix"}"
        done
    fi
fi
exec "$@"
