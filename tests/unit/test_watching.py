"""Rules, alerts and the dashboard agree with each other, with the metrics, and with the page about them."""

from __future__ import annotations

import re
import subprocess
from itertools import combinations

import pytest
import yaml
from prometheus_client import REGISTRY

import asgi_app.metrics  # noqa: F401  (registers its metrics)
import wsgi_app.metrics  # noqa: F401
from asgi_app.redis_numbers import FILLED, NUMBERS
from local.settings import ROOT
from tests.harness.prometheus import DASHBOARD, FOLDER, missing, panels, queries, rules
from tests.unit.test_docs import anchors

ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
SERIES = {
    f"{family.name}{suffix}"
    for family in REGISTRY.collect()
    for suffix in {
        "counter": ("_total",),
        "gauge": ("",),
        "histogram": ("_bucket", "_count", "_sum"),
    }.get(family.type, ())
} | {FILLED, *(number.name for number in NUMBERS)}


@pytest.mark.skipif(missing("promtool") is not None, reason=str(missing("promtool")))
@pytest.mark.parametrize(
    "words",
    [
        ["check", "config", "prometheus.yml"],
        ["check", "config", "--syntax-only", "local.yml"],
        ["test", "rules", "rules.test.yml"],
    ],
    ids=" ".join,
)
def test_promtool_accepts(words: list[str]) -> None:
    result = subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_tested_and_says_what_is_wrong_and_where_to_read_on(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("page", "warning")
    assert alert["annotations"]["summary"].endswith(".")
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert anchor in anchors(ROOT / page)
    tests = yaml.safe_load((FOLDER / "rules.test.yml").read_text())["tests"]
    assert [
        case
        for test in tests
        for case in test.get("alert_rule_test", [])
        if case["alertname"] == name and case["exp_alerts"]
    ]


def test_the_page_says_what_each_alert_means() -> None:
    page = (ROOT / "docs" / "how-to" / "watch.md").read_text()
    assert set(re.findall(r"`(Corkboard\w+)`", page)) == ALERTS.keys()


def test_rules_and_panels_ask_for_what_there_is() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for query in [*(rule["expr"] for rule in rules()), *(query for _, query in queries())]:
        names = set(re.findall(r"\bcorkboard[:_][\w:]+", query))
        assert names <= SERIES | recorded, query


def test_the_dashboard_fits_a_screen_and_no_panel_covers_another() -> None:
    places = [panel["gridPos"] for panel in panels()]
    assert len({panel["id"] for panel in panels()}) == len(places)
    assert max(place["x"] + place["w"] for place in places) == 24
    assert max(place["y"] + place["h"] for place in places) <= 27  # 1,080 pixels
    for one, other in combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        ), (one, other)


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_is_explained_and_asks_the_chosen_prometheus(panel: dict[str, object]) -> None:
    assert panel["title"]
    assert str(panel["description"]).endswith(".")
    assert panel["type"] in ("stat", "timeseries", "heatmap")
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]


def test_grafana_finds_the_dashboard_where_the_image_has_it() -> None:
    provider = yaml.safe_load((FOLDER / "grafana" / "dashboards.yml").read_text())["providers"][0]
    image = (FOLDER / "Dockerfile").read_text()
    assert f"{DASHBOARD.relative_to(FOLDER)} {provider['options']['path']}/" in image


def test_prometheus_and_grafana_answer_on_this_machine_only() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.observability.yml").read_text())["services"]
    assert services.keys() == {"prometheus", "grafana"}
    for service in services.values():
        assert service["extends"] == {"file": "docker-compose.base.yml", "service": "server"}
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert service["mem_limit"]
        assert service["pids_limit"]
    assert any("retention.size" in word for word in services["prometheus"]["command"])
