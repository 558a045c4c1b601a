"""Redis, as the kit uses it: calls of the functions in functions.lua, bounded in time."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

from redis.exceptions import (
    AuthenticationError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from corkboard import cluster, settings
from corkboard.cluster import Cluster
from corkboard.exchange import Command
from corkboard.pool import Pool, Refused

log = logging.getLogger(__name__)

FUNCTIONS = Path(__file__).with_name("functions.lua")
ANSWER_SECONDS = 2.0
# Seconds of a call's time that WAIT leaves for everything else.
MARGIN_SECONDS = 0.4
# WAIT covers what its own connection wrote. A repeated call writes nothing, and the first call may have used
# another connection. So this is written before WAIT: a replica that has it has the first call's write, too.
MARK = ("PUBLISH", "event:{}", "")
# In a cluster nothing that is published reaches a replica in this way. There it is a field of the topic: of a
# slot that is being moved, only keys that are still there may be written. Elsewhere it is a key that expires.
MARK_FIELD, MARK_SECONDS = "waited", "1"

WRONG_ADDRESS = f"CORKBOARD_URL names one server of a Redis Cluster: expected {cluster.FORM}"

Observe = Callable[[str], AbstractContextManager[None]]


class StoreUnavailable(Exception):
    """Redis is away, is still loading, or refuses writes: its disk is full, or it is (StoreFull)."""


class StoreFull(StoreUnavailable):
    """Redis has no memory for more: nothing was written. Deleting and revoking still work."""


class Unconfirmed(StoreUnavailable):
    """It was written, but too few replicas confirmed it in time: a failover may lose it."""


class LibraryBroken(Exception):
    """Redis refuses the functions: they do not compile, or this user may not load them."""


class Store:
    """One Redis and the functions in it. For any number of threads; survives a fork."""

    def __init__(
        self,
        url: str,
        *,
        functions: Sequence[Path] = (),
        connections: int = 16,
        wait_replicas: int = 0,
        observe: Observe | None = None,
    ) -> None:
        """Connects at the first call.

        Args:
            url: redis://USER:PASSWORD@HOST:PORT/0, or that of Sentinels, or of a cluster: `sentinels.FORM`,
                `cluster.FORM`
            functions: Lua files that become part of the library, after the kit's own.
            connections: kept at most, in a cluster to each master; further calls wait for one. So many calls
                wait for a Redis that is away; more are refused soon.
            wait_replicas: a call that writes returns when this many replicas have the write.
            observe: called with the name of each call; the call runs inside what it returns. For metrics.

        Raises:
            OSError: a file cannot be read.
        """
        source = "\n".join(file.read_text(encoding="utf-8") for file in (FUNCTIONS, *functions))
        self.version = hashlib.sha256(source.encode()).hexdigest()[:12]
        self._source = source.replace("@VERSION@", self.version)
        self._url, self._connections, self._wait_replicas = url, connections, wait_replicas
        self._observe: Observe = observe or (lambda _name: nullcontext())
        self.is_cluster = cluster.is_cluster(url)
        self._process, self._pool = os.getpid(), self._new_pool()

    @property
    def in_use(self) -> int:
        """How many connections carry a call right now."""
        return self._pool.in_use if self._process == os.getpid() else 0

    def call(
        self,
        function: str,
        keys: Sequence[str],
        *arguments: str | bytes,
        read: bool = False,
        repeat: bool = False,
        seconds: float = ANSWER_SECONDS,
    ) -> Any:
        """Runs a function of the library and returns its answer.

        While Redis is away, the call waits for it. `read`: the function writes nothing. `repeat`: with the
        same arguments it writes no second time, and gives the same answer. Both are called again when the
        connection is lost before the answer comes.

        Raises:
            StoreFull: Redis has no memory for it; nothing was written.
            Unconfirmed: it was written, but too few replicas confirmed it; it is a StoreUnavailable, too.
            StoreUnavailable: no answer within `seconds`; whether the write happened is unknown.
            LibraryBroken: the library cannot be loaded.
            ResponseError: the function raised it.
        """
        command = self.command(function, keys, *arguments, read=read)
        until = time.monotonic() + seconds
        repeat = repeat or read
        with _Observed(self._observe(function), self.is_cluster):
            commands = [command] if read else [command, *self._confirmation(seconds, keys)]
            answer, *waited = self._servers().ask(commands, until, repeat=repeat)
            if isinstance(answer, ResponseError) and "function not found" in str(answer).lower():
                # An emptied, restored or upgraded server: nothing ran yet, so it is safe to call again.
                self._load(until)
                answer, *waited = self._servers().ask(commands, until, repeat=repeat)
            if isinstance(answer, ResponseError):
                raise answer
            if waited:
                # In a cluster the mark is refused when the slot went elsewhere right after the call.
                refused = next((each for each in waited if isinstance(each, ResponseError)), None)
                self._check_confirmed(refused or waited[-1])
        return answer

    def _confirmation(self, seconds: float, keys: Sequence[str]) -> list[Command]:
        if not self._wait_replicas:
            return []
        mark: Command = MARK
        if self.is_cluster and keys:
            mark = ("HSET", keys[0], MARK_FIELD, "")
            if not keys[0].startswith("topic:"):
                mark = ("SET", f"fence:{{{_tag(keys[0])}}}", "", "EX", MARK_SECONDS)
        milliseconds = max(1, int(1000 * (seconds - MARGIN_SECONDS)))
        return [mark, ("WAIT", str(self._wait_replicas), str(milliseconds))]

    def _check_confirmed(self, answer: Any) -> None:
        if isinstance(answer, ResponseError):
            raise Unconfirmed(f"it is unknown whether a failover would lose it: {answer}")
        if answer < self._wait_replicas:
            raise Unconfirmed(
                "it is unknown whether a failover would lose it: "
                f"{answer} of {self._wait_replicas} replicas have it"
            )

    def command(
        self, function: str, keys: Sequence[str], *arguments: str | bytes, read: bool = False
    ) -> Command:
        """The words of a call, for a client of one's own."""
        run = "FCALL_RO" if read else "FCALL"
        return (run, f"{function}_{self.version}", str(len(keys)), *keys, *arguments)

    def ask(self, *commands: Command, seconds: float = ANSWER_SECONDS) -> list[Any]:
        """Sends commands that only read in one round trip, and returns their answers.

        Raises:
            StoreUnavailable: no answer within `seconds`.
            ResponseError: of the first command that Redis refuses; the others were carried out.
        """
        with _Observed(self._observe(str(commands[0][0]).lower()), self.is_cluster):
            answers = self._servers().ask_each(commands, time.monotonic() + seconds)
            for answer in answers:
                if isinstance(answer, ResponseError):
                    raise answer
        return answers

    def load(self) -> None:
        """Gives the functions to Redis. The name holds the version, so that older apps keep theirs.

        In a cluster every master gets them. One that is away gets them with the first call that misses them.

        Raises:
            NotConfigured: this Redis is one of a cluster, and the address does not say so.
            StoreUnavailable: Redis does not answer.
            LibraryBroken: Redis refuses the source.
        """
        with _Observed(self._observe("function_load"), self.is_cluster):
            until = time.monotonic() + ANSWER_SECONDS
            (about,) = self._servers().ask([("INFO", "cluster")], until, repeat=True)
            if not self.is_cluster and isinstance(about, bytes) and b"cluster_enabled:1" in about:
                raise settings.NotConfigured(WRONG_ADDRESS)
            self._load(until)

    def _load(self, until: float) -> None:
        (answer,) = self._servers().ask_all([("FUNCTION", "LOAD", "REPLACE", self._source)], until)
        if isinstance(answer, ResponseError):
            if _means_unavailable(answer):
                raise answer
            raise LibraryBroken(f"Redis refuses the functions: {answer}") from answer
        log.info("functions loaded", extra={"version": self.version})

    def _servers(self) -> Pool | Cluster:
        if self._process != os.getpid():
            # After a fork the connections are the parent's, and what its threads had locked stays locked.
            self._pool = self._new_pool()
            self._process = os.getpid()
        return self._pool

    def _new_pool(self) -> Pool | Cluster:
        kind = Cluster if self.is_cluster else Pool
        return kind(self._url, self._connections)


