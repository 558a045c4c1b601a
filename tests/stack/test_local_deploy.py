"""`make deploy` where there is no Docker: nobody notices, and a bad version never takes over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.supervisor import Supervisor
from prove.traffic import Load, Traffic
from tests.harness.clients import http
from tests.harness.compose import clone
from tests.harness.local import LocalStack

WSGI = Path("wsgi_app", "notes", "pages.py")
ASGI = Path("asgi_app", "health.py")
NGINX = Path("nginx", "templates", "gzip.conf.template")
STATIC = Path("wsgi_app", "notes", "static", "offline-worker.js")
LOAD = Load(sockets=30, streams=2, polls=2)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack that runs from a copy of the working tree, to be edited."""
    folder = tmp_path_factory.mktemp("clone")
    clone(folder)
    with LocalStack(code=folder) as stack:
        yield stack


def pids(stack: LocalStack) -> dict[str, int]:
    return {process.name: process.pid for process in Supervisor(stack.state).processes()}


def edit(file: Path, old: str, new: str) -> str:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return text


def deploy_unnoticed(stack: LocalStack) -> str:
    """Deploys under traffic, checks that it was not noticed, and returns what the deploy said."""
    with Traffic(stack.base_url, LOAD) as traffic:
        assert traffic.steady()
        traffic.begin()
        said = stack.run("deploy").stdout
        assert traffic.calm()
        verdict = traffic.check()
    assert verdict.holds, verdict
    # A Redis that is slow because the machine is busy is none of the deploy's doing.
    failed = [how for how in verdict.failed + verdict.refused if not how.endswith("503")]
    assert not failed, f"{verdict}\n{said}"
    return said


def test_a_deploy_is_not_noticed(own: LocalStack) -> None:
    before = pids(own)
    for file in (WSGI, ASGI):
        edit(own.code / file, '"ok"', '"new"')
    (own.code / NGINX).write_text((own.code / NGINX).read_text() + "\n# changed\n")
    assert "applied changes to asgi-1, asgi-2, nginx, wsgi." in deploy_unnoticed(own)
    with http(own) as client:
        assert client.get("/healthz").json()["status"] == client.get("/ws/healthz").json()["status"] == "new"
    after = pids(own)
    assert [after["nginx"], after["redis"]] == [before["nginx"], before["redis"]]
    assert "nothing has changed" in own.run("deploy", "wsgi", "asgi").stdout
    assert pids(own) == after
    # The static files of a new demo come with it.
    edit(own.code / STATIC, "MOST_PAGES = 20", "MOST_PAGES = 21")
    assert "applied changes to wsgi." in own.run("deploy", "wsgi").stdout
    with http(own) as client:
        (script,) = re.findall(r'"(/static/[^"]+/main.js)"', client.get("/").text)
        assert client.get(script).status_code == 200
        assert "MOST_PAGES=21" in client.get("/offline-worker.js").text


def test_a_deploy_of_the_only_sidecar_is_not_noticed(tmp_path: Path) -> None:
    clone(tmp_path)
    with LocalStack({"ASGI_REPLICAS": "1", "NGINX_WORKERS": "1"}, code=tmp_path) as stack:
        edit(tmp_path / ASGI, '"ok"', '"new"')
        assert "applied changes to asgi-1." in deploy_unnoticed(stack)
        with http(stack) as client:
            assert client.get("/ws/healthz").json()["status"] == "new"


BAD = {
    "wsgi": (Path("wsgi_app", "app.py"), "    app = App("),
    "asgi": (Path("asgi_app", "__main__.py"), "    configured ="),
    "nginx": (NGINX, "gzip_min_length"),
    "redis": (Path("redis", "redis.conf"), "save "),
}


@pytest.mark.parametrize("service", BAD)
def test_a_bad_version_never_takes_over(own: LocalStack, service: str) -> None:
    before = pids(own)
    file, line = BAD[service]
    unfit = {"nginx": "unfit on; ", "redis": "unfit yes\n"}.get(service, '    raise RuntimeError("unfit")\n')
    text = edit(own.code / file, line, unfit + line)
    static = (own.code / STATIC).read_text()
    (own.code / STATIC).write_text(static.replace("MOST_PAGES = 2", "MOST_PAGES = 3"))
    try:
        answer = own.run("deploy", service, check=False)
        assert answer.returncode == 1
        assert "unfit" in answer.stderr
        if service in ("wsgi", "asgi"):  # where it comes from, and where there is more
            assert file.name in answer.stderr
            (log,) = re.findall(r"its log \((.+)\) ends with", answer.stderr)
            assert "Traceback" in Path(log).read_text()
        assert pids(own) == before
        with http(own) as client:
            assert client.get("/readyz").status_code == client.get("/ws/readyz").status_code == 200
            assert "MOST_PAGES=2" in client.get("/offline-worker.js").text
    finally:
        (own.code / file).write_text(text)
        (own.code / STATIC).write_text(static)


def test_a_deploy_does_not_move_to_another_port(own: LocalStack) -> None:
    answer = own.run("deploy", check=False, HTTP_PORT="1")
    assert answer.returncode == 2
    assert f"HTTP_PORT was {own.port} when this was started, and is 1 now" in answer.stderr
    with http(own) as client:
        assert client.get("/readyz").status_code == 200
