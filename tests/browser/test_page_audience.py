"""Hundreds of viewers are not hundreds of requests at once."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
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
VIEWERS = 300
# Twice the default, which would take twice as long.
RATE = 100


class Crowd:
    """All viewers: when each request began, and when the machine stood still for how long."""

    def __init__(self) -> None:
        self.is_ready = False
        self.requests: list[float] = []
        self.stalls: list[tuple[float, float]] = []

    def read(self, lines: Iterable[str]) -> None:
        """What the viewers write."""
        for line in lines:
            match line.split():
                case ["ready"]:
                    self.is_ready = True
                case ["request", at]:
                    self.requests.append(float(at) / 1000)
                case ["stall", at, length]:
                    self.stalls.append((float(at) / 1000, float(length) / 1000))

    def assert_rate(self, rate: float) -> None:
        """No second has more, but for what the machine held back just before."""
        start = min(self.requests)
        for second, count in Counter(int(at - start) for at in self.requests).items():
            held = sum(length for at, length in self.stalls if second - 1 <= at - start < second + 1)
            assert count <= rate * (1 + held), (second, held)


@contextmanager
def crowd(base_url: str) -> Iterator[Crowd]:
    """All viewers, connected and counted."""
    process = subprocess.Popen(
        [NODE, str(SCRIPT), f"{base_url}/orders", str(VIEWERS)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    viewers = Crowd()
    reader = threading.Thread(target=viewers.read, args=[process.stdout])
    reader.start()
    try:
        wait_for(lambda: viewers.is_ready or process.poll() is not None, "all viewers", seconds=120)
        yield viewers
    finally:
        process.kill()
        process.wait()
        reader.join()


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
    with crowd(front.base_url) as viewers:
        viewers.requests.clear()
        orders.asked = []
        publish("orders", "order.placed")
        settle(viewers.requests, 5)
        assert len(viewers.requests) == len(orders.asked) == VIEWERS
        viewers.assert_rate(RATE)

        viewers.requests.clear()
        orders.asked = []
        start = time.monotonic()
        for number in range(50):
            time.sleep(max(0, start + number / 50 - time.monotonic()))
            publish("orders", "order.placed")
        lasted = time.monotonic() - start
        settle(viewers.requests, 5)
        # One more for viewers whose turn came while the fifty were on their way.
        assert VIEWERS <= len(viewers.requests) <= VIEWERS + RATE * lasted
        assert len(viewers.requests) == len(orders.asked)
        viewers.assert_rate(RATE)
