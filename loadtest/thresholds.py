"""The thresholds of locust.conf, and whether a run has kept them. Does not depend on Locust."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError, Namespace
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loadtest import report_lines

LIMIT = re.compile(r"(.+)=\s*(\d+(?:\.\d+)?)")
NEVER = {
    report_lines.DUPLICATE: "events received twice",
    report_lines.OUT_OF_ORDER: "events out of order",
    report_lines.UNCHECKED: "listeners whose end was not checked",
}
Lines = Mapping[tuple[str, str], Any]


@dataclass(frozen=True)
class Check:
    """One threshold. `missed_by` is empty if it was kept."""

    what: str
    measured: str
    limit: str
    missed_by: str = ""

    def __str__(self) -> str:
        line = f"{'FAIL' if self.missed_by else 'ok  '}  {self.what:<36} {self.measured:>10}   {self.limit}"
        return f"{line}: {self.missed_by}" if self.missed_by else line


def percentile_limits(text: str) -> dict[str, float]:
    """Parses `GET=200, fan-out=250`: milliseconds by request type, or by the name of one line.

    Raises:
        ArgumentTypeError: the text has another form.
    """
    found = [LIMIT.fullmatch(part.strip()) for part in text.split(",") if part.strip()]
    if not all(found):
        raise ArgumentTypeError(f"{text!r} is invalid: expected milliseconds, as in GET=200, fan-out=250")
    return {match[1].strip(): float(match[2]) for match in found if match}


def check(
    entries: Iterable[Any], seconds: float, options: Namespace, percentiles: bool = True
) -> list[Check]:
    """Checks every threshold against the lines of Locust's report (`StatsEntry`) and the length of the run.

    `percentiles=False` leaves out those of percentiles: for a run that goes on until they are missed.
    """
    lines = {(entry.method, entry.name): entry for entry in entries}
    checks = [*_failures(lines, options.max_failure_ratio), *_delivery(lines, options.min_delivery)]
    if percentiles:
        for percent, text in ((95, options.max_p95), (99, options.max_p99)):
            checks += [_percentile(lines, percent, *limit) for limit in percentile_limits(text).items()]
    requests = [entry for (kind, _), entry in lines.items() if kind in report_lines.HTTP_METHODS]
    good = sum(entry.num_requests - entry.num_failures for entry in requests)
    checks.append(_throughput("good HTTP answers per second", good, seconds, options.min_requests))
    checks.append(_throughput("events received per second", _received(lines), seconds, options.min_events))
    return checks


def percentile(times: Mapping[int, int], percent: int) -> int | None:
    """The time that `percent` percent stayed within, from counts by milliseconds; None if there are none."""
    rank = math.ceil(sum(times.values()) * percent / 100)
    for time in sorted(times):
        rank -= times[time]
        if rank <= 0:
            return time
    return None


def _failures(lines: Lines, most: float) -> Iterable[Check]:
    # By request type, because a thousand events would hide a request that always fails.
    for kind in sorted({kind for kind, _ in lines} - {report_lines.LOST[0]}):
        entries = [entry for (other, _), entry in lines.items() if other == kind]
        failed, asked = sum(e.num_failures for e in entries), sum(e.num_requests for e in entries)
        ratio = failed / asked if asked else 0.0
        over = f"{ratio - most:.3%} over, {failed:,} of {asked:,} failed" if ratio > most else ""
        yield Check(f"failures of {kind}", f"{ratio:.3%}", f"at most {most:.3%}", over)


def _delivery(lines: Lines, least: float) -> Iterable[Check]:
    received = _received(lines)
    lost, late = _count(lines, report_lines.LOST), _count(lines, report_lines.OUT_OF_ORDER)
    due = received + lost
    share = (received + late) / due if due else 0.0
    missing = f"{lost - late:,} of {due:,} events missing" if due else "there were no events"
    # Enough digits that one lost event in a million does not look like 100 %.
    yield Check("delivered", f"{share:.5%}", f"at least {least:.5%}", missing if share < least else "")
    for line, what in NEVER.items():
        count = _count(lines, line)
        yield Check(what, f"{count:,}", "none", f"{count:,} too many" if count else "")


def _percentile(lines: Lines, percent: int, key: str, most: float) -> Check:
    times: Counter[int] = Counter()
    for line, entry in lines.items():
        if key in line:
            times.update(entry.response_times)
    measured = percentile(times, percent)
    what, limit = f"p{percent} of {key}", f"at most {most:g} ms"
    if measured is None:
        return Check(what, "-", limit, "there were none")
    return Check(what, f"{measured:g} ms", limit, f"{measured - most:g} ms over" if measured > most else "")


def _throughput(what: str, count: int, seconds: float, least: float) -> Check:
    rate = count / seconds if seconds > 0 else 0.0
    missing = f"{least - rate:,.1f} per second missing" if rate < least else ""
    if not count:  # whatever the threshold: a run without any shows nothing
        missing = "there were none"
    return Check(what, f"{rate:,.1f}", f"at least {least:g}", missing)


def _received(lines: Lines) -> int:
    return _count(lines, report_lines.AFTER_EVENT) + _count(lines, report_lines.CAUGHT_UP)


def _count(lines: Lines, line: tuple[str, str]) -> int:
    return lines[line].num_requests if line in lines else 0
