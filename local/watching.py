"""Where a Prometheus on this machine finds the metrics of the running stack."""

from __future__ import annotations

import json
from collections.abc import Mapping

from local.state import State

# As they are called in observability/prometheus.yml.
JOBS = {"asgi": "corkboard-sidecar", "wsgi-metrics": "corkboard-demo"}


def write_targets(state: State, ports: Mapping[str, int]) -> None:
    """Writes run/prometheus.json, which observability/local.yml names; Prometheus notices each change.

    https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
    """
    targets = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"job": job}}
        for name, port in ports.items()
        for service, job in JOBS.items()
        if name == service or name.startswith(f"{service}-")
    ]
    new = state.run / "prometheus.json.new"
    new.write_text(json.dumps(targets))
    new.replace(state.run / "prometheus.json")
