"""Prometheus in a container finds every replica by name. Grafana's image cannot be had without a registry."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.harness.clients import wait_for
from tests.harness.compose import ComposeStack
from tests.harness.local import free_port
from tests.harness.prometheus import Asked, queries, rules

FILES = ("-f", "docker-compose.yml", "-f", "docker-compose.observability.yml")


@dataclass(frozen=True)
class Watching:
    """The running container, and what the engine says about it."""

    prometheus: Asked
    container: dict[str, Any]
    logs: str


@pytest.fixture(scope="module")
def watching(stack: ComposeStack) -> Iterator[Watching]:
    port = free_port()
    stack.environment["PROMETHEUS_PORT"] = str(port)
    volume = f"{stack.project}_prometheus-data"
    try:
        stack.compose(*FILES, "up", "--build", "--no-deps", "--wait", "prometheus")
        prometheus = Asked(f"http://127.0.0.1:{port}")
        for job, count in (("corkboard-sidecar", 2), ("corkboard-demo", 1)):
            wait_for(lambda job=job, count=count: prometheus.is_up(job, count), f"{job} to be found")  # type: ignore[misc]
        identity = stack.compose(*FILES, "ps", "--quiet", "prometheus").strip()
        found = subprocess.run(["docker", "inspect", identity], check=True, capture_output=True, text=True)
        logs = stack.compose(*FILES, "logs", "--no-log-prefix", "prometheus")
        yield Watching(prometheus, json.loads(found.stdout)[0], logs)
    finally:
        stack.compose(*FILES, "rm", "--stop", "--force", "prometheus")
        # `down` without the second file would not know of them.
        for kind, name in (("volume", volume), ("image", f"{stack.project}-prometheus")):
            subprocess.run(["docker", kind, "rm", name], capture_output=True, check=False)
        del stack.environment["PROMETHEUS_PORT"]


def test_it_has_loaded_every_rule_and_understands_every_panel(watching: Watching) -> None:
    groups = watching.prometheus.ask("rules")["groups"]
    assert sum(len(group["rules"]) for group in groups) == len(rules())
    for _, query in queries():
        watching.prometheus.ask("query", query=query)


def test_it_holds_no_right_and_its_memory_disk_and_logs_are_bounded(watching: Watching) -> None:
    host = watching.container["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert host["LogConfig"]["Config"]["max-size"]
    assert [mount["Type"] for mount in watching.container["Mounts"]] == ["volume"]
    assert watching.container["Config"]["User"] not in ("", "root", "0")
    flags = watching.prometheus.ask("status/flags")
    assert flags["storage.tsdb.retention.size"] != "0B"
    assert flags["storage.tsdb.retention.time"] == "15d"


def test_it_answers_on_this_machine_only(watching: Watching) -> None:
    ports = watching.container["NetworkSettings"]["Ports"]["9090/tcp"]
    assert [port["HostIp"] for port in ports] == ["127.0.0.1"]


def test_it_complains_of_nothing(watching: Watching) -> None:
    assert not re.findall(r".*level=(?:ERROR|error|WARN|warn).*", watching.logs)
