"""The experiments against the running sidecar, with few clients."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import fanout
from bench.lossy_network import share_delivered
from bench.servers import Target
from bench.stack import Stack
from tests.harness.local import LocalStack

CLIENTS = 20
SECONDS = 3.0


@pytest.fixture
def sidecar(local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A sidecar of the shared stack."""
    monkeypatch.setenv("CORKBOARD_URL", "off")  # what the publisher would set, until the test ends
    return Stack(local_stack.state, local_stack.port).sidecar()


def test_fan_out_counts_every_delivery_once(sidecar: Target) -> None:
    found = fanout.throughput(sidecar, CLIENTS, 4, 0.5)
    assert found["repeated"] == 0
    assert found["deliveries_per_second"] > 0
    assert found["deliveries_per_cpu_second"] > 0
    assert found["sidecar_cpu_share"] == 1


def test_a_client_that_resumes_with_its_last_id_receives_every_event_once(sidecar: Target) -> None:
    found = share_delivered(sidecar, CLIENTS, 20, SECONDS)
    assert found["cuts"] == 2 * CLIENTS
    assert found["delivered_percent"] == 100
    assert found["lost"] == found["duplicates"] == found["out_of_order"] == 0


def test_the_lossy_network_experiment_counts_lost_events(sidecar: Target) -> None:
    forgetful = replace(sidecar, endpoint=replace(sidecar.endpoint, resume=b""))
    found = share_delivered(forgetful, CLIENTS, 20, SECONDS)
    assert 50 < found["delivered_percent"] < 100
    assert found["lost"] > 0
