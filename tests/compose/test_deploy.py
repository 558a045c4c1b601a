"""`make deploy` in containers: nobody notices, and a bad version never takes over."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from prove.traffic import Load, Traffic
from tests.harness.clients import http, wait_for
from tests.harness.compose import ComposeStack

WSGI = ("wsgi_app/notes/pages.py", '"ok"', '"new"')
ASGI = ("asgi_app/health.py", '"ok"', '"new"')
REDIS = ("redis/redis.conf", "slowlog-max-len 128", "slowlog-max-len 129")
STATIC = ("wsgi_app/notes/static/offline-worker.js", "MOST_PAGES = 20", "MOST_PAGES = 30")
NGINX = ("nginx/templates/server.conf.template", 'return 200 "ok', 'return 200 "new')
HEALTH = {"wsgi": "/healthz", "asgi": "/ws/healthz"}
LOAD = Load(sockets=30, streams=2, polls=2)


@contextmanager
def edited(stack: ComposeStack, *edits: tuple[str, str, str]) -> Iterator[None]:
    """The clone with those changes; afterwards it is as before, and that runs."""
    before = {name: (stack.root / name).read_text() for name, _, _ in edits}
    try:
        for name, old, new in edits:
            assert before[name].count(old) == 1
            (stack.root / name).write_text(before[name].replace(old, new))
        yield
    finally:
        for name, text in before.items():
            (stack.root / name).write_text(text)
        stack.upgrade()


def ids(stack: ComposeStack) -> dict[str, set[str]]:
    """The containers of each service."""
    found: dict[str, set[str]] = {}
    for container in stack.containers().values():
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        found.setdefault(service, set()).add(container["Id"])
    return found


def nginx_says(stack: ComposeStack) -> str:
    return stack.exec("nginx", "curl", "-s", "http://127.0.0.1:8080/ws/nginx/healthz")


def main_script(client: httpx.Client) -> str:
    """The address of the wall's script."""
    return re.findall(r'"(/static/[^"]+/main.js)"', client.get("/").text)[0]


def test_a_deploy_is_not_noticed_and_leaves_alone_what_has_not_changed(stack: ComposeStack) -> None:
    before = ids(stack)
    stack.redis_cli("set", "kept", "yes")
    with edited(stack, WSGI, ASGI, NGINX, REDIS):
        with Traffic(stack.base_url, LOAD) as traffic:
            assert traffic.steady()
            traffic.begin()
            said = stack.deploy().stdout
            assert traffic.calm()
            verdict = traffic.check()
        assert verdict.holds, verdict
        # A Redis that is slow because the machine is busy is none of the deploy's doing.
        failed = [how for how in verdict.failed + verdict.refused if not how.endswith("503")]
        assert not failed, f"{verdict}\n{said}"
        with http(stack) as client:
            for _ in range(10):
                assert [client.get(path).json()["status"] for path in HEALTH.values()] == ["new", "new"]
        assert nginx_says(stack) == "new\n"
        after = ids(stack)
        assert before["wsgi"].isdisjoint(after["wsgi"])
        assert before["asgi"].isdisjoint(after["asgi"])
        assert [len(after["wsgi"]), len(after["asgi"])] == [1, 2]
        assert before["redis"].isdisjoint(after["redis"])
        assert after["nginx"] == before["nginx"]
        # What it does is said.
        steps = re.findall(r"^  asgi +(\w+(?: \w+)?)", said, re.MULTILINE)
        assert steps == ["starting 2", "stopping old", "stopping old", "replaced"], said
        # Nobody else gets the data of a Redis that runs: a successor waits for it.
        asked = "flock --nonblock --conflict-exit-code 9 /data/lock true; echo $?"
        assert stack.exec("redis", "sh", "-c", asked) == "9\n"
        said = stack.deploy().stdout
        assert said.count("has not changed") == 4, said
        assert ids(stack) == after
        # What a running nginx was given outlives its restart.
        stack.compose("restart", "nginx")
        wait_for(lambda: nginx_says(stack) == "new\n", "nginx after a restart", 30)
    # `up --build` has taken Redis' changed configuration, too, and the data has stayed.
    assert stack.redis_cli("config", "get", "slowlog-max-len").split()[1] == "128"
    assert stack.redis_cli("get", "kept") == "yes"


BAD = {
    "wsgi": ("wsgi_app/app.py", "    app = App(", '    raise RuntimeError("unfit")\n    app = App('),
    "asgi": ("asgi_app/__main__.py", "    configured =", '    raise SystemExit("unfit")\n    configured ='),
    "nginx": ("nginx/templates/gzip.conf.template", "gzip_", "unfit on; gzip_"),
    "redis": ("redis/redis.conf", "maxmemory 256mb", "maxmemory unfit"),
}


def worker(client: httpx.Client) -> str:
    """What has an address without a version."""
    return client.get("/offline-worker.js").text


@pytest.mark.parametrize("service", BAD)
def test_a_bad_version_never_takes_over(stack: ComposeStack, service: str) -> None:
    before = ids(stack)
    edits = [BAD[service]] + [STATIC] * (service == "nginx")
    texts = {name: (stack.root / name).read_text() for name, _, _ in edits}
    for name, old, new in edits:
        (stack.root / name).write_text(texts[name].replace(old, new, 1))
    try:
        answer = stack.deploy(service, check=False)
    finally:
        for name, text in texts.items():
            (stack.root / name).write_text(text)
    assert answer.returncode == 1
    assert "the old one serves on" in answer.stderr
    assert "unfit" in answer.stderr
    assert ids(stack) == before
    with http(stack) as client:
        assert client.get("/readyz").status_code == client.get("/ws/readyz").status_code == 200
        assert "MOST_PAGES=20" in worker(client)
    # The names mean the old images again.
    stack.compose("up", "--no-build", "--wait")
    assert ids(stack) == before


def test_a_deploy_that_is_cut_short_leaves_the_old_one_and_the_next_cleans_up(stack: ComposeStack) -> None:
    old = ids(stack)["wsgi"]
    with http(stack) as client:
        script = main_script(client)
    with edited(stack, WSGI, STATIC):
        for cut, left in ((signal.SIGINT, 1), (signal.SIGKILL, 2)):
            running = stack.start_deploy("wsgi")
            wait_for(lambda: len(ids(stack)["wsgi"]) == 2, "the new container", 120)
            os.killpg(running.pid, cut)
            running.wait()
            assert len(ids(stack)["wsgi"]) == left
            assert ids(stack)["wsgi"] >= old
            with http(stack) as client:
                assert client.get("/healthz").json()["status"] == "ok"
                assert "MOST_PAGES=20" in worker(client)
        stack.deploy("wsgi")
        assert len(ids(stack)["wsgi"]) == 1
        with http(stack) as client:
            assert client.get("/healthz").json()["status"] == "new"
            # The static files came with it, and those of pages that are open stay.
            assert main_script(client) != script
            assert client.get(main_script(client)).status_code == client.get(script).status_code == 200
            stack.compose("restart", "nginx")
            wait_for(lambda: "MOST_PAGES=30" in worker(client), "nginx after a restart", 30)
        assert nginx_says(stack) == "ok\n"
