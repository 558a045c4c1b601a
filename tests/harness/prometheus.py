"""A real Prometheus: one that a test starts, or that runs in a container."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from local.settings import ROOT
from tests.harness.clients import wait_for
from tests.harness.local import LocalStack, free_port

FOLDER = ROOT / "observability"
DASHBOARD = FOLDER / "grafana" / "corkboard.json"
# What Grafana would put in, fit for a test that does not take an hour.
INTERVAL = "10s"


def missing(program: str) -> str | None:
    """Why `program`, promtool or prometheus, cannot be run; None when it can."""
    return None if shutil.which(program) else f"no {program} on PATH; Debian's package prometheus has it"


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Each query of the dashboard as Prometheus takes it, after the title of its panel."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", INTERVAL)


def rules() -> list[dict[str, Any]]:
    """All rules, recordings and alerts."""
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


class Asked:
    """A running server."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def ask(self, path: str, **parameters: str) -> Any:
        """What its API answers.

        Raises:
            AssertionError: it does not understand the question.
        """
        answer = httpx.get(f"{self.base_url}/api/v1/{path}", params=parameters, trust_env=False, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def highest(self, query: str, start: float, end: float) -> float | None:
        """The highest value that a query had in that time (Unix time); None when it never had any."""
        found = self.ask("query_range", query=query, start=str(start), end=str(end), step="1")["result"]
        values = [float(value) for series in found for _, value in series["values"]]
        return max((value for value in values if not math.isnan(value)), default=None)

    def is_up(self, job: str, count: int) -> bool:
        """Whether so many targets of a job answer."""
        found = [target for target in self.ask("targets")["activeTargets"] if target["labels"]["job"] == job]
        return len(found) == count and all(target["health"] == "up" for target in found)


class Prometheus(Asked):
    """A server of this machine, with the project's own configuration for `make up` without Docker.

    It looks every second instead of every 15, and at a stack of the test's.
    """

    def __init__(self, stack: LocalStack) -> None:
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        self._stack = stack
        self._folder = Path(tempfile.mkdtemp(prefix="corkboard-prometheus-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        text = (FOLDER / "local.yml").read_text()
        text = re.sub(r"(scrape|evaluation)_interval: 15s", r"\1_interval: 1s", text)
        targets = str(self._stack.state.run / "prometheus.json")
        assert "../.corkboard/run/prometheus.json" in text
        text = text.replace("../.corkboard/run/prometheus.json", targets)
        (self._folder / "local.yml").write_text(text)
        shutil.copy(FOLDER / "rules.yml", self._folder)
        command = [
            "prometheus",
            f"--config.file={self._folder / 'local.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self._is_ready, "Prometheus to start")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_ready(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self._folder / "log").read_text()
        return httpx.get(f"{self.base_url}/-/ready", trust_env=False).status_code == 200
