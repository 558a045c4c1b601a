"""`make up APP=http://...`: nginx, the sidecar and Redis around an app that runs, or will."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from local.settings import ROOT
from local.supervisor import Supervisor
from tests.harness.clients import Socket, http, wait_for
from tests.harness.local import LocalStack, free_port
from tests.harness.sidecar import ticket

ORDERS = """
from flask import Flask, request
from corkboard import publish

app = Flask(__name__)

@app.get("/")
def orders():
    return "all orders"

@app.post("/ship")
def ship():
    return {"id": publish("orders", "order.shipped", {"id": request.get_json()["id"]})}
"""


class App:
    """Somebody else's Flask app, started as its owner would."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        (folder / "orders.py").write_text(ORDERS)

    @contextmanager
    def running(self, env_file: Path) -> Iterator[None]:
        """It answers in the block, and is gone after it."""
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "orders", "run", "--port", str(self.port)],
            cwd=self._folder,
            env=os.environ | {"CORKBOARD_ENV_FILE": str(env_file), "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: httpx.get(self.url, trust_env=False).text == "all orders", "the app")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    return App(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def around(app: App) -> Iterator[LocalStack]:
    stack = LocalStack({"APP": app.url})
    try:
        stack.run("up")
        yield stack
    finally:
        stack.stop()


def names(stack: LocalStack) -> set[str]:
    return {process.name for process in Supervisor(stack.state).processes()}


def pids(stack: LocalStack) -> dict[str, int]:
    return {process.name: process.pid for process in Supervisor(stack.state).processes()}


def page(stack: LocalStack) -> httpx.Response:
    with http(stack) as client:
        return client.get("/")


def test_only_what_the_app_lacks_is_started(around: LocalStack) -> None:
    assert names(around) == {"redis", "nginx", "asgi-1", "asgi-2"}


def test_the_app_may_come_later_and_may_restart(around: LocalStack, app: App) -> None:
    assert page(around).status_code in (502, 503)
    with http(around) as client:
        assert client.get("/ws/readyz").status_code == 200
    for _ in range(2):
        with app.running(around.state.app_env):
            assert page(around).text == "all orders"
        assert page(around).status_code in (502, 503)


def test_what_the_app_publishes_reaches_who_may_listen(around: LocalStack, app: App) -> None:
    with app.running(around.state.app_env), http(around) as client:
        with Socket(around, topic="orders", ticket=ticket(around, ["orders"])) as socket:
            socket.expect("subscribed")
            shipped = client.post("/ship", json={"id": 17})
            event = socket.expect("event")
        assert (event["type"], event["data"], event["id"]) == (
            "order.shipped",
            {"id": 17},
            shipped.json()["id"],
        )


@pytest.mark.parametrize("topic", ["orders", "board:main", "none"])
def test_no_topic_is_public_unless_it_is_made_so(around: LocalStack, topic: str) -> None:
    with pytest.raises(InvalidStatus) as refusal, Socket(around, topic=topic):
        pass
    assert refusal.value.response.status_code == 401


def test_up_again_knows_the_app_and_changes_nothing(around: LocalStack, app: App) -> None:
    before = pids(around)
    del around.environment["APP"]
    try:
        said = around.run("up").stdout
        assert "nothing has changed" in said
        assert f"in front of {app.url}" in said
        assert pids(around) == before
    finally:
        around.environment["APP"] = app.url


def test_up_says_what_to_do_next_and_whether_the_app_answers(around: LocalStack, app: App) -> None:
    lines = around.run("up").stdout.splitlines()
    assert lines[-4:-1] == [
        f"  pip install {ROOT / 'corkboard'}",
        f"  export CORKBOARD_ENV_FILE={around.state.app_env}",
        f"{app.url} does not answer yet; start your app when you like.",
    ]
    assert "without APP" in lines[-1]
    with app.running(around.state.app_env):
        assert "does not answer" not in around.run("up").stdout


def test_status_and_logs_know_the_app(around: LocalStack, app: App) -> None:
    *services, there, address = around.run("status").stdout.splitlines()
    assert [line.split()[0] for line in services] == ["asgi-1", "asgi-2", "nginx", "redis"]
    assert there.split() == ["app", "is", "away", app.url]
    assert address == around.base_url.replace("127.0.0.1", "localhost")
    with app.running(around.state.app_env):
        assert f"app      answers   {app.url}" in around.run("status").stdout
    shown = around.run("logs", "--no-follow").stdout
    assert {line.split("|")[0].strip() for line in shown.splitlines()} == {
        "asgi-1",
        "asgi-2",
        "nginx",
        "redis",
    }


def test_what_the_app_must_know_is_its_owners_alone_and_survives_a_restart(
    around: LocalStack, app: App
) -> None:
    env_file = around.state.app_env
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    before = env_file.read_text()
    around.down()
    said = around.run("up").stdout
    assert said.startswith(f"Local processes, because a container could not reach {app.url}\n")
    assert env_file.read_text() == before
    read = subprocess.run(
        ["sh", "-c", f'. {env_file}; echo "$CORKBOARD_URL $CORKBOARD_SECRET_KEY"'],
        capture_output=True,
        text=True,
        check=True,
    )
    url, key = read.stdout.split()
    assert url.startswith("redis://app:")
    assert len(key) >= 32


def test_the_folder_keeps_itself_out_of_git(around: LocalStack, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    status = ["git", f"--git-dir={tmp_path}/.git", f"--work-tree={around.folder}", "status", "--porcelain"]
    assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == ""


def test_another_address_is_taken_without_a_restart(around: LocalStack, app: App, tmp_path: Path) -> None:
    before, other = pids(around), App(tmp_path)
    around.environment["APP"] = other.url
    try:
        with other.running(around.state.app_env):
            around.run("up")
            assert page(around).text == "all orders"
        assert pids(around) == before
    finally:
        around.environment["APP"] = app.url
        around.run("up")


def test_a_running_demo_makes_room_and_comes_back(app: App) -> None:
    with LocalStack() as stack:
        stack.environment["APP"] = app.url
        stack.run("up")
        assert "wsgi" not in names(stack)
        stack.down()
        del stack.environment["APP"]
        stack.run("up")
        assert "wsgi" in names(stack)
        assert page(stack).status_code == 200


def test_an_address_that_cannot_work_stops_the_start_with_one_line() -> None:
    stack = LocalStack()
    try:
        for value, said in (
            ("https://127.0.0.1:5000", "APP is invalid: expected http://HOST:PORT"),
            (
                f"http://localhost:{stack.port}",
                f"APP=http://localhost:{stack.port} is where Corkboard itself listens",
            ),
        ):
            stack.environment["APP"] = value
            result = stack.run("up", check=False)
            assert result.returncode == 2
            (line,) = result.stderr.splitlines()
            assert line.startswith(said)
            assert not stack.pids()
    finally:
        stack.stop()


def test_nothing_of_the_demo_is_needed() -> None:
    script = "import sys; sys.modules['flask'] = sys.modules['gunicorn'] = None; import local.__main__"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    packages = (ROOT / "local" / "requirements.txt").read_text()
    assert "uvicorn==" in packages
    assert not [name for name in ("flask==", "gunicorn==", "werkzeug==") if f"\n{name}" in packages]
