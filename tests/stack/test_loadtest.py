"""The load test passes where it should, and fails where it should."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from threading import Thread

import pytest
from websockets import ConnectionClosed
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from loadtest import report_lines
from local.settings import ROOT
from local.table import documented
from tests.harness.clients import http
from tests.harness.local import LocalStack


def run(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE` in an environment that no setting of this machine reaches."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in documented() and not name.startswith("LOCUST_")
    }
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=kept | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def verdicts(result: subprocess.CompletedProcess[str]) -> list[str]:
    """What a run was judged. It need not be the last line: now and then Locust's own writer of the CSV files
    complains, on its way out, that they are closed."""
    return re.findall(r"^The load test \w+", result.stderr, re.MULTILINE)


# How fast it is here is chance. That each threshold counts is tested with made-up numbers: test_thresholds.py
LAX = ["--max-p95=POST=60000, fan-out=60000", "--max-p99=POST=60000", "--max-failure-ratio=0.1"]
SHORT = ["--users=20", "--run-time=9s", "--rooms=2", "--min-requests=1", "--min-events=1", *LAX]


def test_a_run_against_a_healthy_stack_passes_and_leaves_a_report(
    local_stack: LocalStack, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    result = run(
        "loadtest.run",
        *(*SHORT, "--processes=1", f"--html={report}", f"--csv={tmp_path / 'stats'}"),
        HOST=local_stack.base_url,
    )
    said = result.stderr.splitlines()
    assert result.returncode == 0, result.stderr[-4000:]
    assert verdicts(result) == ["The load test passed"]
    assert any("users" in line and "events/s" in line for line in said), "no progress was shown"
    assert any(line.startswith("ok    delivered                            100.00000%") for line in said)
    assert "POST answered to event received" in report.read_text()
    assert report_lines.AFTER_EVENT[1] in (tmp_path / "stats_stats.csv").read_text()
    with http(local_stack) as client:
        boards = [client.get("/api/notes", params={"board": f"load-{number}"}) for number in (0, 1)]
    assert [board.json()["notes"] for board in boards] == [[], []], "the writers left notes behind"


def test_limits_of_the_site_make_a_run_fail_that_says_which(local_stack: LocalStack) -> None:
    local_stack.environment["RATE_LIMIT"] = "1"
    local_stack.start()
    try:
        result = run(
            "locust",
            *("--config=loadtest/locust.conf", "--headless", f"--host={local_stack.base_url}", *SHORT),
        )
    finally:
        local_stack.environment["RATE_LIMIT"] = "0"
        local_stack.start()
    said = result.stderr.splitlines()
    assert result.returncode == 1
    assert verdicts(result) == ["The load test FAILED"]
    assert any(line.startswith("FAIL  failures of POST") for line in said)
    assert any("RATE_LIMIT=0" in line for line in said)


@contextmanager
def lying_server() -> Iterator[str]:
    """Speaks as the sidecar does, but loses, repeats and swaps events."""
    room = f"e{secrets.token_hex(4)}"

    def event(offset: int) -> str:
        return json.dumps(
            {
                "op": "event",
                "id": f"{room}-{offset}",
                "type": "t",
                "time": "2026-01-01T00:00:00.000Z",
                "request_id": "r",
                "data": {},
            }
        )

    def talk(connection: ServerConnection) -> None:
        begin = {"op": "subscribed", "topic": "t", "cursor": f"{room}-0", "recovered": True}
        connection.send(json.dumps(begin))
        for offset in (1, 2, 4, 5, 5, 7, 6):  # 3, 8 and 9 never come
            connection.send(event(offset))
        with suppress(ConnectionClosed):
            connection.recv()

    def answer(_: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith("/ws"):
            return None
        body = json.dumps({"notes": [], "cursor": f"{room}-9"}).encode()
        headers = Headers({"Content-Length": str(len(body)), "Connection": "close"})
        return Response(HTTPStatus.OK, "OK", headers, body)

    with serve(talk, "127.0.0.1", 0, process_request=answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()


def test_a_server_that_loses_repeats_and_swaps_events_is_found_out() -> None:
    with lying_server() as host:
        result = run(
            "locust",
            *("--config=loadtest/locust.conf", "--headless", f"--host={host}", "--users=2", "--run-time=6s"),
            "SocketUser",
        )
    failed = [line.split(maxsplit=1)[1] for line in result.stderr.splitlines() if line.startswith("FAIL")]
    assert result.returncode == 1
    # To each of the two listeners 3, 8 and 9 never came, and 6 came after 7.
    assert [line for line in failed if line.startswith("delivered") and "6 of 18 events missing" in line]
    assert [line for line in failed if line.startswith("events received twice") and "2 too many" in line]
    assert [line for line in failed if line.startswith("events out of order") and "2 too many" in line]


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ([], {"HOST": "http://127.0.0.1:9"}, "http://127.0.0.1:9 is not ready for a load test"),
        ([], {"HOST": "example.org"}, "HOST='example.org' is invalid: expected"),
        (["--max-p95=GET=fast"], {}, "argument --max-p95: 'GET=fast' is invalid: expected"),
    ],
)
def test_an_invalid_setting_is_one_line_and_exit_code_2(
    local_stack: LocalStack, arguments: list[str], environment: dict[str, str], said: str
) -> None:
    result = run("loadtest.run", *arguments, **({"HOST": local_stack.base_url} | environment))
    assert result.returncode == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_containers_of_the_load_test_are_as_confined_as_the_others() -> None:
    files = ["-f", "docker-compose.yml", "-f", "docker-compose.loadtest.yml"]
    command = ["docker", "compose", *files, "config", "--format", "json"]
    try:
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no Docker Compose")
    services = json.loads(shown)["services"]
    found = {name: service for name, service in services.items() if name.startswith("loadtest-")}
    assert set(found) == {"loadtest-master", "loadtest-worker", "loadtest-results"}
    for service in found.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]
    assert [port["host_ip"] for port in found["loadtest-master"]["ports"]] == ["127.0.0.1"]
    assert not found["loadtest-worker"].get("ports")
