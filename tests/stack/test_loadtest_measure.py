"""The benchmark's generators against the running sidecar: small, but the real thing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import fanout
from bench.jitter import jitter
from bench.servers import Target
from bench.stack import Stack
from tests.harness.local import LocalStack

CLIENTS = 20
SECONDS = 3.0


@pytest.fixture
def sidecar(local_stack: LocalStack) -> Target:
    """One process of the stack that all these tests share."""
    return Stack(local_stack.state, local_stack.port).sidecar()


def test_fan_out_counts_every_delivery_once(sidecar: Target) -> None:
    found = fanout.throughput(sidecar, CLIENTS, 4, 0.5)
    assert found["repeated"] == 0
    assert found["deliveries_per_second"] > 0
    assert found["deliveries_per_cpu_second"] > 0
    assert found["sidecar_cpu_share"] == 1


def test_who_is_cut_off_and_comes_back_with_its_last_id_gets_everything_once(sidecar: Target) -> None:
    found = jitter(sidecar, CLIENTS, 20, SECONDS)
    assert found["cuts"] == 2 * CLIENTS
    assert found["delivered_percent"] == 100
    assert found["lost"] == found["duplicates"] == found["out_of_order"] == 0


def test_the_jitter_test_sees_what_is_lost(sidecar: Target) -> None:
    forgetful = replace(sidecar, entrance=replace(sidecar.entrance, resume=b""))
    found = jitter(forgetful, CLIENTS, 20, SECONDS)
    assert 50 < found["delivered_percent"] < 100
    assert found["lost"] > 0
