"""What was acknowledged, against what is stored, against what every listener received. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from prove.listening import Listener

Entry = tuple[str, str]  # id and text of a write
# A silence that counts as a part of the fault. The machine may stand still for a moment by itself.
LONG_SECONDS = 1.0


@dataclass
class Verdict:
    """One window of traffic. Of its numbers lost, doubled, missed and divergent must be 0; the others are how
    long and how often something was in the way.

    Attributes:
        acknowledged: writes that were answered with success.
        stored: events in the topic's stream.
        received: events, summed over all listeners.
        lost: writes that were acknowledged, and are not stored.
        doubled: writes stored twice, and events that a listener received twice or out of order.
        missed: events that listeners did not receive, summed over them.
        divergent: events or repeats whose content differs, and notes without event or events without note.
        failed: requests by how they failed.
        refused: handshakes by how they were refused.
        cuts: connections of listeners that ended.
        silence: the longest time in which a listener received nothing, in seconds.
        silent: which kind of listener that was, and how long after the beginning.
        typical_silence: the median of the listeners' longest times.
        back_after: seconds until the last listener received events again and the last request failed; 0 when
            nobody noticed anything; None when it was not over at the end.
        lag: the longest time in which the generator itself stood still.
    """

    acknowledged: int = 0
    stored: int = 0
    received: int = 0
    requests: int = 0
    listeners: int = 0
    lost: int = 0
    doubled: int = 0
    missed: int = 0
    divergent: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    cuts: int = 0
    silence: float = 0.0
    silent: str = ""
    typical_silence: float = 0.0
    back_after: float | None = 0.0
    lag: float = 0.0
    examples: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Nothing was lost, doubled, missed or divergent, and everybody came back."""
        broken = self.lost or self.doubled or self.missed or self.divergent
        return not broken and self.back_after is not None

    def __str__(self) -> str:
        how = ", ".join(f"{count} x {what}" for what, count in (self.failed + self.refused).most_common())
        back = "not back" if self.back_after is None else f"back after {self.back_after:.1f} s"
        said = (
            f"{self.acknowledged} acknowledged, {self.stored} stored, {self.received} received by "
            f"{self.listeners}; lost {self.lost}, doubled {self.doubled}, missed {self.missed}, divergent "
            f"{self.divergent}; stood still for {self.silence:.1f} s, {back}; failed: {how or 'none'}"
        )
        return "\n".join([said, *self.examples])


@dataclass
class Written:
    """What the writers did in one window, and what they and earlier ones have stored by now.

    Attributes:
        acknowledged: text of a write -> the id in its answer.
        attempted: the texts of all writes ever, answered or not.
        events: id and text of the window's events, in the topic's order.
        notes: what is stored beside the events; None where nothing is.
        before: text -> id of what was stored in earlier windows.
    """

    acknowledged: dict[str, str]
    attempted: set[str]
    events: Sequence[Entry]
    notes: Sequence[Entry] | None
    before: dict[str, str]


def stood_still(
    verdict: Verdict, listeners: Sequence[Listener], failures: Iterable[float], begun: float
) -> None:
    """Adds how long listeners heard nothing, and when it was over; `begun` is when it began."""
    for listener in listeners:
        listener.end()
    silences = [(end - begin, begin, one.kind) for one in listeners for begin, end in one.silences]
    longest = [max((end - begin for begin, end in one.silences), default=0.0) for one in listeners]
    verdict.typical_silence = median(longest) if longest else 0.0
    if silences:
        verdict.silence, since, kind = max(silences)
        verdict.silent = f"{kind}, after {since - begun:.1f} s"
    ends = [
        since + lasted for lasted, since, _ in silences if lasted > LONG_SECONDS and since + lasted > begun
    ]
    verdict.back_after = max([0.0, *(end - begun for end in (*ends, *failures))])


def stored(verdict: Verdict, written: Written) -> None:
    """Compares what was acknowledged with what is stored."""
    events, before, attempted = written.events, written.before, written.attempted
    old = set(before.values())
    ids = dict(events)
    kept = ids
    if written.notes is not None:
        kept = {name: text for name, text in written.notes if name not in old and text in attempted}
    verdict.acknowledged, verdict.stored = len(written.acknowledged), len(events)
    lost = [
        text for text, name in written.acknowledged.items() if not ids.get(name) == kept.get(name) == text
    ]
    counted = Counter([*(text for _, text in events), *(text for text in before if text in ids.values())])
    doubled = {text for text, count in (*counted.items(), *Counter(kept.values()).items()) if count > 1}
    divergent = {name for name, text in events if text not in attempted} | (ids.keys() ^ kept.keys())
    verdict.lost, verdict.doubled, verdict.divergent = len(lost), len(doubled), len(divergent)
    for what, found in (("lost", lost), ("stored twice", doubled), ("divergent", divergent)):
        verdict.examples += [f"  {what}: {each}" for each in sorted(found)[:3]]


def listened(verdict: Verdict, listeners: Sequence[Listener], end: str) -> None:
    """Adds what the listeners received, of all events up to the position `end`."""
    verdict.listeners = len(listeners)
    for listener in listeners:
        missed = listener.ledger.lost + listener.ledger.missing(end)
        verdict.missed += missed
        verdict.doubled += listener.doubled
        verdict.received += listener.received
        verdict.cuts += listener.cuts
        verdict.refused.update(f"{listener.kind} {how}" for how in listener.refusals.elements())
        if (missed or listener.doubled) and len(verdict.examples) < 9:
            verdict.examples.append(
                f"  {listener.kind}: {missed} missed, {listener.doubled} twice, at {listener.ledger.cursor}"
            )
