"""The thresholds: what a run measured, held against what locust.conf asks for. Knows nothing of Locust."""

from __future__ import annotations

import math
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loadtest import names
from loadtest.limits import limits

NEVER = {
    names.DUPLICATE: "events received twice",
    names.OUT_OF_ORDER: "events out of order",
    names.UNCHECKED: "listeners whose end was not checked",
}


@dataclass(frozen=True)
class Check:
    """One threshold. `distance` is how far on the wrong side of it the run was: empty when it is kept."""

    what: str
    measured: str
    limit: str
    distance: str = ""

    @property
    def passed(self) -> bool:
        """Whether the threshold is kept."""
        return not self.distance

    def __str__(self) -> str:
        line = f"{'ok  ' if self.passed else 'FAIL'}  {self.what:<36} {self.measured:>10}   {self.limit}"
        return line if self.passed else f"{line}: {self.distance}"


def check(
    entries: Iterable[Any], seconds: float, options: Namespace, percentiles: bool = True
) -> list[Check]:
    """Every threshold, for the lines of Locust's report (`StatsEntry`) and the length of the run.

    Without `percentiles` theirs are left out: for a run that looks for the point where they end.
    """
    lines = {(entry.method, entry.name): entry for entry in entries}
    checks = [*_failures(lines, options.max_failure_ratio), *_delivery(lines, options.min_delivery)]
    if percentiles:
        for percent, text in ((95, options.max_p95), (99, options.max_p99)):
            checks += [_percentile(lines, percent, key, most) for key, most in limits(text).items()]
    requests = [entry for (kind, _), entry in lines.items() if kind in names.HTTP_METHODS]
    good = sum(entry.num_requests - entry.num_failures for entry in requests)
    checks.append(_throughput("good HTTP answers a second", good, seconds, options.min_requests))
    checks.append(_throughput("events received a second", _received(lines), seconds, options.min_events))
    return checks


def percentile(times: Mapping[int, int], percent: int) -> int | None:
    """The time that so many percent stayed within, of counts by milliseconds; None when there are none."""
    rank = math.ceil(sum(times.values()) * percent / 100)
    for time in sorted(times):
        rank -= times[time]
        if rank <= 0:
            return time
    return None


Lines = Mapping[tuple[str, str], Any]


def _failures(lines: Lines, most: float) -> Iterable[Check]:
    # By type, because a thousand events would hide a request that always fails.
    for kind in sorted({kind for kind, _ in lines} - {names.LOST[0]}):
        entries = [entry for (other, _), entry in lines.items() if other == kind]
        failed, asked = sum(e.num_failures for e in entries), sum(e.num_requests for e in entries)
        ratio = failed / asked if asked else 0.0
        over = f"{ratio - most:.3%} over, {failed:,} of {asked:,} failed" if ratio > most else ""
        yield Check(f"failures of {kind}", f"{ratio:.3%}", f"at most {most:.3%}", over)


def _delivery(lines: Lines, least: float) -> Iterable[Check]:
    received, lost, late = _received(lines), _count(lines, names.LOST), _count(lines, names.OUT_OF_ORDER)
    due = received + lost
    share = (received + late) / due if due else 0.0
    missing = f"{lost - late:,} of {due:,} events missing" if due else "no event at all"
    # So many digits that one lost event of a million does not look like none.
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
        return Check(what, "-", limit, "there was none to measure")
    return Check(what, f"{measured:g} ms", limit, f"{measured - most:g} ms over" if measured > most else "")


def _throughput(what: str, count: int, seconds: float, least: float) -> Check:
    rate = count / seconds if seconds > 0 else 0.0
    missing = f"{least - rate:,.1f} a second missing" if rate < least else ""
    if not count:  # whatever the threshold: a run in which nothing happened has shown nothing
        missing = "there was none"
    return Check(what, f"{rate:,.1f}", f"at least {least:g}", missing)


def _received(lines: Lines) -> int:
    return _count(lines, names.AFTER_EVENT) + _count(lines, names.CAUGHT_UP)


def _count(lines: Lines, line: tuple[str, str]) -> int:
    entry = lines.get(line)
    return entry.num_requests if entry else 0
