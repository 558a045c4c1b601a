"""The app's one way to Redis: calls of the functions in corkboard/functions.lua, bounded in time."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from redis import BlockingConnectionPool, Redis
from wsgi_app.metrics import timed
from wsgi_app.settings import Settings

log = logging.getLogger(__name__)

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 2.0
# After a failure, others do not queue up for the same one: they are refused at once for this long.
BREAK_SECONDS = 0.5


class StoreUnavailable(Exception):
    """Redis is away, is still loading, or refuses writes (full, or its disk is)."""


class LibraryBroken(Exception):
    """corkboard/functions.lua does not compile, or this user may not load it."""


class Store:
    """A pool of connections for one process. Safe to share between threads, not across a fork."""

    def __init__(self, settings: Settings) -> None:
        source = settings.functions_file.read_text()
        self._version = hashlib.sha256(source.encode()).hexdigest()[:12]
        self._source = source.replace("@VERSION@", self._version)
        self._broken_until = 0.0
        pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
            str(settings.redis_url),
            username="wsgi" if settings.redis_secret() else None,
            password=settings.redis_secret(),
            max_connections=settings.wsgi_threads,
            timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            # A call that got no answer may have been carried out all the same. Whoever holds the
            # idempotency key repeats it, never the client library.
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            client_name="corkboard-wsgi",
        )
        self.redis = Redis(connection_pool=pool)

    def call(
        self, function: str, topic: str, arguments: dict[str, Any], *data: str, read: bool = False
    ) -> Any:
        """Runs one function of the library on the keys of `topic` and returns its answer.

        Takes at most `ANSWER_SECONDS` after the connection is there.

        Raises:
            StoreUnavailable: whether the write happened is unknown.
            LibraryBroken: corkboard/functions.lua cannot be loaded.
        """
        run = self.redis.fcall_ro if read else self.redis.fcall
        payload = json.dumps({"topic": topic, **arguments}, ensure_ascii=False)
        name, key = f"{function}_{self._version}", f"topic:{{{topic}}}"
        with self._translated(function):
            try:
                return run(name, 1, key, payload, *data)
            except ResponseError as error:
                if "function not found" not in str(error).lower():
                    raise
            # An emptied, restored or upgraded server: nothing ran yet, so it is safe to call again.
            self.load_library()
            return run(name, 1, key, payload, *data)

    def load_library(self) -> None:
        """Gives the functions to Redis. The name holds the version, so that older apps keep theirs.

        Raises:
            StoreUnavailable: Redis does not answer.
            LibraryBroken: Redis refuses the source.
        """
        with self._translated("function_load"):
            try:
                self.redis.function_load(self._source, replace=True)
            except ResponseError as error:
                if _means_unavailable(error):
                    raise
                raise LibraryBroken(f"Redis refuses corkboard/functions.lua: {error}") from error
        log.info("functions loaded", extra={"version": self._version})

    def hash_get(self, key: str, field: str) -> bytes | None:
        """One field of a hash, or None. Raises StoreUnavailable."""
        with self._translated("hget"):
            found: bytes | None = self.redis.hget(key, field)  # type: ignore[assignment]
        return found

    def hash_get_many(self, key: str, *fields: str) -> list[bytes | None]:
        """Some fields of a hash. Raises StoreUnavailable."""
        with self._translated("hmget"):
            found: list[bytes | None] = self.redis.hmget(key, fields)  # type: ignore[assignment]
        return found

    def ping(self) -> None:
        """Raises StoreUnavailable when Redis does not answer."""
        with self._translated("ping"):
            self.redis.ping()

    @contextmanager
    def _translated(self, call: str) -> Iterator[None]:
        if time.monotonic() < self._broken_until:
            raise StoreUnavailable("Redis did not answer a moment ago")
        try:
            with timed(call):
                yield
        except (RedisConnectionError, RedisTimeoutError) as error:
            self._broken_until = time.monotonic() + BREAK_SECONDS
            raise StoreUnavailable(f"Redis does not answer: {error}") from error
        except RedisError as error:
            if _means_unavailable(error):
                raise StoreUnavailable(f"Redis refuses: {error}") from error
            raise


def _means_unavailable(error: RedisError) -> bool:
    # redis-py has no class for a disk that refuses writes, a script that hogs Redis, or missing replicas.
    return isinstance(error, OutOfMemoryError | ReadOnlyError | MasterDownError) or str(error).startswith(
        ("MISCONF", "BUSY", "NOREPLICAS")
    )


def check_library(settings: Settings) -> None:
    """Loads the library once before the first request; without Redis it says so and goes on.

    Raises:
        SystemExit: with one line, when the library is broken.
    """
    try:
        store = Store(settings)
    except OSError as error:
        raise SystemExit(f"FUNCTIONS_FILE: cannot read {error.filename}: {error.strerror}") from None
    try:
        store.load_library()
    except LibraryBroken as error:
        raise SystemExit(str(error)) from None
    except StoreUnavailable as error:
        log.warning("%s (%s); answering 503 until it does", error, settings.redis_url)
    finally:
        store.redis.close()
