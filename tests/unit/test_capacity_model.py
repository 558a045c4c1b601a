"""The calculation of what many clients take, against measurements that none of its costs was taken from."""

from __future__ import annotations

import re

import pytest

from bench.capacity import MOST_SOCKETS, need, sidecar_cores
from local.settings import ROOT

MEASURED = (ROOT / "docs" / "explanation" / "performance.md").read_text()
CLIENTS = 1000


@pytest.mark.parametrize("events", [20, 100])
def test_what_sidecars_use_is_within_a_quarter_of_what_was_measured(events: int) -> None:
    table = MEASURED.split(f"### Delay, {events} events per second")[1]
    row = re.search(r"^\| Corkboard \|[^|]*\| ([0-9.]+) \|", table, re.MULTILINE)
    assert row
    assert sidecar_cores(CLIENTS, events * CLIENTS) == pytest.approx(float(row[1]), rel=0.25)


def test_no_process_is_planned_to_its_limit() -> None:
    for clients in (100, 10_000, 200_000):
        found = need(clients, 2, 50, 1000, clients)
        assert clients / found.sidecars < MOST_SOCKETS * 0.7
        assert found.sidecar_cores / found.sidecars < 0.7
