"""What the deployment tells about itself: its API, a page to try it on, and its metrics to operators only."""

from __future__ import annotations

import json
import re

import httpx
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from tests.harness.api import problem
from tests.harness.clients import http
from tests.harness.local import LocalStack


def test_the_description_is_valid_openapi_and_known_by_its_tag(client: httpx.Client) -> None:
    answer = client.get("/api/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    validate(answer.json(), cls=OpenAPIV31SpecValidator)
    again = client.get("/api/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_has_no_inline_script_and_no_address_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page.text)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert addresses
    assert all(one.startswith(("/", "data:")) for one in addresses)


def test_the_assets_of_the_page_are_kept_for_a_year_under_their_version(client: httpx.Client) -> None:
    paths = re.findall(r'"(/docs/assets/[\d.]+/[^"]+)"', client.get("/docs").text)
    assert len(paths) == 2
    for path in paths:
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        packed = client.get(path, headers={"Accept-Encoding": "gzip"})
        for answer in (plain, packed):
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["content-type"] in (
                "text/css; charset=utf-8",
                "text/javascript; charset=utf-8",
            )
            assert "Accept-Encoding" in answer.headers["vary"]
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        # All of it fits into nginx's buffers: a slow reader does not hold a thread of the app.
        assert int(packed.headers["content-length"]) < 32 * 16 * 1024
        assert packed.content == plain.content
        problem(client.get(re.sub(r"[\d.]+/", "0.0.0/", path)), 404)


def test_the_metrics_count_requests_and_are_not_open_to_the_world(local_stack: LocalStack) -> None:
    ports = json.loads((local_stack.state.run / "ports.json").read_text())

    def count(route: str, method: str, status: int) -> float:
        text = httpx.get(f"http://127.0.0.1:{ports['wsgi-metrics']}/metrics", trust_env=False).text
        assert "corkboard_redis_call_seconds_bucket" in text
        labels = f'{{method="{method}",route="{route}",status="{status}"}}'
        found = re.search(rf"^corkboard_http_requests_total{re.escape(labels)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0

    with http(local_stack) as client:
        problem(client.get("/metrics"), 404)
        before = count("/api/notes", "POST", 422), count("unmatched", "other", 404)
        client.post("/api/notes", json={})
        for made_up in ("FOO", "BAR"):
            client.request(made_up, "/nowhere")
        assert (count("/api/notes", "POST", 422), count("unmatched", "other", 404)) == (
            before[0] + 1,
            before[1] + 2,
        )
