"""What nginx answers while the service behind it is away."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from local.supervisor import Supervisor
from tests.harness.clients import http, wait_for
from tests.harness.local import LocalStack


@pytest.fixture
def without_apps(local_stack: LocalStack) -> Iterator[httpx.Client]:
    supervisor = Supervisor(local_stack.state)
    try:
        for name in ("wsgi", "asgi-1", "asgi-2"):
            supervisor.stop_one(name)
        with http(local_stack) as client:
            yield client
    finally:
        local_stack.start()


def test_a_service_that_is_away_is_a_problem_that_says_when_to_come_back(without_apps: httpx.Client) -> None:
    for path in ("/", "/api/notes", "/ws", "/ws/events", "/ws/poll", "/ws/readyz"):
        response = without_apps.get(path)
        assert response.status_code in (502, 503)
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) > 0
        assert response.json()["request_id"] == response.headers["x-request-id"]


def test_a_ticket_stays_out_of_the_error_log_too(without_apps: httpx.Client, local_stack: LocalStack) -> None:
    for path in ("/ws", "/ws/events", "/ws/poll"):
        without_apps.get(f"{path}?ticket=Secret.Ticket-4711")
    request_id = without_apps.get("/readyz").headers["x-request-id"]
    wait_for(lambda: request_id in local_stack.logs("nginx"), "the last request in the log")
    assert "Ticket-4711" not in local_stack.logs("nginx")


def test_static_files_and_the_health_check_need_no_app(without_apps: httpx.Client) -> None:
    assert without_apps.get("/ws/nginx/healthz").status_code == 200
    assert without_apps.get("/static/12345678/nowhere").status_code == 404
