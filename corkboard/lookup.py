"""The lookup of a host's name, bounded in time."""

from __future__ import annotations

import ipaddress
import socket
import threading

from redis.exceptions import ConnectionError as RedisConnectionError


def find(host: str | None, seconds: float) -> None:
    """Returns when the name has an address; at once for an address itself, or no host at all.

    `socket.getaddrinfo` takes as long as it likes. While a container is replaced nobody knows its name, and
    the question may go on to a name server that never answers.

    Raises:
        RedisConnectionError: it has none, or there was no answer within `seconds`.
    """
    if host is None or _is_address(host):
        return
    failure = OSError("the name server does not answer")
    known = threading.Event()

    def ask() -> None:
        nonlocal failure
        try:
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            known.set()
        except OSError as error:
            failure = error

    thread = threading.Thread(target=ask, name="corkboard-lookup", daemon=True)
    thread.start()
    thread.join(seconds)
    if not known.is_set():
        raise RedisConnectionError(f"no address of {host}: {failure.strerror or failure}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
