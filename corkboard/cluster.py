"""The masters of a Redis Cluster: which one has which keys, and connections to each of them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterCrossSlotError,
    ClusterDownError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from corkboard.exchange import Command
from corkboard.pool import PAUSE_SECONDS, Gone, Pool, Refused
from corkboard.sentinels import ASK_SECONDS, PLACES, Place, ask_place

SCHEME = "redis+cluster"
FORM = "redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT"
# Nothing was carried out: another server has the slot (MOVED), part of it is on its way (ASK, TRYAGAIN), or
# nobody has it. An ASK is not followed: who listens hears the old server until all of the slot has moved.
ELSEWHERE = (AskError, TryAgainError, ClusterDownError)
# What one server of a cluster answers to somebody who takes it for the only one.
ONE_OF_MANY = (AskError, ClusterCrossSlotError)
# Between two questions about which server has what.
LOOK_SECONDS = 0.1


def is_cluster(url: str) -> bool:
    """Whether an address is one of a cluster."""
    return url.startswith(f"{SCHEME}:")


class Cluster:
    """A cluster at an address of the form FORM. For the threads of one process: not across a fork."""

    def __init__(self, url: str, size: int) -> None:
        """Makes no connection yet. `size`: connections kept at most, to each master.

        Raises:
            ValueError: `url` is not of the form FORM.
        """
        parts = urlsplit(url)
        who, _, places = parts.netloc.rpartition("@")
        if parts.scheme != SCHEME or parts.path.strip("/") or parts.query or not PLACES.fullmatch(places):
            raise ValueError(f"expected {FORM}")
        self._user, _, self._password = (unquote(word) for word in who.partition(":"))
        self._given = [_place(*place.rpartition(":")[::2]) for place in places.split(",")]
        self._size = size
        self._owners: list[Place | None] = []  # of each slot
        self._masters: list[Place] = []
        self._pools: dict[Place, Pool] = {}
        self._looking = threading.Lock()
        self._looked_at = float("-inf")

    @property
    def in_use(self) -> int:
        """How many calls have a connection right now, or are about to make one."""
        return sum(pool.in_use for pool in tuple(self._pools.values()))

    def ask(self, commands: Sequence[Command], until: float, *, repeat: bool = False) -> list[Any]:
        """As `Pool.ask`, on the master that has the key of the first command.

        While the first command is refused, as its keys are elsewhere or on their way, all are sent again.
        """
        slot = _slot(commands[0])
        while True:
            place = self._owner(slot, until)
            try:
                answers = self._pool(place).ask(commands, until, repeat=repeat)
            except Gone:
                continue
            except Refused:
                self._look(until)
                if self._owner(slot, until) == place:
                    raise
                continue
            except (RedisConnectionError, RedisTimeoutError):
                self._forget()
                raise
            if not isinstance(answers[0], ELSEWHERE) or time.monotonic() + PAUSE_SECONDS[1] > until:
                return answers
            time.sleep(random.uniform(*PAUSE_SECONDS))
            self._look(until)

    def ask_each(self, commands: Sequence[Command], until: float) -> list[Any]:
        """As `Pool.ask`, for commands that only read: each on the master that has its key.

        One round trip to each master.
        """
        answers: list[Any] = [None] * len(commands)
        left = list(range(len(commands)))
        while True:
            together: dict[Place, list[int]] = {}
            for number in left:
                together.setdefault(self._owner(_slot(commands[number]), until), []).append(number)
            left = []
            for numbers in together.values():
                found = self.ask([commands[number] for number in numbers], until, repeat=True)
                for number, answer in zip(numbers, found):
                    answers[number] = answer
                    if isinstance(answer, ELSEWHERE):
                        left.append(number)
            if not left or time.monotonic() + PAUSE_SECONDS[1] > until:
                return answers
            self._look(until)

    def ask_all(self, commands: Sequence[Command], until: float) -> list[Any]:
        """As `Pool.ask`, on every master: the answers of one that refuses something, else of the last one.

        Raises:
            RedisError: none of them answered. Those that were away are left out.
        """
        self._owner(0, until)
        places = self._masters
        answers: list[Any] = []
        failure: Exception | None = None
        for number, place in enumerate(places):
            # One that is away leaves time for the others.
            now = time.monotonic()
            try:
                share = now + (until - now) / (len(places) - number)
                found = self._pool(place).ask(commands, share, repeat=True)
                if not any(isinstance(answer, ResponseError) for answer in answers):
                    answers = found
            except (RedisConnectionError, RedisTimeoutError, Refused, Gone) as error:
                self._forget()
                failure = error
        if answers or failure is None:
            return answers
        raise RedisConnectionError(str(failure))

    def _owner(self, slot: int | None, until: float) -> Place:
        while True:
            if self._looked_at < 0:
                self._look(until)
            place = self._owners[slot] if slot is not None else random.choice(self._masters)
            if place is not None:
                return place
            if time.monotonic() + PAUSE_SECONDS[1] > until:
                raise RedisConnectionError("no server of the cluster has these keys")
            time.sleep(random.uniform(*PAUSE_SECONDS))
            self._look(until)

    def _pool(self, place: Place) -> Pool:
        found = self._pools.get(place)
        if found is None:
            who = f"{quote(self._user, safe='')}:{quote(self._password, safe='')}@" if self._password else ""
            host = f"[{place[0]}]" if ":" in place[0] else place[0]
            pool = Pool(f"redis://{who}{host}:{place[1]}/0", self._size, lambda: self._is_gone(place))
            found = self._pools.setdefault(place, pool)
        return found

    def _is_gone(self, place: Place) -> bool:
        # A master that does not answer may have a successor.
        with suppress(RedisError):
            self._look_once(time.monotonic() + ASK_SECONDS)
        return place not in self._masters

    def _forget(self) -> None:
        self._looked_at = float("-inf")

    def _look(self, until: float) -> None:
        # As a single Redis, all of them may be about to come back.
        while True:
            try:
                return self._look_once(until)
            except AuthenticationError:
                raise
            except RedisConnectionError:
                if time.monotonic() + PAUSE_SECONDS[1] > until:
                    raise
            time.sleep(random.uniform(*PAUSE_SECONDS))

    def _look_once(self, until: float) -> None:
        if not self._looking.acquire(timeout=max(0.0, until - time.monotonic())):
            raise RedisConnectionError("no server of the cluster says in time who has which keys")
        try:
            if time.monotonic() - self._looked_at >= LOOK_SECONDS:
                self._owners = self._asked(until)
                self._masters = sorted({place for place in self._owners if place})
                # Servers may come back at other addresses, again and again. A call that is under way keeps
                # its connection.
                for place in self._pools.keys() - set(self._masters):
                    del self._pools[place]
                self._looked_at = time.monotonic()
        finally:
            self._looking.release()

    def _asked(self, until: float) -> list[Place | None]:
        problem = "there was no time to ask"
        for place in [*random.sample(self._masters, len(self._masters)), *self._given]:
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                answer = ask_place(
                    place, ("CLUSTER", "SLOTS"), min(left, ASK_SECONDS), self._user, self._password
                )
                if owners := owners_of(answer, place):
                    return owners
                problem = "no slot is assigned"
            except AuthenticationError:
                raise
            except RedisError as error:
                problem = str(error)
        raise RedisConnectionError(f"no server of the cluster says who has which keys: {problem}")


def owners_of(answer: Any, asked: Place) -> list[Place | None]:
    """Of each slot its master, None where it has none, from an answer to CLUSTER SLOTS; empty without any."""
    owners: list[Place | None] = [None] * REDIS_CLUSTER_HASH_SLOTS if answer else []
    for first, last, (host, port, *_), *_ in answer:
        # A server that does not know its own name or address leaves it out.
        place = _place((host or b"").decode() or asked[0], port)
        owners[first : last + 1] = [place] * (last + 1 - first)
    return owners


def _place(host: str, port: str | int) -> Place:
    return host, int(port)


def _slot(command: Command) -> int | None:
    # Of the commands that the kit sends. None: any server may answer.
    name = command[0]
    if name in ("FCALL", "FCALL_RO"):
        key = command[3] if int(command[2]) else None
    else:
        key = command[1] if len(command) > 1 and name not in ("INFO", "FUNCTION") else None
    if key is None:
        return None
    return key_slot(key if isinstance(key, bytes) else str(key).encode())
