#!/bin/sh
# Starts Redis as one of two, of which Sentinels make one the master.
# Usage: node.sh NAME [MASTER]
#   NAME: the host name by which everybody reaches it.
#   MASTER: the other one's, for the first start of a replica. Later starts go by what Sentinels have decided.
# The configuration is beside the data, because Sentinels rewrite it. Its name identifies the node:
# corkboard/functions.lua compares it with the node that wrote last.
set -eu
umask 077
name=${1:?usage: node.sh NAME [MASTER]} master=${2:-}
until [ -s /run/secrets/replica_password ]; do sleep 0.1; done

config=
for file in /data/node-*.conf; do [ ! -s "$file" ] || config=$file; done
if [ -z "$config" ]; then
    config=/data/node-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n').conf
    {
        echo "include /etc/corkboard/redis.conf"
        echo "dir /data"
        echo "masteruser replica"
        echo "replica-announce-ip $name"
        # A master that is cut off refuses writes, because a failover would lose them.
        echo "min-replicas-to-write 1"
        echo "min-replicas-max-lag 10"
        [ -z "$master" ] || echo "replicaof $master 6379"
    } > "$config.first"
    mv "$config.first" "$config"
fi
# Written anew each time: the password may have changed.
{
    grep -v '^masterauth ' "$config"
    echo "masterauth $(cat /run/secrets/replica_password)"
} > "$config.new"
mv "$config.new" "$config"
exec redis-server "$config"
