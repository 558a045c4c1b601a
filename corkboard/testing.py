"""For an app's own tests with pytest, which finds the fixture by itself where the kit is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from corkboard.publish import Event, recorders


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Event]]:
    """The events that the test's code has published, in order. Nothing is sent, and no server is needed."""
    monkeypatch.setenv("CORKBOARD_URL", "off")
    events: list[Event] = []
    recorders.append(events.append)
    yield events
    recorders.remove(events.append)
