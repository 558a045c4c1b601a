"""The load test passes where it should, and fails where it should: each threshold by itself."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from threading import Thread

import pytest
from websockets import ConnectionClosed
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from loadtest import report_lines
from loadtest.delivery import FanOut, Ledger
from loadtest.thresholds import Check, check, percentile_limits
from local.settings import ROOT
from local.table import documented
from tests.harness.clients import http
from tests.harness.local import LocalStack

OPTIONS = Namespace(
    max_failure_ratio=0.01,
    max_p95="GET=100, fan-out=100",
    max_p99="GET=200",
    min_delivery=1.0,
    min_requests=10,
    min_events=100,
)


@dataclass
class Entry:
    """What the gate reads of a line of Locust's report."""

    method: str
    name: str
    num_requests: int
    num_failures: int = 0
    response_times: dict[int, int] = field(default_factory=dict)


class Recorded:
    """Ten good seconds, to be damaged."""

    def __init__(self) -> None:
        self.seconds = 10.0
        self.get = Entry("GET", "/api/notes", 200, 0, {10: 190, 50: 8, 150: 2})
        self.event = Entry(*report_lines.AFTER_EVENT, 2000, 0, {5: 2000})
        self.more: list[Entry] = []

    def add(self, line: tuple[str, str], count: int) -> None:
        self.more.append(Entry(*line, count, count))

    def failed(self) -> list[Check]:
        entries = [self.get, self.event, *self.more]
        return [one for one in check(entries, self.seconds, OPTIONS) if one.missed_by]


def slower(recorded: Recorded) -> None:
    recorded.get.response_times = {10: 180, 110: 20}


def very_slow_sometimes(recorded: Recorded) -> None:
    recorded.get.response_times = {10: 195, 300: 5}


def slow_events(recorded: Recorded) -> None:
    recorded.event.response_times = {120: 2000}


def no_such_request(recorded: Recorded) -> None:
    recorded.get = Entry("POST", "/api/notes", 200, 0, {10: 200})


def errors(recorded: Recorded) -> None:
    recorded.get.num_failures = 3


def few_requests(recorded: Recorded) -> None:
    recorded.get.num_requests = 90


def few_events(recorded: Recorded) -> None:
    recorded.event.num_requests = 990


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (errors, ["failures of GET", "3 of 200 failed", "0.500% over"]),
        (slower, ["p95 of GET", "110 ms", "10 ms over"]),
        (very_slow_sometimes, ["p99 of GET", "300 ms", "100 ms over"]),
        (slow_events, ["p95 of fan-out", "120 ms", "20 ms over"]),
        (few_requests, ["good HTTP answers per second", "9.0", "1.0 per second missing"]),
        (few_events, ["events received per second", "99.0", "1.0 per second missing"]),
        (
            lambda recorded: recorded.add(report_lines.LOST, 1),
            ["delivered", "99.95002%", "1 of 2,001 events missing"],
        ),
        (lambda recorded: recorded.add(report_lines.DUPLICATE, 2), ["events received twice", "2 too many"]),
        (lambda recorded: recorded.add(report_lines.UNCHECKED, 1), ["end was not checked", "1 too many"]),
    ],
)
def test_each_threshold_fails_alone_and_says_by_how_much(
    damage: Callable[[Recorded], None], expected: list[str]
) -> None:
    recorded = Recorded()
    assert recorded.failed() == []
    damage(recorded)
    (failed,) = recorded.failed()
    assert str(failed).startswith("FAIL")
    assert [words for words in expected if words not in str(failed)] == []


def test_a_threshold_of_something_that_never_happened_is_missed() -> None:
    recorded = Recorded()
    no_such_request(recorded)
    assert [one.what for one in recorded.failed()] == ["p95 of GET", "p99 of GET"]


def test_an_idle_run_cannot_pass_whatever_the_thresholds_are() -> None:
    lax = Namespace(
        max_failure_ratio=1.0, max_p95="", max_p99="", min_delivery=0.0, min_requests=0, min_events=0
    )
    failed = [one.what for one in check([], 0.0, lax) if one.missed_by]
    assert failed == ["good HTTP answers per second", "events received per second"]


def test_percentile_limits_are_parsed_by_type_and_by_name() -> None:
    assert percentile_limits("GET=200,  /api/notes?q= = 1.5") == {"GET": 200.0, "/api/notes?q=": 1.5}
    assert percentile_limits("") == {}


def test_a_ledger_notices_what_is_lost_late_and_twice() -> None:
    ledger = Ledger()
    assert ledger.cursor is None
    ledger.subscribed("0-0", True)
    assert ledger.missing("e-2") == 2
    assert [ledger.take(f"e-{offset}") for offset in (1, 2, 4, 4, 3)] == [
        *("new", "new", "new", "duplicate", "out of order"),
    ]
    assert (ledger.lost, ledger.cursor, ledger.missing("e-6")) == (1, "e-4", 2)
    ledger.subscribed("e-4", True)
    assert ledger.lost == 1
    ledger.subscribed("e-9", False)
    assert (ledger.lost, ledger.cursor) == (6, "e-9")
    ledger.subscribed("other-5", False)
    assert (ledger.lost, ledger.cursor) == (7, "other-5")


def test_an_event_before_its_answer_counts_and_foreign_ones_do_not() -> None:
    fan_out = FanOut()
    early, usual = fan_out.new_id(), fan_out.new_id()
    assert fan_out.received(early) is None
    assert fan_out.received(early) is None
    assert fan_out.answered(early) == 2
    assert fan_out.answered(usual) == 0
    delay = fan_out.received(usual)
    assert delay is not None
    assert 0 <= delay < 1000
    assert fan_out.received("somebody-elses") is None


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


# How fast it is here is chance; that each threshold counts is tested above, with numbers made up.
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
