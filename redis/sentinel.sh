#!/bin/sh
# Starts a Sentinel. What it learns is kept in /data.
# Usage: sentinel.sh NAME MASTER
#   NAME: the host name by which the others reach it.
#   MASTER: the host name of the master at the first start.
set -eu
umask 077
name=${1:?usage: sentinel.sh NAME MASTER} master=${2:?usage: sentinel.sh NAME MASTER}
until [ -s /run/secrets/sentinel_password ] && [ -s /run/secrets/sentinel-users.acl ]; do sleep 0.1; done

config=/data/sentinel.conf
if [ ! -s "$config" ]; then
    {
        echo "port 26379"
        echo "dir /data"
        # Only the back network reaches this port. Everybody may ask for the master; orders need a password.
        echo "protected-mode no"
        echo "sentinel resolve-hostnames yes"
        echo "sentinel announce-hostnames yes"
        echo "sentinel announce-ip $name"
        echo "sentinel monitor corkboard $master 6379 2"
        echo "sentinel down-after-milliseconds corkboard 5000"
        echo "sentinel failover-timeout corkboard 30000"
    } > "$config.first"
    mv "$config.first" "$config"
fi
# Written anew each time: the password may have changed, or the file may be of a version whose Sentinels had no users.
password=$(cat /run/secrets/sentinel_password)
{
    grep -vE '^(user |aclfile |sentinel (auth-user|auth-pass|sentinel-user|sentinel-pass) )' "$config"
    echo "aclfile /run/secrets/sentinel-users.acl"
    echo "sentinel sentinel-user sentinel"
    echo "sentinel sentinel-pass $password"
    echo "sentinel auth-user corkboard sentinel"
    echo "sentinel auth-pass corkboard $password"
} > "$config.new"
mv "$config.new" "$config"
exec redis-server "$config" --sentinel
