"""A project of somebody else's, with its own Dockerfile and database, that includes the engine."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from local.settings import ROOT
from tests.harness.clients import http, wait_for
from tests.harness.compose import ComposeStack, engine_missing, example

EXAMPLE = ROOT / "examples" / "compose"


@pytest.fixture(scope="module")
def project() -> Iterator[ComposeStack]:
    if reason := engine_missing():
        pytest.skip(reason)
    with ComposeStack(prepare=example, env_file=".env") as stack:
        yield stack


def listening(page: str) -> dict[str, Any]:
    """What the page tells its script."""
    (attribute,) = re.findall(r"data-realtime='([^']*)'", page)
    found: dict[str, Any] = json.loads(html.unescape(attribute))
    return found


def page(project: ComposeStack) -> httpx.Response:
    with http(project) as client:
        return client.get("/", headers={"Accept": "text/html"})


def test_it_takes_at_most_eight_lines() -> None:
    files = [path for path in EXAMPLE.iterdir() if path.name in ("compose.yaml", "Dockerfile", ".env")]
    assert len(files) == 3
    lines = [line for path in files for line in path.read_text().splitlines() if "orkboard" in line]
    assert all(line.endswith("# Corkboard") for line in lines)
    assert len(lines) <= 8


def test_nothing_of_the_clone_is_edited(project: ComposeStack) -> None:
    own = {path.name for path in project.root.iterdir()} - {"compose.override.yaml"}
    assert own == {"corkboard", *(path.name for path in EXAMPLE.iterdir())} - {"__pycache__"}
    assert (project.root / "corkboard" / "docker-compose.yml").read_text() == (
        ROOT / "docker-compose.yml"
    ).read_text()


def test_the_engine_runs_and_the_demo_does_not(project: ComposeStack) -> None:
    services = {
        container["Config"]["Labels"]["com.docker.compose.service"]
        for container in project.containers().values()
    }
    assert services == {"nginx", "web", "asgi", "redis", "secrets"}


def test_the_page_comes_through_nginx_as_the_app_made_it(project: ComposeStack) -> None:
    answer = page(project)
    assert answer.status_code == 200
    assert "content-security-policy" not in answer.headers
    assert answer.headers["server"] == "gunicorn"
    assert listening(answer.text)["topics"].keys() == {"todo"}
    (script,) = re.findall(r'src="(/ws/[^"]+)"', answer.text)
    with http(project) as client:
        assert client.get(script).status_code == 200


def test_what_the_app_publishes_reaches_a_websocket(project: ComposeStack) -> None:
    found = listening(page(project).text)
    query = httpx.QueryParams(topic="todo", since=found["topics"]["todo"], ticket=found["ticket"])
    with http(project) as client, connect(f"{project.base_url.replace('http', 'ws')}/ws?{query}") as socket:
        assert json.loads(socket.recv(30))["op"] == "subscribed"
        assert client.post("/", data={"thing": "water the plants"}).status_code == 302
        while (message := json.loads(socket.recv(30)))["op"] != "event":
            pass
        assert (message["type"], message["data"]) == ("todo.added", {"thing": "water the plants"})
    assert "<li>water the plants</li>" in page(project).text


def test_a_topic_is_closed_to_who_was_not_asked_for(project: ComposeStack) -> None:
    with http(project) as client:
        assert client.get("/ws/poll?topic=todo&timeout=0").status_code == 401
        assert client.get("/ws/poll?topic=board:main&timeout=0").status_code == 401


def test_a_deploy_of_the_app_keeps_its_data_and_is_found_again(project: ComposeStack) -> None:
    with http(project) as client:
        client.post("/", data={"thing": "feed the cat"})
    project.compose("stop", "web")
    away = page(project)
    assert away.status_code in (502, 504)
    assert "Away for a moment" in away.text
    project.recreate("web")
    wait_for(lambda: "feed the cat" in page(project).text, "the page of the new container")


def test_settings_of_the_project_reach_the_engine(project: ComposeStack) -> None:
    Path(project.root / ".env").write_text("APP_SERVER=web:8000\nMAX_BODY=1k\n")
    project.upgrade()
    with http(project) as client:
        assert client.post("/", data={"thing": "x" * 2000}).status_code == 413
