"""Clients that ask for a socket and are gone before the answer."""

from __future__ import annotations

import time

import pytest

from tests.harness.local import LocalStack
from tests.harness.sidecar import RawSocket
from tests.harness.visitor import Visitor
from tests.hostile.conftest import ATTACKER

SECONDS = 4
PER_SECOND = 150


@pytest.mark.usefixtures("remembers")
def test_handshakes_that_nobody_waits_for_disturb_nobody(stack: LocalStack, visitor: Visitor) -> None:
    idle = visitor.watch(3)
    begun = time.monotonic()
    for number in range(SECONDS * PER_SECOND):
        time.sleep(max(0, begun + number / PER_SECOND - time.monotonic()))
        RawSocket.hang_up_early(stack.base_url, ATTACKER)
    visitor.report().undisturbed(idle)
