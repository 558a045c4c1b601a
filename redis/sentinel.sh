#!/bin/sh
# Starts a Sentinel. What it learns is kept in /data.
# Usage: sentinel.sh NAME MASTER
#   NAME: the host name by which the others reach it.
#   MASTER: the host name of the master at the first start.
set -eu
umask 077
name=${1:?usage: sentinel.sh NAME MASTER} master=${2:?usage: sentinel.sh NAME MASTER}
until [ -s /run/secrets/sentinel_password ]; do sleep 0.1; done

config=/data/sentinel.conf
if [ ! -s "$config" ]; then
    {
        echo "port 26379"
        echo "dir /data"
        # Only the back network reaches this port, and asking for the master needs no password.
        echo "protected-mode no"
        echo "sentinel resolve-hostnames yes"
        echo "sentinel announce-hostnames yes"
        echo "sentinel announce-ip $name"
        echo "sentinel monitor corkboard $master 6379 2"
        echo "sentinel auth-user corkboard sentinel"
        echo "sentinel auth-pass corkboard $(cat /run/secrets/sentinel_password)"
        echo "sentinel down-after-milliseconds corkboard 5000"
        echo "sentinel failover-timeout corkboard 30000"
    } > "$config.new"
    mv "$config.new" "$config"
else
    # The password may have changed.
    sed "s/^sentinel auth-pass .*/sentinel auth-pass corkboard $(cat /run/secrets/sentinel_password)/" "$config" \
        > "$config.new"
    mv "$config.new" "$config"
fi
exec redis-server "$config" --sentinel
