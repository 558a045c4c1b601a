"""A thousand viewers are no thousand requests."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corkboard import publish
from tests.harness.clients import wait_for
from tests.harness.node import NODE

if TYPE_CHECKING:
    from tests.harness.local import LocalStack
    from tests.harness.orders import Orders

pytestmark = pytest.mark.browser

SCRIPT = Path(__file__).parents[1] / "harness" / "viewers.js"
VIEWERS = 1000
# Twice the default, which would take twice as long.
RATE = 100


@contextmanager
def crowd(base_url: str) -> Iterator[list[float]]:
    """A thousand viewers, connected and counted; gives when each of their requests began, in seconds."""
    process = subprocess.Popen(
        [NODE, str(SCRIPT), f"{base_url}/orders", str(VIEWERS)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    began: list[float] = []

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "ready":
                lines.append(line)
            else:
                began.append(float(line) / 1000)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        wait_for(lambda: lines or process.poll() is not None, "a thousand viewers", seconds=120)
        yield began
    finally:
        process.kill()
        process.wait()
        reader.join()


def most_in_a_second(times: list[float]) -> int:
    """Counted from the first one on."""
    return max(Counter(int(moment - min(times)) for moment in times).values())


def settle(times: list[float], seconds: float) -> None:
    """Returns when nothing was added for so long."""
    seen, last = len(times), time.monotonic()
    while time.monotonic() - last < seconds:
        time.sleep(0.2)
        if len(times) != seen:
            seen, last = len(times), time.monotonic()


def test_one_event_is_one_request_a_viewer_and_never_more_than_the_rate_in_a_second(
    orders: Orders, front: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORKBOARD_REFRESH_RATE", str(RATE))
    with crowd(front.base_url) as began:
        began.clear()
        orders.asked = []
        publish("orders", "order.placed")
        settle(began, 5)
        assert len(began) == VIEWERS
        assert most_in_a_second(began) <= RATE
        assert len(orders.asked) == VIEWERS

        began.clear()
        orders.asked = []
        start = time.monotonic()
        for number in range(50):
            time.sleep(max(0, start + number / 50 - time.monotonic()))
            publish("orders", "order.placed")
        settle(began, 5)
        # One more for viewers whose turn came while the fifty were on their way.
        assert VIEWERS <= len(began) <= 1.2 * VIEWERS
        assert most_in_a_second(began) <= RATE
        assert len(orders.asked) == len(began)
