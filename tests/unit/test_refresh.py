"""When viewers fetch the page again: soon, all of them, and never more than so many in a second."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.harness.node import NODE

SCRIPT = Path(__file__).parents[1] / "harness" / "schedule.js"


def requests(**scenario: Any) -> list[list[float]]:
    """When each viewer's requests began, in seconds."""
    given = {"viewers": 1, "rate": 50, "events": [0], "away": [0, 0], "seconds": 120} | scenario
    command = [NODE, str(SCRIPT), json.dumps(given)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)  # type: ignore[no-any-return]


def most_in_a_second(viewers: list[list[float]]) -> int:
    """Over all of them."""
    return max(Counter(int(time) for times in viewers for time in times).values())


def test_a_lone_viewer_asks_at_once_and_then_once_a_second_at_most() -> None:
    (times,) = requests(events=[10, *(20 + number / 50 for number in range(500)), 60])
    assert times[0] == 10
    assert 60 in times
    storm = [time for time in times if 20 <= time < 32]
    assert storm[0] == 20
    assert all(later - earlier > 0.999 for earlier, later in pairwise(times))
    assert 10 <= len(storm) <= 12


def test_a_few_viewers_ask_within_a_second() -> None:
    assert all(0 <= time < 0.9 for (time,) in requests(viewers=20))


def test_a_thousand_viewers_ask_once_each_and_never_more_than_the_rate_in_a_second() -> None:
    for rate in (50, 200):
        viewers = requests(viewers=1000, rate=rate)
        assert [len(times) for times in viewers] == [1] * 1000
        assert most_in_a_second(viewers) <= rate
        # Nor much less: who comes last waits for less than twice as long as there is no way around.
        assert max(time for (time,) in viewers) < 2 * 1000 / rate


def test_events_without_end_are_no_more_requests_in_a_second() -> None:
    viewers = requests(viewers=300, rate=50, events=[number / 4 for number in range(400)], seconds=100)
    assert most_in_a_second(viewers) <= 50
    # All have their turn, again and again.
    assert min(map(len, viewers)) >= 7


def test_an_app_that_was_away_is_asked_by_all_and_never_by_more_than_the_rate_in_a_second() -> None:
    viewers = requests(viewers=300, rate=50, away=[0, 60], seconds=200)
    assert most_in_a_second(viewers) <= 50
    assert all(times[-1] > 60 for times in viewers)
    assert all(len(times) < 12 for times in viewers)