class _Observed:
    """Around a call: measures it, and raises StoreUnavailable where it failed because Redis is away."""

    __slots__ = ("_inner", "_is_cluster")

    def __init__(self, inner: AbstractContextManager[None], is_cluster: bool) -> None:
        self._inner, self._is_cluster = inner, is_cluster

    def __enter__(self) -> None:
        self._inner.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inner.__exit__(kind, error, trace)
        if error is None:
            return
        if isinstance(error, Refused):
            raise StoreUnavailable(str(error)) from None
        if isinstance(error, AuthenticationError):
            raise StoreUnavailable(f"Redis refuses the user or the password: {error}") from error
        if isinstance(error, (RedisConnectionError, RedisTimeoutError)):
            raise StoreUnavailable(f"Redis does not answer: {error}") from error
        if isinstance(error, OutOfMemoryError):
            raise StoreFull(f"Redis is full: {error}") from error
        if isinstance(error, cluster.ONE_OF_MANY) and not self._is_cluster:
            raise settings.NotConfigured(WRONG_ADDRESS) from error
        if isinstance(error, RedisError) and _means_unavailable(error):
            raise StoreUnavailable(f"Redis refuses: {error}") from error


def _means_unavailable(error: RedisError) -> bool:
    # redis-py has no class for a disk that refuses writes, a script that hogs Redis, or missing replicas.
    # Of a cluster: a slot that is being moved, or that no server has.
    kinds = (OutOfMemoryError, ReadOnlyError, MasterDownError, *cluster.ELSEWHERE)
    return isinstance(error, kinds) or str(error).startswith(("MISCONF", "BUSY", "NOREPLICAS"))


def _tag(key: str) -> str:
    # What decides the slot: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
    found = re.search(r"\{([^}]+)\}", key)
    return found[1] if found else key


# With what it was made for, None for a store of the app's own.
_default: tuple[tuple[str, int] | None, Store] | None = None


def use(store: Store | None) -> None:
    """Makes `publish` and all others use a store with functions or metrics of your own; None undoes it."""
    global _default
    _default = (None, store) if store else None


def default() -> Store:
    """The store that `use` was given, else one at CORKBOARD_URL.

    Raises:
        NotConfigured: it is not set.
    """
    global _default
    found = _default
    if found and found[0] is None:
        return found[1]
    loaded = settings.load()
    place = loaded.url, loaded.wait_replicas
    if found is None or found[0] != place:
        found = _default = (place, Store(loaded.url, wait_replicas=loaded.wait_replicas))
    return found[1]
