"""The experiments against the running sidecar, with few clients."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import fanout, reconnect_storm
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


def test_delays_are_measured_beside_event_streams_and_polls(sidecar: Target) -> None:
    found = fanout.delay(sidecar, CLIENTS, 20, 0.5, streams=2, polls=2)
    assert 0 < found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"] <= found["max_ms"] < 10_000


def test_after_a_reconnect_storm_every_client_has_what_it_missed(sidecar: Target) -> None:
    found = reconnect_storm.reconnect(sidecar, CLIENTS)
    assert found["clients_with_wrong_events"] == 0
    assert 0 < found["connected_seconds"] <= found["seconds"]
