"""Asks Redis Sentinels for the address of the master."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from redis import Connection
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from corkboard import lookup

SCHEME = "redis+sentinel"
FORM = "redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME"
PLACES = re.compile(r"(?:[A-Za-z0-9._-]+:[0-9]{1,5})(?:,[A-Za-z0-9._-]+:[0-9]{1,5})*")
Place = tuple[str, int]
# Seconds for one Sentinel, so that one that does not answer leaves time for the others.
ASK_SECONDS = 0.3


class Sentinels:
    """The Sentinels of an address of the form FORM. `user` and `password` are for the master."""

    def __init__(self, url: str) -> None:
        """Makes no connection yet.

        Raises:
            ValueError: `url` is not of the form FORM.
        """
        parts = urlsplit(url)
        who, _, places = parts.netloc.rpartition("@")
        self.name = parts.path.lstrip("/")
        if parts.scheme != SCHEME or not self.name or not PLACES.fullmatch(places):
            raise ValueError(f"expected {FORM}")
        self.user, _, self.password = (unquote(word) for word in who.partition(":"))
        self._places = [
            (host, int(port)) for host, _, port in (place.rpartition(":") for place in places.split(","))
        ]

    def master(self, seconds: float) -> Place:
        """The master's host and port; takes `seconds` at most.

        Each call begins with another Sentinel, because one that is cut off may give an outdated answer.

        Raises:
            RedisConnectionError: no Sentinel gave an address in time.
        """
        until = time.monotonic() + seconds
        problem = "there was no time to ask"
        # A list of its own for each call, so that threads may meet here.
        places = self._places
        self._places = [*places[1:], places[0]]
        for place in places:
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                if found := _ask(place, self.name, min(left, ASK_SECONDS)):
                    return found
                problem = f"it knows no master {self.name}"
            except RedisError as error:
                problem = str(error)
        raise RedisConnectionError(f"no Sentinel says where the master is: {problem}")


def _ask(place: Place, name: str, seconds: float) -> Place | None:
    answer = ask_place(place, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name), seconds)
    return (answer[0].decode(), int(answer[1])) if answer else None


def ask_place(place: Place, words: Sequence[str], seconds: float, user: str = "", password: str = "") -> Any:
    """The answer to one command, on a connection of its own, within `seconds`.

    Raises:
        RedisError: there was none, or it is an error.
    """
    host, port = place
    lookup.find(host, seconds)
    connection: Any = Connection(  # type: ignore[no-untyped-call]
        host=host,
        port=port,
        username=user or None,
        password=password or None,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        connection.connect()
        connection.send_command(*words)
        return connection.read_response()
    finally:
        connection.disconnect()
