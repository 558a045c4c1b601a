"""`make backup` and `make restore` without Docker; ops/backup.sh and ops/restore.sh do the same in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import redis
from local import binaries, health, redis_cli
from local.errors import LocalError
from local.services import Service
from local.settings import ROOT
from local.state import State
from local.supervisor import Supervisor

OPS = ROOT / "ops"
PAUSE = 0.1
# Writes wait for a restore, which says again and again that it lives: when it is killed they soon go on.
PAUSE_WRITES_MS = 60_000
RENEW_SECONDS = 5.0


def backup(state: State, folder: Path) -> None:
    """Writes a snapshot that Redis takes of itself, and its digest beside it; everything else goes on.

    Raises:
        LocalError: there is none; the message says why.
    """
    if not Supervisor(state).is_running():
        raise LocalError("Corkboard is not running; `make up` starts it")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(f"no backup was made: {folder} is no folder to write to: {error.strerror}") from None
    begun = _now()
    file = folder / f"corkboard-{begun}.rdb"
    part = file.with_suffix(".part")
    try:
        with _operator(state) as client:
            _snapshot(client, state.redis, part)
        digest = _sha256(part)
        beside = file.with_suffix(".rdb.sha256")
        beside.touch(mode=0o600)
        beside.write_text(f"{digest}  {file.name}\n")
        part.replace(file)
    except (redis.RedisError, OSError) as error:
        raise LocalError(f"no backup was made: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    print(f"{file}: as of {begun}, {file.stat().st_size} bytes, sha256 {digest}", flush=True)


def restore(state: State, file: Path, folder: Path) -> None:
    """Replaces what Redis holds; that becomes a backup of its own in `folder`. Only Redis stops meanwhile.

    Raises:
        LocalError: the file is missing, damaged or cannot be read, or nobody has confirmed.
    """
    _check(file)
    _confirm(file)
    state.make()
    print("Reading the backup ...", flush=True)
    supervisor = Supervisor(state)
    running = supervisor.is_running()
    try:
        with file.open("rb") as content:
            _data(state, "stage", stdin=content.read())
        if running:
            _keep(state, folder, supervisor)
        else:
            kept = state.redis / f"replaced-{_now()}"
            print(
                f"Redis does not run. Its files stay in {kept}. Tickets that were revoked after the backup "
                "become valid again; to prevent that, change the key (docs/how-to/secrets.md).",
                flush=True,
            )
        if not running:
            print("Replacing it ...", flush=True)
            _data(state, "commit", str(kept))
            print("Restored. Corkboard does not run; `make up` starts it.")
            return
        try:
            _data(state, "commit")
        finally:
            supervisor.restart("redis")
    finally:
        _data(state, "drop")
    port = state.ports(["redis"], running=True)["redis"]
    service = Service("redis", [], {}, [f"redis://127.0.0.1:{port}"])
    health.wait([service], supervisor, state, {}, lives=2)
    print("Restored. Every client fetches its state again.")


def _check(file: Path) -> None:
    beside = file.with_name(f"{file.name}.sha256")
    if not file.is_file():
        raise LocalError(f"there is no file {file}")
    if not beside.is_file():
        raise LocalError(f"there is no {beside}, which `make backup` wrote beside it: copy it here, too")
    if beside.read_text().split(" ")[0] != _sha256(file):
        raise LocalError(
            f"{file} is damaged: its digest is another one than {beside} says. Nothing was changed; "
            "take another backup."
        )


def _confirm(file: Path) -> None:
    if os.environ.get("FORCE") == "yes":
        return
    if not sys.stdin.isatty():
        raise LocalError("restoring replaces what Redis holds, and nobody can be asked here: say FORCE=yes")
    question = "Everything written since then goes into a backup of its own. Replace the data by"
    if input(f"{question} {file}? [yes/no] ") != "yes":
        raise LocalError("Nothing was changed.")


def _keep(state: State, folder: Path, supervisor: Supervisor) -> None:
    """Copies what there is while nobody writes, and stops Redis."""
    # What is kept is all that was acknowledged, and nothing is revoked meanwhile.
    try:
        with _operator(state) as client, _writes_paused(client):
            print("Keeping what there is ...", flush=True)
            backup(state, folder)
            revoked = client.execute_command("EVAL_RO", (OPS / "revoked.lua").read_text(), 0)
            _data(state, "amend", stdin=revoked + b"\n")
            print("Replacing it ...", flush=True)
            supervisor.stop_one("redis")
    except redis.RedisError as error:
        raise LocalError(
            f"Nothing was changed, because Redis does not answer: {error}. When its data cannot be read, "
            "stop it with `make down`, and restore then."
        ) from None


@contextmanager
def _writes_paused(client: redis.Redis) -> Iterator[None]:
    over = threading.Event()

    def pause() -> None:
        client.client_pause(PAUSE_WRITES_MS, all=False)

    def renew() -> None:
        with suppress(redis.RedisError):
            while not over.wait(RENEW_SECONDS):
                pause()

    pause()
    renewing = threading.Thread(target=renew, daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        with suppress(redis.RedisError):  # it has stopped
            client.client_unpause()


def _snapshot(client: redis.Redis, data: Path, target: Path) -> None:
    needed = client.info("memory")["used_memory"]
    # A full disk would end Redis, which must write its log.
    for folder in (data, target.parent):
        if shutil.disk_usage(folder).free < needed:
            raise LocalError(f"no backup was made: {folder} has less than {needed} bytes free")
    _wait("Redis makes another copy of itself", lambda: _begins(client))
    _wait("Redis writes it", lambda: not client.info("persistence")["rdb_bgsave_in_progress"])
    if client.info("persistence")["rdb_last_bgsave_status"] != "ok":
        raise LocalError("no backup was made: Redis could not write it; `make logs` shows why")
    try:
        shutil.move(data / "dump.rdb", target)
    except FileNotFoundError:
        raise LocalError("no backup was made: another one took it away; try again") from None
    with target.open("rb+") as file:
        os.fchmod(file.fileno(), 0o600)
        os.fsync(file.fileno())


def _begins(client: redis.Redis) -> bool:
    try:
        client.bgsave(schedule=False)
    except redis.ResponseError as error:
        if "progress" in str(error) or "active" in str(error):
            return False
        raise
    return True


def _wait(what: str, done: Callable[[], bool]) -> None:
    begun = time.monotonic()
    said = 2
    while not done():
        if time.monotonic() - begun > said:
            print(f"  {what}: {said} s", flush=True)
            said += 2
        time.sleep(PAUSE)


def _data(state: State, step: str, *more: str, stdin: bytes = b"") -> None:
    command = ["sh", str(OPS / "data.sh"), step, str(state.redis), *more]
    environment = {**os.environ, "REDIS_SERVER": binaries.redis()}
    answer = subprocess.run(command, input=stdin, env=environment, stderr=subprocess.PIPE, check=False)
    if answer.returncode:
        raise LocalError(f"{answer.stderr.decode().strip()}\nNothing was changed.")


def _operator(state: State) -> redis.Redis:
    port = state.ports(["redis"], running=True)["redis"]
    return redis.Redis(port=port, username="admin", password=redis_cli.password(state), socket_timeout=30)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
