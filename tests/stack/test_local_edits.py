"""An edit of the code is applied by `make up`, or by `make dev` at once; whoever listens resumes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.settings import ROOT
from local.supervisor import Supervisor
from tests.harness.clients import Socket, http, wait_for
from tests.harness.local import LocalStack

WSGI = Path("wsgi_app", "notes", "pages.py")
ASGI = Path("asgi_app", "health.py")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the working tree, to be edited."""
    folder = tmp_path_factory.mktemp("clone")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def own(clone: Path) -> Iterator[LocalStack]:
    with LocalStack(code=clone) as stack:
        yield stack


def pids(stack: LocalStack) -> dict[str, int]:
    return {process.name: process.pid for process in Supervisor(stack.state).processes()}


def say(word: str, file: Path) -> None:
    text = file.read_text()
    assert text.count('"ok"') == 1
    file.write_text(text.replace('"ok"', f'"{word}"'))


def test_up_applies_an_edit_of_the_app_and_keeps_every_socket(own: LocalStack) -> None:
    before = pids(own)
    with Socket(own, topic="board:edits") as socket, http(own) as client:
        socket.expect("subscribed")
        say("edited", own.code / WSGI)
        assert "applied changes to wsgi." in own.run("up").stdout
        assert client.get("/healthz").json()["status"] == "edited"
        after = pids(own)
        assert after.pop("wsgi") != before.pop("wsgi")
        assert after == before
        client.post("/api/notes", json={"text": "after the edit", "board": "edits"})
        assert socket.expect("event")["data"]["text"] == "after the edit"


def test_up_applies_an_edit_of_the_sidecar_one_process_at_a_time(own: LocalStack) -> None:
    before = pids(own)
    refused = []
    over = threading.Event()

    def ask() -> None:
        with http(own) as client:
            while not over.wait(0.02):
                if client.get("/ws/readyz").status_code != 200:
                    refused.append(1)

    asking = threading.Thread(target=ask)
    with http(own) as client:
        with Socket(own, topic="board:resumed") as socket:
            since = socket.expect("subscribed")["cursor"]
            asking.start()
            say("edited", own.code / ASGI)
            assert "applied changes to asgi-1, asgi-2." in own.run("up").stdout
            over.set()
            asking.join()
        client.post("/api/notes", json={"text": "meanwhile", "board": "resumed"})
        with Socket(own, topic="board:resumed", since=since) as socket:
            assert socket.expect("subscribed")["recovered"] is True
            assert socket.expect("event")["data"]["text"] == "meanwhile"
        assert client.get("/ws/healthz").json()["status"] == "edited"
    assert not refused
    after = pids(own)
    for name in ("asgi-1", "asgi-2"):
        assert after.pop(name) != before.pop(name)
    assert after == before


def test_a_changed_configuration_of_redis_is_applied_and_nothing_is_lost(own: LocalStack) -> None:
    with http(own) as client:
        note = client.post("/api/notes", json={"text": "before"}).json()["id"]
        file = own.code / "redis" / "redis.conf"
        file.write_text(f"{file.read_text()}\nslowlog-max-len 77\n")
        assert "applied changes to redis." in own.run("up").stdout
        assert own.redis_cli("config", "get", "slowlog-max-len").split() == ["slowlog-max-len", "77"]
        wait_for(lambda: client.get(f"/api/notes/{note}").status_code == 200, "the note")


def test_changed_users_of_redis_are_applied_without_a_restart(own: LocalStack) -> None:
    before = pids(own)
    file = own.code / "redis" / "users.acl"
    text = file.read_text()
    file.write_text(text.replace("+fcall_ro", "+fcall_ro +dbsize"))
    assert "+dbsize" not in own.redis_cli("acl", "list")
    own.run("up")
    assert "+dbsize" in own.redis_cli("acl", "list")
    file.write_text(text.replace("+fcall_ro", "+no-such-command"))
    refused = own.run("up", check=False)
    assert refused.returncode == 1
    assert "keeps the users that it has" in refused.stderr
    file.write_text(text)
    own.run("up")
    assert "+dbsize" not in own.redis_cli("acl", "list")
    assert pids(own) == before


def test_up_after_that_changes_nothing(own: LocalStack) -> None:
    before = pids(own)
    assert "was running; nothing has changed" in own.run("up").stdout
    assert pids(own) == before


def test_dev_reloads_what_has_changed_and_stops_on_ctrl_c(clone: Path) -> None:
    stack = LocalStack(code=clone)
    command = [sys.executable, "-m", "local", "--state", str(stack.folder), "dev"]
    running = subprocess.Popen(
        command, cwd=clone, env=stack.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        with http(stack) as client:
            wait_for(lambda: client.get("/readyz").is_success, "the stack in dev mode", seconds=60)
            wait_for(lambda: client.get("/ws/readyz").is_success, "its sidecar", seconds=60)
            _change(clone / WSGI, client, "/healthz")
            _change(clone / ASGI, client, "/ws/healthz")
        assert stack.pids()
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=120)
        assert b"Traceback" not in output
        assert not stack.pids()
    finally:
        if running.poll() is None:
            running.kill()
        stack.stop()


def _change(file: Path, client: httpx.Client, path: str) -> None:
    text = file.read_text()
    said = client.get(path).json()["status"]
    assert text.count(f'"{said}"') == 1
    file.write_text(text.replace(f'"{said}"', '"reloaded"'))
    for _ in range(8):
        try:
            wait_for(lambda: "reloaded" in client.get(path).text, f"the new code of {file.name}", seconds=10)
            return
        except AssertionError:
            # A reloader that had not yet looked at the file takes the change for what was always there.
            file.touch()
    raise AssertionError(f"a change of {file.name} is not taken")
