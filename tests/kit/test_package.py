"""The kit is a package: small, typed, the same from both folders, and it goes into anybody's environment."""

from __future__ import annotations

import secrets
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local.settings import ROOT
from tests.harness.local import LocalStack
from tests.harness.redis_server import RedisServer
from tests.harness.sidecar import Publisher

KIT = ROOT / "corkboard"
UV = (sys.executable, "-m", "uv", "--quiet", "--no-python-downloads")
SHARED = ("name", "version", "description", "license", "requires-python", "dependencies", "entry-points")


def project(folder: Path) -> dict[str, object]:
    with (folder / "pyproject.toml").open("rb") as file:
        found: dict[str, object] = tomllib.load(file)["project"]
    return found


def extra(project: dict[str, Any], name: str) -> list[str]:
    found: list[str] = project["optional-dependencies"][name]
    return found


def run(*words: str | Path, folder: Path | None = None, good: bool = True) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode == 0) is good, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_both_folders_describe_the_same_package() -> None:
    whole, kit = project(ROOT), project(KIT)
    assert {name: whole[name] for name in SHARED} == {name: kit[name] for name in SHARED}
    assert extra(whole, "client") == extra(kit, "client")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an empty environment."""
    folder = tmp_path_factory.mktemp("venv")
    run(*UV, "venv", "--seed", "--python", sys.executable, folder)
    return folder / "bin" / "python"


def install(python: Path, *packages: str | Path) -> None:
    run(*UV, "pip", "install", "--python", python, *packages)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """A wheel of each folder, made from the source distribution that is made first."""
    found = {}
    before = tree()
    for folder in (ROOT, KIT):
        out = tmp_path_factory.mktemp("dist")
        run(*UV, "build", "--out-dir", out, folder)
        (found[folder],) = out.glob("*.whl")
        (source,) = out.glob("*.tar.gz")
        with tarfile.open(source) as archive:
            assert not [name for name in archive.getnames() if "wsgi_app" in name or "tests" in name]
    assert tree() == before, "building has written into the folder"
    return found


def tree() -> set[Path]:
    """What stands in the two folders, but for what runs of Python leave there."""
    found = {path for folder in (ROOT, KIT) for path in folder.iterdir()}
    return {path for path in found if not path.name.startswith((".", "__"))}


def test_both_wheels_hold_the_same_files_and_nothing_else(wheels: dict[Path, Path]) -> None:
    contents = []
    for wheel in wheels.values():
        with zipfile.ZipFile(wheel) as archive:
            files = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
            contents.append(files)
    assert contents[0] == contents[1]
    expected = {
        f"corkboard/{path.relative_to(KIT)}"
        for path in KIT.rglob("*")
        if path.is_file() and path.suffix in (".py", ".lua", ".typed")
    }
    assert set(contents[0]) == expected
    assert {"corkboard/functions.lua", "corkboard/py.typed"} <= expected


USER = """
from __future__ import annotations

import corkboard
from corkboard import Event, Listening, NotConfigured, StoreUnavailable
from corkboard import listen, position, publish, publish_many, revoke
from corkboard.testing import published as fixture


def ship(order: int) -> str:
    try:
        return publish("orders", "order.shipped", {"id": order}, key=f"ship:{order}")
    except (StoreUnavailable, NotConfigured):
        return ""


def notify(users: list[int]) -> list[str]:
    first: list[str] = publish_many([(f"user:{user}", "hello") for user in users])
    second: list[str] = publish_many([(f"user:{user}", "hello", {"a": 1}) for user in users])
    return first + second + publish_many(Event(f"user:{user}", "hello", None, "k") for user in users)


def page(user: int) -> Listening:
    realtime = listen("orders", subject=str(user))
    text: str = realtime + realtime.__html__() + position("orders") + str(realtime.json["ticket"])
    corkboard.request_id.set("12345678")
    revoke(text)
    return realtime


def test(published: list[Event]) -> None:
    assert published[0].topic
"""
WRONG = """
from corkboard import listen, publish

publish("orders")
publish("orders", 7)
listen(["orders"])
number: int = publish("orders", "x")
"""


def test_an_app_that_uses_the_wheel_is_checked_strictly(
    wheels: dict[Path, Path], python: Path, tmp_path: Path
) -> None:
    install(python, wheels[KIT], "pytest")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", tmp_path]
    (tmp_path / "user.py").write_text(USER)
    run(*mypy, "user.py", folder=tmp_path)
    (tmp_path / "wrong.py").write_text(WRONG)
    said = run(*mypy, "wrong.py", folder=tmp_path, good=False)
    assert [f"wrong.py:{line}:" in said for line in (4, 5, 6, 7)] == [True] * 4


THEIRS = """
def ship(order):
    from corkboard import publish
    publish("orders", "order.shipped", {"id": order})


