"""Where the kit finds Redis, and the key that signs tickets.

Nothing is read at import. Every call of `load` is cheap. It notices a changed environment at once, and a
changed file within a tenth of a second.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from corkboard import cluster, sentinels

OFF = "off"
KEY_CHARACTERS = 32
LOOK_SECONDS = 0.1


class Number(NamedTuple):
    """A setting that is a whole number."""

    default: int
    least: int
    most: int
    description: str


WORDS = {
    "CORKBOARD_URL": "Redis, as in redis://USER:PASSWORD@HOST:PORT/0; where Sentinels know the master, as in "
    "redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME; for a Redis Cluster, as in "
    "redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT; or off, to send nothing.",
    "CORKBOARD_SECRET_KEY": "The key that signs tickets, the same as the sidecar's SECRET_KEY.",
    "CORKBOARD_SECRET_KEY_FILE": "A file that holds the key.",
    "CORKBOARD_ENV_FILE": "Where app.env is, for an app that runs in another folder.",
}
NUMBERS = {
    "CORKBOARD_HISTORY_LENGTH": Number(
        10_000,
        1,
        1_000_000,
        "Events kept per topic: how long a client may be away and still get all it missed. Each costs about "
        "as much memory as its JSON.",
    ),
    "CORKBOARD_TICKET_SECONDS": Number(
        3600,
        10,
        30 * 24 * 3600,
        "Seconds that a ticket is valid. A socket ends with its ticket and comes back with a new one.",
    ),
    "CORKBOARD_REFRESH_RATE": Number(
        50,
        1,
        10_000,
        "How many page fetches per second the viewers of a topic together make after an event.",
    ),
    "CORKBOARD_WAIT_REPLICAS": Number(
        0,
        0,
        5,
        "Replicas of Redis that must have a write before it is acknowledged, so that a failover does not "
        "lose it; 0 waits for none.",
    ),
}
NAMES = (*WORDS, *NUMBERS)
NEXT_STEP = (
    "start Corkboard with `make up` in its folder, which writes .corkboard/app.env, and name that file in "
    "CORKBOARD_ENV_FILE when this app runs in another folder; or set CORKBOARD_URL=off to send nothing"
)


class NotConfigured(Exception):
    """A setting is missing or invalid. The message names it and the next step."""


@dataclass(frozen=True)
class Settings:
    """What the kit was told.

    Attributes:
        url: of Redis, with user and password; or `off`.
        keys: sign tickets, the first one only. The others are for whoever verifies.
        history_length: events kept per topic.
        ticket_seconds: how long a ticket is good for.
        source: where the address comes from, in words.
        refresh_rate: how many times per second all viewers of a page together fetch it again.
        wait_replicas: how many replicas of Redis must have a write before it is acknowledged.
    """

    url: str
    keys: tuple[str, ...] = ()
    history_length: int = NUMBERS["CORKBOARD_HISTORY_LENGTH"].default
    ticket_seconds: int = NUMBERS["CORKBOARD_TICKET_SECONDS"].default
    refresh_rate: int = NUMBERS["CORKBOARD_REFRESH_RATE"].default
    wait_replicas: int = NUMBERS["CORKBOARD_WAIT_REPLICAS"].default
    source: str = "the code"

    @property
    def off(self) -> bool:
        """Nothing is sent."""
        return self.url == OFF

    @property
    def signing_key(self) -> str:
        """The key that signs.

        Raises:
            NotConfigured: there is none.
        """
        if not self.keys:
            raise NotConfigured(f"CORKBOARD_SECRET_KEY is not set: {NEXT_STEP}")
        return self.keys[0]


@dataclass
class _Loaded:
    settings: Settings
    files: Mapping[Path, object]  # with what tells that one has changed
    chosen: list[Any] = field(default_factory=list)  # of the environment
    looked_at: float = 0.0  # by time.monotonic


_RAW_NAMES = [os.environ.encodekey(name) for name in NAMES]
_loaded: _Loaded | None = None


def load() -> Settings:
    """The settings, from the environment; what is not there, from the file `app.env`.

    The file is the one that CORKBOARD_ENV_FILE names, else the first of `.corkboard/app.env` and
    `corkboard/.corkboard/app.env` in the current folder and its parents, else `/run/secrets/app.env`.
    An empty variable counts as absent.

    Raises:
        NotConfigured: CORKBOARD_URL is missing, or a value is invalid.
    """
    global _loaded
    chosen, now, found = _chosen(), time.monotonic(), _loaded
    if found is not None and found.chosen == chosen:
        if now - found.looked_at < LOOK_SECONDS:
            return found.settings
        if all(_stamp(file) == stamp for file, stamp in found.files.items()):
            found.looked_at = now
            return found.settings
    found = _loaded = _read(tuple(os.environ.get(name, "") for name in NAMES))
    found.chosen, found.looked_at = chosen, now
    return found.settings


def _chosen() -> list[Any]:
    # Every event asks, and os.environ takes microseconds for a name that is not set. Below it is a plain
    # dict, with names in the form in which the system has them.
    raw: dict[Any, Any] | None = getattr(os.environ, "_data", None)
    if raw is None:
        return [os.environ.get(name) for name in NAMES]
    return [raw.get(name) for name in _RAW_NAMES]


def _read(environment: tuple[str, ...]) -> _Loaded:
    given = {name: value for name, value in zip(NAMES, environment) if value}
    files = {}
    file = env_file(given)
    if file:
        files[file] = _stamp(file)
        # A key from the environment, in whatever form, replaces the file's.
        own_key = any(name.startswith("CORKBOARD_SECRET_KEY") for name in given)
        read = {name: value for name, value in _lines(file) if not (own_key and "SECRET_KEY" in name)}
        given = {**read, **given}
    url = given.get("CORKBOARD_URL")
    if not url:
        raise NotConfigured(f"CORKBOARD_URL is not set, and there is no app.env: {NEXT_STEP}")
    if url != OFF and not _is_redis(url):
        raise NotConfigured(
            f"CORKBOARD_URL is invalid: expected redis://USER:PASSWORD@HOST:PORT/0, {sentinels.FORM}, "
            f"{cluster.FORM}, or off"
        )
    key_file = given.get("CORKBOARD_SECRET_KEY_FILE")
    keys = given.get("CORKBOARD_SECRET_KEY", "").split()
    if not keys and key_file:
        files[Path(key_file)] = _stamp(Path(key_file))
        keys = _text("CORKBOARD_SECRET_KEY_FILE", Path(key_file)).split()
    if keys and min(map(len, keys)) < KEY_CHARACTERS:
        raise NotConfigured(
            f"CORKBOARD_SECRET_KEY is invalid: expected a key of at least {KEY_CHARACTERS} characters"
        )
    settings = Settings(
        url,
        tuple(keys),
        _number(given, "CORKBOARD_HISTORY_LENGTH"),
        _number(given, "CORKBOARD_TICKET_SECONDS"),
        _number(given, "CORKBOARD_REFRESH_RATE"),
        _number(given, "CORKBOARD_WAIT_REPLICAS"),
        "the environment" if environment[0] else str(file),
    )
    return _Loaded(settings, files)


def env_file(given: Mapping[str, str]) -> Path | None:
    """The file `app.env` that counts here, None when there is none.

    Raises:
        NotConfigured: it was found in a folder, and somebody else has written it.
    """
    named = given.get("CORKBOARD_ENV_FILE")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        for file in (folder / ".corkboard" / "app.env", folder / "corkboard" / ".corkboard" / "app.env"):
            if file.is_file():
                return _own(file)
    container = Path("/run/secrets/app.env")
    return container if container.is_file() else None


def _own(file: Path) -> Path:
    # A shared folder such as /tmp must not tell this app where to send its events.
    if hasattr(os, "getuid") and file.stat().st_uid not in (os.getuid(), 0):
        raise NotConfigured(f"{file} belongs to another user: name it in CORKBOARD_ENV_FILE to use it")
    return file


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    for line in _text("CORKBOARD_ENV_FILE", file).splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            raise NotConfigured(f"CORKBOARD_ENV_FILE: {file} has a line with an open quote") from None
        for word in words:
            name, equals, value = word.partition("=")
            if equals and name in NAMES and value:
                yield name, value


def _text(name: str, file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise NotConfigured(f"{name}: cannot read {file}: {error.strerror}") from None


def _stamp(file: Path) -> object:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _is_redis(url: str) -> bool:
    try:
        if url.startswith(f"{sentinels.SCHEME}:"):
            sentinels.Sentinels(url)
            return True
        if cluster.is_cluster(url):
            cluster.Cluster(url, 1)
            return True
        parts = urlsplit(url)
        return parts.scheme in ("redis", "rediss", "unix") and parts.port != 0
    except ValueError:
        return False


def _number(given: Mapping[str, str], name: str) -> int:
    default, least, most, _ = NUMBERS[name]
    value = given.get(name, str(default))
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise NotConfigured(
            f"{name} is invalid: expected a whole number from {least} to {most}, not {value!r}"
        )
    return int(value)
