#!/bin/sh
# What the official image does before Redis starts: a bare option or file means the server, and root is given up.
set -eu
case ${1:-} in
    -* | *.conf) set -- redis-server "$@" ;;
esac
[ "$(id -u)" != 0 ] || [ "$1" != redis-server ] || exec setpriv --reuid redis --regid redis --clear-groups "$@"
exec "$@"
