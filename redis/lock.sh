#!/bin/sh
# Runs a server when no other one has /data, and Redis' users are written.
# Usage: lock.sh COMMAND [ARGUMENT ...]
# Two servers that append to one log would destroy it. So a new server may be started beside the old one: it takes over
# at the moment when the old one ends.
set -eu
# Whoever runs has it open, and with it the lock: https://man7.org/linux/man-pages/man2/flock.2.html
exec 9> /data/lock
flock 9
until [ -s /run/secrets/users.acl ]; do sleep 0.1; done
exec "$@"
