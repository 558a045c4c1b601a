"""Workers are spread evenly over the cores, or left to the system."""

from __future__ import annotations

import os

import pytest

from wsgi_app import cores


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4, 5}, raising=False)


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize(
    ("workers", "taken", "chosen"),
    [(4, [], 0), (4, [0, 1, 5], 4), (8, [0, 1, 4, 5, 0, 1, 4], 5), (4, [None, 7], 0)],
)
def test_a_worker_gets_the_core_that_has_the_fewest(
    workers: int, taken: list[int | None], chosen: int
) -> None:
    assert cores.choose(workers, taken) == chosen


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize("workers", [1, 2, 3, 5, 6])
def test_workers_that_cannot_be_spread_evenly_may_run_anywhere(workers: int) -> None:
    assert cores.choose(workers, []) is None


def test_where_there_is_no_affinity_workers_may_run_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cores.choose(4, []) is None


def test_a_core_that_is_gone_keeps_no_worker_from_running() -> None:
    cores.stay_on(100_000)
    cores.stay_on(None)