def test_a_view_publishes(published):
    ship(17)
    assert published == [("orders", "order.shipped", {"id": 17}, None)]


def test_the_next_one_begins_anew(published):
    assert published == []
"""


@pytest.mark.parametrize("plugins", ["", 'pytest_plugins = ["corkboard.testing"]'])
def test_an_apps_own_tests_see_what_it_publishes(
    wheels: dict[Path, Path], python: Path, tmp_path: Path, plugins: str
) -> None:
    install(python, wheels[KIT], "pytest")
    (tmp_path / "conftest.py").write_text(plugins)
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    assert "2 passed" in run(python, "-m", "pytest", "-q", folder=tmp_path)


@pytest.mark.parametrize("folder", [ROOT, KIT], ids=["root", "kit"])
def test_pip_installs_the_folder_and_the_command_runs(folder: Path, python: Path, tmp_path: Path) -> None:
    run(python, "-m", "pip", "uninstall", "-q", "-y", "corkboard", "redis", "pyjwt")
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", folder)
    said = run(python, "-m", "corkboard", "doctor", folder=tmp_path, good=False)
    assert said.startswith("FAIL  CORKBOARD_URL is not set")


OLDEST = """
import warnings; warnings.simplefilter("error")
import sys, corkboard
topic = sys.argv[1]
corkboard.publish(topic, "x", {"a": 1}, key="k")
corkboard.publish(topic, "x", {"a": 1}, key="k")
corkboard.revoke("somebody")
found = corkboard.listen(topic, subject="1")
assert found.json["topics"] == {topic: corkboard.position(topic)} and found.json["ticket"]
print(len(corkboard.publish_many([(topic, "y"), (topic, "z")])))
"""


def old_environment(version: str, folder: Path, *packages: str | Path) -> Path:
    """The Python of an environment of this version with these packages; skips the test if there is none."""
    python = folder / "venv" / "bin" / "python"
    managed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for found in (version, *managed):
        if subprocess.run([*UV, "venv", "--python", found, folder / "venv"], check=False).returncode == 0:
            break
    else:
        pytest.skip(f"there is no Python {version} on this machine")
    install(python, *packages, "redis==5.0.0", "pyjwt==2.4.0")
    return python


versions = pytest.mark.parametrize("version", ["3.9", f"{sys.version_info.major}.{sys.version_info.minor}"])


LISTENING = """
import warnings; warnings.simplefilter("error")
import asyncio, sys
from corkboard.client import connect, listen
site, topic, cursor = sys.argv[1:]

async def main():
    async with connect(site, {topic: cursor}) as stream:
        print(await stream.receive())
        try:
            await asyncio.wait_for(stream.receive(), 0.1)
        except asyncio.TimeoutError:
            print("nothing more")

with listen(site, {topic: cursor}) as stream:
    print(stream.receive(30))
    try:
        stream.receive(0.1)
    except TimeoutError:
        print("nothing more")
asyncio.run(main())
"""


@versions
def test_it_and_its_client_run_with_the_oldest_versions_that_they_allow(
    wheels: dict[Path, Path],
    server: RedisServer,
    local_stack: LocalStack,
    topic: str,
    version: str,
    tmp_path: Path,
) -> None:
    python = old_environment(version, tmp_path, wheels[KIT])
    assert run(python, "-c", OLDEST, topic, folder=tmp_path) == "2\n"
    assert [event["type"] for event in server.events(topic)] == ["x", "y", "z"]
    (least,) = extra(project(KIT), "client")
    install(python, least.replace(">=", "=="))
    board, publish = f"board:oldest-{secrets.token_hex(6)}", Publisher(local_stack.state.app_env)
    first, second = publish(board), publish(board, "hello")
    said = run(python, "-c", LISTENING, local_stack.base_url, board, first, folder=tmp_path)
    event, nothing = said.splitlines()[:2]
    assert said == f"{event}\n{nothing}\n" * 2
    assert f"topic={board!r}, id={second!r}, type='test'" in event
    assert nothing == "nothing more"
