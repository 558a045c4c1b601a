"""`make prove`: nothing is lost, whatever happens to a part. And it finds out when something is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.settings import ROOT
from prove.faults import Fault
from prove.report import Table
from prove.run import clean_up, run
from prove.traffic import Load, Traffic
from tests.harness.compose import ComposeStack
from tests.harness.local import LocalStack
from tests.harness.sidecar import replicas
from tests.harness.stack import Stack

SMALL = Load(sockets=10, streams=1, polls=1, keyed=10, plain=2, reads=2)


def prove(
    where: str, cwd: Path, environment: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prove", where, *options],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def prove_stack(stack: Stack, only: str, sockets: int = 100) -> subprocess.CompletedProcess[str]:
    given = {"CONFIRM": "yes", "ONLY": only, "SOCKETS": str(sockets)}
    if isinstance(stack, LocalStack):
        return prove("local", ROOT, given, "--state", str(stack.folder))
    assert isinstance(stack, ComposeStack)
    project = {"COMPOSE_PROJECT_NAME": stack.project, "COMPOSE_ENV_FILES": os.devnull}
    return prove("docker", stack.root, {**stack.environment, **project, **given})


def rows_of(result: subprocess.CompletedProcess[str], folder: Path) -> dict[str, dict[str, object]]:
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Nothing was lost, doubled or missed." in result.stdout
    saved = folder / result.stdout.splitlines()[-1].removeprefix("The table as a file: ")
    rows = {row["fault"]: row for row in json.loads((saved / "faults.json").read_text())}
    assert (saved / "faults.md").read_text().count("\n|") == len(rows) + 2
    return rows


def test_nothing_is_lost_when_parts_are_killed(stack: Stack) -> None:
    # Who is away too long is that everywhere alike.
    more = ["away-too-long"] if isinstance(stack, LocalStack) else []
    result = prove_stack(stack, ", ".join(["kill", *more]), sockets=60)
    rows = rows_of(result, stack.root if isinstance(stack, ComposeStack) else ROOT)
    assert list(rows) == [
        *("kill-wsgi-worker", "kill-wsgi", "kill-asgi", "kill-nginx", "kill-redis"),
        *more,
    ]
    for row in rows.values():
        assert row["rounds"]
        assert not row["not_run"]


def test_nothing_is_lost_on_bad_lines_and_when_a_sidecar_is_frozen(local_stack: LocalStack) -> None:
    first = replicas(local_stack)[0]
    before = first.process().pid
    rows = rows_of(prove_stack(local_stack, "bad-lines, freeze-asgi", sockets=200), ROOT)
    assert set(rows) == {"bad-lines", "freeze-asgi"}
    assert first.process().pid != before, "the frozen one went on, instead of being replaced"


@pytest.mark.parametrize("stack", ["compose"], indirect=True)
def test_nothing_is_lost_when_memory_runs_out(stack: ComposeStack) -> None:
    rows = rows_of(prove_stack(stack, "oom-asgi", sockets=60), stack.root)
    (found,) = rows["oom-asgi"]["rounds"]  # type: ignore[misc]
    assert found["cuts"]


def test_what_reached_the_disk_survives_a_full_one_and_a_power_cut(local_stack: LocalStack) -> None:
    rows = rows_of(prove_stack(local_stack, "disk-full, power-cut"), ROOT)
    assert set(rows) == {"disk-full", "power-cut"}
    if reasons := {str(row["not_run"]) for row in rows.values() if row["not_run"]}:
        pytest.skip(", ".join(reasons))


def test_a_write_that_disappears_is_found(local_stack: LocalStack) -> None:
    table = Table()
    traffic = Traffic(local_stack.base_url, SMALL)
    with traffic:
        key = f"notes:{{{traffic.topic}}}"

        def steal(*_: object) -> None:
            victim = next(iter(traffic.writes().values()))
            assert local_stack.redis_cli("HDEL", key, victim) == "1"
            assert local_stack.redis_cli("ZREM", key.replace("notes", "order"), victim) == "1"

        row = run(Fault("theft", steal), 1, traffic, local_stack.parts, table)
    clean_up(local_stack.parts, traffic.topic)
    assert not row.holds
    assert row.verdicts[0].lost == 1
    assert table.verdict().startswith("BROKEN: theft.")
    assert local_stack.redis_cli("EXISTS", key) == "0"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "to do that without being asked: CONFIRM=yes make prove"),
        (
            {"CONFIRM": "yes", "ONLY": "earthquake"},
            "ONLY='earthquake' selects no fault; there are: kill-wsgi-worker",
        ),
        (
            {"CONFIRM": "yes", "ROUNDS": "many"},
            "ROUNDS is invalid: expected a whole number from 1 to 1000, not 'many'",
        ),
    ],
)
def test_it_asks_first_and_an_invalid_setting_is_one_line(
    local_stack: LocalStack, environment: dict[str, str], said: str
) -> None:
    result = prove("local", ROOT, environment, "--state", str(local_stack.folder))
    assert result.returncode == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_where_nothing_runs_it_says_how_to_start(tmp_path: Path) -> None:
    result = prove("local", ROOT, {"CONFIRM": "yes"}, "--state", str(tmp_path))
    assert result.returncode == 2
    assert "`make up` starts it" in result.stderr
