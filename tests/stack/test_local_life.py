"""What `make up` and `make down` promise where there is no Docker."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator

import psutil
import pytest

from local import processes
from local.state import is_free
from local.supervisor import Supervisor
from tests.harness.clients import http, wait_for
from tests.harness.local import LocalStack


@pytest.fixture(scope="module")
def own() -> Iterator[LocalStack]:
    """A stack beside the one that the other tests use."""
    with LocalStack() as stack:
        yield stack


def pin(stack: LocalStack, text: str) -> str:
    with http(stack) as client:
        response = client.post("/api/notes", json={"text": text})
        assert response.status_code == 201
        return str(response.json()["id"])


def pids(stack: LocalStack) -> dict[str, int]:
    return {process.name: process.pid for process in Supervisor(stack.state).processes()}


def test_down_leaves_no_process_and_keeps_the_data_and_what_up_calls_ready_is_running(
    own: LocalStack,
) -> None:
    note = pin(own, "still here")
    running = [psutil.Process(pid) for pid in own.pids()]
    assert len(running) >= 5
    socket_folder = own.state.socket.parent
    own.down()
    assert not [process for process in running if process.is_running()]
    assert is_free("0.0.0.0", own.port)
    assert not socket_folder.exists()
    assert own.run("down").stdout.splitlines()[-1] == "Nothing was running."
    own.start()
    *services, _ = own.run("status").stdout.splitlines()
    assert {line.split()[1] for line in services} == {"running"}
    with http(own) as client:
        assert client.get(f"/api/notes/{note}").json()["text"] == "still here"


def test_two_stacks_side_by_side_share_nothing(own: LocalStack, local_stack: LocalStack) -> None:
    note = pin(own, "mine")
    with http(local_stack) as client:
        assert client.get(f"/api/notes/{note}").status_code == 404
    assert set(own.pids()).isdisjoint(local_stack.pids())


def test_up_again_changes_nothing(own: LocalStack) -> None:
    before = pids(own)
    assert "was running; nothing has changed" in own.run("up").stdout
    assert pids(own) == before


def test_a_changed_setting_restarts_only_what_it_concerns(own: LocalStack) -> None:
    before = pids(own)
    own.environment["WSGI_THREADS"] = "4"
    assert "applied changes to wsgi." in own.run("up").stdout
    after = pids(own)
    assert after.pop("wsgi") != before.pop("wsgi")
    assert after == before


def test_replicas_come_and_go_beside_the_others(own: LocalStack) -> None:
    before = pids(own)
    own.scale("asgi", 3)
    assert pids(own) == before | {"asgi-3": pids(own)["asgi-3"]}
    own.scale("asgi", 2)
    assert pids(own) == before


def test_another_port_is_taken_without_a_restart_of_the_apps(own: LocalStack) -> None:
    before, old_port = pids(own), own.port
    own.port = next(port for port in range(old_port + 1, old_port + 100) if is_free("0.0.0.0", port))
    own.environment["HTTP_PORT"] = str(own.port)
    own.base_url = f"http://127.0.0.1:{own.port}"
    own.start()
    assert pids(own) == before
    with http(own) as client:
        assert client.get("/readyz").status_code == 200
    wait_for(lambda: is_free("0.0.0.0", old_port), "the old port is given up")


def test_an_nginx_whose_master_was_killed_comes_back_on_its_port(own: LocalStack) -> None:
    before = pids(own)["nginx"]
    own.parts.kill("nginx")
    with http(own) as client:
        wait_for(lambda: pids(own)["nginx"] not in (0, before), "a new nginx")
        wait_for(lambda: client.get("/readyz").status_code == 200, "an answer from it")


def test_a_killed_supervisor_leaves_nothing_that_harms_the_next_start(own: LocalStack) -> None:
    note = pin(own, "survivor")
    orphans = [psutil.Process(pid) for pid in own.pids()]
    os.kill(int((own.state.run / "supervisor.pid").read_text()), signal.SIGKILL)
    own.start()
    assert not [process for process in orphans if process.is_running()]
    with http(own) as client:
        assert client.get(f"/api/notes/{note}").status_code == 200


def test_down_ends_also_what_a_killed_supervisor_left(own: LocalStack) -> None:
    orphans = [psutil.Process(pid) for pid in own.pids()]
    os.kill(int((own.state.run / "supervisor.pid").read_text()), signal.SIGKILL)
    own.down()
    assert not [process for process in orphans if process.is_running()]
    own.start()


def test_only_nginx_listens_to_the_outside(own: LocalStack) -> None:
    outside = set()
    for file in own.state.run.glob("*.pid"):
        for process in processes.members(file):
            for connection in process.net_connections(kind="inet"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.ip != "127.0.0.1":
                    outside.add(connection.laddr.port)
    assert outside == {own.port}


def test_data_and_secrets_are_their_owners_alone(own: LocalStack) -> None:
    assert stat.S_IMODE(own.folder.stat().st_mode) == 0o700
    assert (own.folder / ".gitignore").read_text() == "*\n"
    for folder in ("redis", "secrets", "run", "logs"):
        assert stat.S_IMODE((own.folder / folder).stat().st_mode) == 0o700


def test_logs_name_their_service_and_have_no_colour_in_a_pipe(own: LocalStack) -> None:
    lines = own.run("logs", "--no-follow").stdout.splitlines()
    assert {line.split("|")[0].strip() for line in lines} >= {"redis", "wsgi", "asgi-1", "asgi-2", "nginx"}
    assert "\x1b" not in "".join(lines)


def test_status_has_one_line_per_service(own: LocalStack) -> None:
    lines = own.run("status").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["asgi-1", "asgi-2", "nginx", "redis", "wsgi", lines[-1]]
    assert lines[-1] == f"http://localhost:{own.port}"


def test_status_fails_while_a_service_runs_and_does_not_answer(own: LocalStack) -> None:
    own.parts.freeze("wsgi")
    try:
        said = own.run("status", check=False)
    finally:
        own.parts.thaw("wsgi")
    assert said.returncode == 1
    (line,) = (line for line in said.stdout.splitlines() if line.startswith("wsgi"))
    assert line.split()[1] == "unready"


def test_the_operator_reaches_redis(own: LocalStack) -> None:
    assert own.run("redis-cli", "ping").stdout == "PONG\n"
    assert own.run("redis-cli", "acl", "whoami").stdout == "admin\n"
