"""`python -m prove.failover`: failovers of Redis, with partitions before them, under writes and listeners.

It starts its own servers, Sentinels and sidecar. It fails if an event gets the id of another one, or if a
client shows something else than what is stored. It counts writes that were acknowledged and are lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from local.settings import ROOT
from local.state import free_port
from prove.failover_traffic import BOARDS, Listener, Tally, Traffic, listed
from prove.replicas import Group, Node, wait

LONGEST_PARTITION = 0.5


@contextmanager
def sidecar(group: Group) -> Iterator[str]:
    """Runs a sidecar that follows the group's master; yields its WebSocket address.

    Raises:
        TimeoutError: it is not ready within a minute.
    """
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "REDIS_URL": f"redis+sentinel://{group.sentinels}",
        "REDIS_PASSWORD_FILE": str(group.folder / "asgi" / "redis_password"),
        "SECRET_KEY": "k" * 32,
        "ASGI_HOST": "127.0.0.1",
        "ASGI_PORT": str(port),
        "DRAIN_SECONDS": "0",
        "LOG_LEVEL": "error",
    }
    process = subprocess.Popen([sys.executable, "-m", "asgi_app"], cwd=ROOT, env=environment)
    try:
        with httpx.Client(trust_env=False) as client:
            wait(lambda: _ready(client, port), "the sidecar")
        yield f"ws://127.0.0.1:{port}/ws"
    finally:
        process.terminate()
        process.wait(30)


def _ready(client: httpx.Client, port: int) -> bool:
    try:
        return client.get(f"http://127.0.0.1:{port}/ws/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def one_round(group: Group, traffic: Traffic, tally: Tally, quick: bool = False) -> None:
    """Cuts the replica off for a while, kills or freezes the master, waits for the failover, and compares.

    `quick`: the master is always killed, and is started again as a replica.

    Raises:
        TimeoutError: a step of the failover took over a minute.
    """
    traffic.progress()
    master = group.master()
    partition = random.choice(
        [0.0, random.uniform(0, LONGEST_PARTITION), random.uniform(0, LONGEST_PARTITION)]
    )
    tally.partitioned += partition
    if partition:
        master.way.partition()
        time.sleep(partition)
    revive = _end(master, group, quick)
    wait(lambda: group.master() is not master, "another master")
    # Any answers: with WAIT_REPLICAS=1 nothing is acknowledged before the old master is back.
    traffic.answers()
    master.way.mend()
    revive()
    group.settle()
    traffic.progress()
    traffic.pause()
    compare(traffic, tally)
    traffic.resume()


def _end(master: Node, group: Group, quick: bool) -> Callable[[], None]:
    if quick or random.random() < 0.5:
        master.kill()
        # If it starts as a master, Sentinels take ten seconds to make it a replica.
        return (lambda: master.start(group.master())) if quick else master.start
    master.freeze()
    return master.thaw


def compare(traffic: Traffic, tally: Tally) -> None:
    """Compares what is stored with what was acknowledged, and with what each client shows."""
    stored = {board: listed(board) for board in BOARDS}
    for note, board in list(tally.acknowledged.items()):
        if note not in stored[board][1]:
            tally.lost += 1
            del tally.acknowledged[note]
    for board in BOARDS:
        texts = [json.loads(note)["text"] for note in stored[board][1].values()]
        tally.doubled += len(texts) - len(set(texts))
    for listener in traffic.listeners:
        try:
            wait(lambda shown=listener: _agrees(shown, stored), "a client")  # type: ignore[misc]
        except TimeoutError:
            tally.wrong.append(f"a client of {listener.board} at {listener.cursor} shows something else")


def _agrees(listener: Listener, stored: dict[str, tuple[str, dict[str, str]]]) -> bool:
    return listener.shown == stored[listener.board][1]


def prove(
    rounds: int, wait_replicas: int, say: Callable[[str], None] = lambda _: None, quick: bool = False
) -> Tally:
    """Runs `rounds` failovers one after the other; `say` gets a line after each.

    Args:
        wait_replicas: WAIT_REPLICAS of the writers, 0 or 1.
        quick: as for `one_round`.

    Raises:
        TimeoutError: a step of a failover took over a minute.
    """
    tally = Tally()
    with Group(wait_replicas) as group, sidecar(group) as url, Traffic(group, url, tally) as traffic:
        for number in range(1, rounds + 1):
            one_round(group, traffic, tally, quick)
            say(f"round {number}: {summary(tally)}")
    return tally


def summary(tally: Tally) -> str:
    """The counts as one line."""
    return (
        f"{len(tally.acknowledged) + tally.lost} acknowledged, {tally.lost} of them lost, "
        f"{tally.doubled} doubled, {tally.refused} refused; "
        f"{tally.deliveries} deliveries, {tally.divergent} divergent; "
        f"{tally.resyncs} lists fetched again, {len(tally.wrong)} wrong; {tally.partitioned:.1f} s cut off"
    )


def main() -> int:
    """The exit code: 0 if nothing diverged and, with `--wait`, nothing was lost or doubled; else 1."""
    parser = argparse.ArgumentParser(prog="python -m prove.failover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--wait", type=int, default=0, help="WAIT_REPLICAS of the app: 0 or 1")
    arguments = parser.parse_args()
    tally = prove(arguments.rounds, arguments.wait, lambda line: print(line, flush=True))
    for line in tally.wrong:
        print(line)
    return 1 if tally.divergent or tally.wrong or (arguments.wait and (tally.lost or tally.doubled)) else 0


if __name__ == "__main__":
    sys.exit(main())
