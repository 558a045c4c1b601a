"""The version before this one, from its Git tag, and what an upgrade does to a clone of it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from local.settings import ROOT
from tests.harness.clients import Socket, http, wait_for
from tests.harness.compose import clone
from tests.harness.local import LocalStack, free_port
from tests.harness.sidecar import Replica
from tests.harness.stack import Stack
from tests.harness.traffic import Listener, Writer, notes_of

BOARD = "versions"
TOPIC = f"board:{BOARD}"


def tag() -> str | None:
    """The newest tag of a version before this one; None where the history has none."""
    words = ["git", "tag", "--list", "v*", "--merged=HEAD", "--no-contains=HEAD", "--sort=-version:refname"]
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return next(iter(answer.stdout.split()), None)


def required_tag() -> str:
    """The same; a test in a checkout without history is an expected failure, with the reason."""
    found = tag()
    if found is None:
        pytest.xfail("this checkout has no tag of a version before this one: git fetch --tags --unshallow")
    return found


def unpack(target: Path) -> None:
    """Makes a folder what the version before this one was."""
    found = tag()
    assert found
    archive = subprocess.run(["git", "archive", found], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(target, filter="data")


def upgrade(target: Path) -> None:
    """Makes it this version, in place, as a checkout does."""
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_file() and ".corkboard" not in path.parts:
            path.unlink()
    clone(target)


@contextmanager
def beside(stack: LocalStack, code: Path) -> Iterator[tuple[Replica, Replica]]:
    """The app and a sidecar of other code, on the stack's Redis. Each has a `base_url` of its own."""
    redis = f"redis://127.0.0.1:{stack.state.ports(['redis'], running=True)['redis']}/0"
    wsgi, asgi = free_port(), free_port()
    app = [sys.executable, "-m", "gunicorn", "-c", "wsgi_app/gunicorn.conf.py", "wsgi_app.app:create_app()"]
    with ExitStack() as ending:
        for name, command, environment in (
            (
                "app",
                app,
                {
                    "CORKBOARD_ENV_FILE": str(stack.state.app_env),
                    "SECRET_KEY_FILE": str(stack.state.secrets / "app" / "secret_key"),
                    "WSGI_BIND": f"127.0.0.1:{wsgi}",
                    "WSGI_METRICS_PORT": str(free_port()),
                },
            ),
            (
                "asgi",
                [sys.executable, "-m", "asgi_app"],
                {
                    "REDIS_URL": redis,
                    "REDIS_PASSWORD_FILE": str(stack.state.secrets / "asgi" / "redis_password"),
                    "SECRET_KEY_FILE": str(stack.state.secrets / "asgi" / "secret_key"),
                    "ASGI_HOST": "127.0.0.1",
                    "ASGI_PORT": str(asgi),
                },
            ),
        ):
            log = ending.enter_context((stack.folder / f"other-{name}.log").open("wb"))
            process = subprocess.Popen(
                command, cwd=code, env={**os.environ, **environment}, stdout=log, stderr=log
            )
            ending.callback(process.wait, 60)
            ending.callback(process.terminate)
        others = (
            Replica(stack, "wsgi", f"http://127.0.0.1:{wsgi}"),
            Replica(stack, "asgi", f"http://127.0.0.1:{asgi}"),
        )
        for other, path in zip(others, ("/readyz", "/ws/readyz"), strict=True):
            with http(other) as client:  # type: ignore[arg-type]
                wait_for(lambda c=client, p=path: c.get(p).status_code == 200, f"{other.name} of before", 60)
        yield others


def check_upgrade(stack: Stack, code: Path, start: Callable[[], None]) -> None:
    """Upgrades in place, while somebody writes and others listen: nothing is lost, nor what clients hold."""
    writer, listeners = Writer(stack, BOARD), [Listener(stack, TOPIC) for _ in range(4)]
    for listener in listeners:
        listener.start()
    for listener in listeners:
        assert listener.begun.wait(60)
    writer.start()
    wait_for(lambda: len(writer.acknowledged) > 20, "notes in the old version", 60)
    with http(stack) as client:
        ticket = client.post("/api/tickets").json()
        listed = client.get("/api/notes", params={"board": BOARD, "limit": 1})
    with Socket(stack, topic=TOPIC) as socket:
        cursor = socket.expect("subscribed")["cursor"]

    upgrade(code)
    start()

    before = len(writer.acknowledged)
    wait_for(lambda: len(writer.acknowledged) > before + 50, "notes in the new version", 90)
    writer.finish()
    stored = notes_of(stack, BOARD)
    assert set(writer.acknowledged) <= set(stored)
    for listener in listeners:
        wait_for(lambda heard=listener: len(heard.events) >= len(stored), "all events", 60)
        listener.finish()
        assert listener.lost == 0
        assert [event["data"]["id"] for event in listener.events] == stored
    # What clients of the old version hold is still good.
    with Socket(stack, topic=TOPIC, since=cursor) as socket:
        assert socket.expect("subscribed")["recovered"] is True
    with http(stack) as client:
        query = {"topic": ticket["topics"][-1], "timeout": "0", "ticket": ticket["ticket"]}
        assert client.get("/ws/poll", params=query).status_code == 200
        newest = listed.json()["notes"][0]
        path = f"/api/notes/{newest['id']}"
        etag = {"If-Match": f'"{newest["version"]}"'}
        assert client.patch(path, json={"done": True}, headers=etag).status_code == 200
