"""Faults that nobody does to a stack in use: they have one of their own, on a disk of its own."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path

from redis.exceptions import RedisError

from local import commands, settings
from local.binaries import redis as redis_binary
from local.errors import LocalError
from local.settings import ROOT
from local.state import INNER_PORTS, State, is_free
from prove.faults import Fault
from prove.local_parts import LocalParts
from prove.parts import Broken, NotHere
from prove.report import Row, Table
from prove.run import run
from prove.traffic import Load, Traffic
from redis import Redis

DISK_MEGABYTES = 96
FULL_SECONDS = 6.0
CLOCK_SECONDS = 6.0
HOUR = 3600
LOAD = Load(sockets=60)
NAMES = ("disk-full", "power-cut", "clock-ahead", "clock-behind")
UNLIMITED = {"RATE_LIMIT": "0"}


class OwnStack:
    """A second stack of local processes, on a file system in a file where only root could make one.

    Attributes:
        parts: its parts.
        disk: the file that holds the file system of Redis' data; None when it is a folder like others.
        data: the folder of Redis' data.
        clock: the file that says how wrong the clocks are; None where they cannot be wrong.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.data = state.redis
        self.disk: Path | None = None
        self.clock: Path | None = None

    def __enter__(self) -> OwnStack:
        self._exit = ExitStack()
        try:
            self._begin()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _begin(self) -> None:
        state, found = self._state, settings.load(Path(os.devnull))
        shutil.rmtree(state.root, ignore_errors=True)
        self._exit.callback(shutil.rmtree, state.root, ignore_errors=True)
        state.make()
        if _can_mount():
            self.disk = state.root / "disk"
            with self.disk.open("wb") as file:
                file.truncate(DISK_MEGABYTES << 20)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(self.disk)], check=True)
            # What was not synced stays in memory: the journal is not written by itself.
            self._exit.enter_context(mounted(self.disk, state.redis, "loop,commit=300"))
        environment = found.environment | UNLIMITED
        if compiler := shutil.which("cc"):
            library, self.clock = state.root / "clock.so", state.root / "clock"
            source = str(Path(__file__).with_name("clock.c"))
            subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), source], check=True)
            _set(self, 0)
            environment |= {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(self.clock)}
        port = next(port for port in INNER_PORTS if is_free("0.0.0.0", port))
        self.parts = LocalParts(state, f"http://127.0.0.1:{port}")
        self._exit.callback(_quietly, commands.down, state)
        update = {"app": "", "http_port": port, "rate_limit": 0, "environment": environment}
        _quietly(commands.up, found.model_copy(update=update), state)


def run_own(names: list[str], rounds: int, table: Table) -> None:
    """Does these faults, so many times each, on a stack that is gone afterwards."""
    state = State(ROOT / ".corkboard" / "prove")
    try:
        with ExitStack() as running:
            with table.progress(names[0], "starting a stack of its own"):
                stack = running.enter_context(OwnStack(state))
                traffic = running.enter_context(Traffic(stack.parts.base_url, LOAD))
            faults = {
                "disk-full": Fault("disk-full", lambda *_: _fill(stack), lambda _: _empty(stack)),
                "power-cut": Fault("power-cut", lambda _, traffic: _cut_power(stack, traffic)),
                "clock-ahead": Fault("clock-ahead", lambda *_: _shift(stack, HOUR), lambda _: _set(stack, 0)),
                "clock-behind": Fault(
                    "clock-behind", lambda *_: _shift(stack, -HOUR), lambda _: _set(stack, 0)
                ),
            }
            for name in names:
                run(faults[name], rounds, traffic, stack.parts, table)
    except LocalError as error:
        for name in names:
            table.add(Row(name, problems=[f"no stack of its own: {str(error).splitlines()[0]}"]))


def _fill(stack: OwnStack) -> None:
    if not stack.disk:
        raise NotHere("only root can give Redis a small disk of its own")
    with suppress(OSError), (stack.data / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    time.sleep(FULL_SECONDS)


def _empty(stack: OwnStack) -> None:
    (stack.data / "filler").unlink(missing_ok=True)


def _set(stack: OwnStack, seconds: int) -> None:
    if stack.clock:
        # Not write_text: a file of length 0 would be seen for a moment.
        with os.fdopen(os.open(stack.clock, os.O_RDWR | os.O_CREAT, 0o644), "r+") as file:
            file.write(f"{seconds:<16}")


def _shift(stack: OwnStack, seconds: int) -> None:
    if not stack.clock:
        raise NotHere("there is no C compiler (`cc`) to make a wrong clock with")
    _set(stack, seconds)
    time.sleep(CLOCK_SECONDS)


def _cut_power(stack: OwnStack, traffic: Traffic) -> None:
    """Keeps what the disk has at this moment, and looks there for all that was acknowledged by now."""
    if not stack.disk:
        raise NotHere("only root can tell what was synced: it needs a file system of its own")
    time.sleep(random.uniform(0.5, 2.0))
    copy, folder = stack.disk.with_name("copy"), stack.disk.with_name("after")
    stack.parts.freeze("redis")
    try:
        acknowledged = traffic.writes()
        shutil.copyfile(stack.disk, copy)
    finally:
        stack.parts.thaw("redis")
    with mounted(copy, folder, "loop"):
        lost = not_kept(folder, f"notes:{{{traffic.topic}}}", set(acknowledged.values()))
    copy.unlink()
    if lost:
        raise Broken(f"{lost} of {len(acknowledged)} acknowledged writes are not on the disk")


def not_kept(folder: Path, key: str, fields: set[str]) -> int:
    """How many fields of a hash a Redis that starts from this folder does not have."""
    port = next(port for port in INNER_PORTS if is_free("127.0.0.1", port))
    users = folder / "users.acl"
    users.write_text("user default on nopass allkeys allchannels +@all\n")
    command = [
        redis_binary(), str(ROOT / "redis" / "redis.conf"), "--port", str(port), "--bind", "127.0.0.1",
        "--dir", str(folder), "--aclfile", str(users),
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            with Redis(port=port, socket_timeout=10) as client:
                deadline = time.monotonic() + 30
                while not _pings(client):
                    if server.poll() is not None or time.monotonic() > deadline:
                        raise Broken(f"Redis does not start from it: {(folder / 'log').read_text()[-300:]}")
                    time.sleep(0.05)
                return len(fields - {field.decode() for field in client.hkeys(key)})
        finally:
            server.kill()


def _pings(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def _can_mount() -> bool:
    return os.getuid() == 0 and all(shutil.which(each) for each in ("mkfs.ext4", "mount"))


def _quietly(do: Callable[..., None], *arguments: object) -> None:
    with redirect_stdout(io.StringIO()):
        do(*arguments)


@contextmanager
def mounted(image: Path, folder: Path, options: str) -> Iterator[None]:
    """Mounts the file system in a file, as root."""
    folder.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["mount", "-o", options, str(image), str(folder)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True, capture_output=True)
