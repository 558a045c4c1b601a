"""How many listen to a topic, over all processes, is told soon, seldom, and rightly even after a death."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress

from tests.harness.clients import Socket, wait_for
from tests.harness.local import LocalStack
from tests.harness.sidecar import replicas


def wait_for_count(socket: Socket, count: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while (said := socket.expect("presence", max(0.0, deadline - time.monotonic()))["count"]) != count:
        assert time.monotonic() < deadline, f"{said} are said to be here, not {count}"


def test_the_count_is_of_all_replicas_and_right_again_after_one_dies(
    local_stack: LocalStack, board: str
) -> None:
    one, two = replicas(local_stack)
    topic = f"board:{board}"
    with ExitStack() as exits:
        here = [exits.enter_context(Socket(one, topic=topic)) for _ in range(2)]  # type: ignore[arg-type]
        there = [exits.enter_context(Socket(two, topic=topic)) for _ in range(3)]  # type: ignore[arg-type]
        for socket in here + there:
            wait_for_count(socket, 5)
        there.pop().close()
        for socket in here:
            wait_for_count(socket, 4)
        two.process().kill()
        for socket in here:
            wait_for_count(socket, 2, 15)
    wait_for(lambda: two.number("reader_sessions_total"), "the other replica again", 60)


def test_who_comes_is_told_also_when_another_leaves_at_the_same_moment(
    local_stack: LocalStack, board: str
) -> None:
    replica = replicas(local_stack)[0]
    with Socket(replica, topic=f"board:{board}") as first:  # type: ignore[arg-type]
        wait_for_count(first, 1)
        for _ in range(3):
            # As when a page is loaded again: the number stays the same, but the page does not know it.
            first.close()
            first = Socket(replica, topic=f"board:{board}")  # type: ignore[arg-type]
            wait_for_count(first, 1)
        first.close()


def test_however_many_come_and_go_it_is_told_once_a_second(local_stack: LocalStack, board: str) -> None:
    topic = f"board:{board}"
    with Socket(local_stack, topic=topic) as socket, ExitStack() as staying:
        begun = time.monotonic()
        told = guests = 0
        while (passed := time.monotonic() - begun) < 5 or guests < 30:
            guest = Socket(local_stack, topic=topic)
            guests += 1
            with suppress(TimeoutError):
                socket.expect("presence", 0.05)
                told += 1
            # Only every other one goes again, so that each time there is something to tell.
            if guests % 2:
                guest.close()
            else:
                staying.enter_context(guest)
    # Counted, not timed one by one: a machine that stands still delivers two right after each other.
    # Two more than seconds: one at either end.
    assert 2 <= told <= passed + 2
