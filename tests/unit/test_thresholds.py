"""Each threshold of the load test fails by itself, and what it counts is counted right."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from loadtest import report_lines
from loadtest.delivery import FanOut, Ledger
from loadtest.thresholds import Check, check, percentile_limits

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
