"""What `make prove` counts as lost, doubled, missed and divergent."""

from __future__ import annotations

import time

import pytest

from prove.listening import Events, Listener
from prove.verdict import Entry, Verdict, Written, listened, stood_still, stored

ONE, TWO, THREE = ("id1", "one"), ("id2", "two"), ("id3", "three")


def verdict(
    acknowledged: list[Entry],
    events: list[Entry],
    notes: list[Entry] | None,
    before: list[Entry] | None = None,
    attempted: tuple[str, ...] = ("one", "two", "three"),
) -> Verdict:
    found = Verdict()
    texts = {text: name for name, text in acknowledged}
    earlier = {text: name for name, text in before or []}
    stored(found, Written(texts, set(attempted), events, notes, earlier))
    return found


def broken(found: Verdict) -> tuple[int, int, int]:
    return found.lost, found.doubled, found.divergent


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (verdict([ONE, TWO], [ONE, TWO], [TWO, ONE]), (0, 0, 0)),
        (verdict([ONE, TWO], [ONE, TWO], None), (0, 0, 0)),
        # Nobody was told, so it may be there once.
        (verdict([ONE], [ONE, TWO], [TWO, ONE]), (0, 0, 0)),
        (verdict([ONE, TWO], [ONE], [ONE]), (1, 0, 0)),
        (verdict([ONE, TWO], [ONE], None), (1, 0, 0)),
        # An event without its note, and a note without its event.
        (verdict([ONE], [ONE, TWO], [ONE]), (0, 0, 1)),
        (verdict([ONE], [ONE], [ONE, TWO]), (0, 0, 1)),
        # One write under two ids.
        (verdict([ONE], [ONE, ("id9", "one")], [ONE, ("id9", "one")]), (0, 1, 0)),
        (verdict([], [("id9", "one")], [("id9", "one"), ONE], before=[ONE]), (0, 1, 0)),
        # What nobody wrote.
        (verdict([], [("id9", "nine")], None), (0, 0, 1)),
        # Of an earlier window.
        (verdict([TWO], [TWO], [TWO, ONE], before=[ONE]), (0, 0, 0)),
    ],
)
def test_what_was_acknowledged_is_stored_once(found: Verdict, expected: tuple[int, int, int]) -> None:
    assert broken(found) == expected
    assert found.holds == (expected == (0, 0, 0))


def listener(events: Events, *ids: str) -> Listener:
    one = Listener(events)
    one.subscribed("e-0", recovered=True)
    for each in ids:
        one.heard(each, b'{"n": "%b"}' % each.encode())
    return one


@pytest.mark.parametrize(
    ("ids", "missed", "doubled"),
    [
        (["e-1", "e-2", "e-3"], 0, 0),
        (["e-1", "e-2"], 1, 0),
        (["e-1", "e-3"], 1, 0),
        (["e-1", "e-2", "e-2", "e-3"], 0, 1),
    ],
)
def test_every_listener_must_receive_all_once(ids: list[str], missed: int, doubled: int) -> None:
    found = Verdict()
    listened(found, [listener(Events(), "e-1", "e-2", "e-3"), listener(Events(), *ids)], "e-3")
    assert (found.missed, found.doubled) == (missed, doubled)
    assert found.holds == (not missed and not doubled)


def test_an_event_that_cannot_be_recovered_is_missed() -> None:
    found, one = Verdict(), listener(Events(), "e-1")
    one.subscribed("e-3", recovered=False)
    listened(found, [one], "e-3")
    assert found.missed == 2


def test_the_same_id_with_another_content_is_found() -> None:
    events = Events()
    events.compare("e-1", b'{"a":1,"b":2}')
    events.compare("e-1", b'{"b": 2, "a": 1}')
    assert not events.differing
    events.compare("e-1", b'{"a":1}')
    assert events.differing == {"e-1"}


def test_a_silence_that_lasts_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    one, other = listener(Events(), "e-1"), listener(Events(), "e-1")
    now += 3
    one.heard("e-2", b"{}")
    now += 0.2
    other.heard("e-2", b"{}")
    found = Verdict()
    stood_still(found, [one, other], [], now - 4)
    assert (round(found.silence, 1), round(found.typical_silence, 1)) == (3.2, 3.1)
    assert found.back_after is not None
    assert round(found.back_after, 1) == 4.0
    assert found.silent == f"{one.kind}, after 0.8 s"
