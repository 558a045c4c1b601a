"""The doctor in front of a whole deployment, which is sound or has one thing wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.settings import ROOT
from tests.harness.local import LocalStack


def doctor(app_env: Path, site: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "corkboard", "doctor", "--site", site],
        env={"PYTHONPATH": str(ROOT), "CORKBOARD_ENV_FILE": str(app_env), **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def picky_stack() -> Iterator[LocalStack]:
    """It takes pages of another site only."""
    with LocalStack({"ALLOWED_ORIGINS": "https://example.com", "ASGI_REPLICAS": "1"}) as stack:
        yield stack


def test_a_sound_deployment_gets_a_clean_bill(local_stack: LocalStack) -> None:
    code, said = doctor(local_stack.state.app_env, local_stack.base_url)
    assert code == 0, said
    assert said.count("ok    ") == len(said.splitlines()) == 6


def test_a_key_that_is_not_the_sidecars_is_named(local_stack: LocalStack) -> None:
    code, said = doctor(local_stack.state.app_env, local_stack.base_url, CORKBOARD_SECRET_KEY="x" * 32)
    assert code == 1
    assert "FAIL  the sidecar refuses this app's tickets" in said
    assert "SECRET_KEY" in said


def test_a_redis_that_is_not_the_sidecars_is_named(local_stack: LocalStack, picky_stack: LocalStack) -> None:
    key = (local_stack.state.secrets / "app" / "secret_key").read_text()
    code, said = doctor(picky_stack.state.app_env, local_stack.base_url, CORKBOARD_SECRET_KEY=key)
    assert code == 1
    assert "FAIL  the event did not arrive" in said
    assert "another Redis" in said


def test_an_origin_that_is_refused_is_named_with_the_setting(picky_stack: LocalStack) -> None:
    code, said = doctor(picky_stack.state.app_env, picky_stack.base_url)
    assert code == 1
    assert f"set ALLOWED_ORIGINS={picky_stack.base_url}" in said


def test_a_site_whose_ws_is_not_the_sidecars_is_named(local_stack: LocalStack) -> None:
    # As with a proxy in front that sends everything to the app.
    port = json.loads((local_stack.state.run / "ports.json").read_text())["wsgi"]
    code, said = doctor(local_stack.state.app_env, f"http://127.0.0.1:{port}")
    assert code == 1
    assert "/ws/readyz answers 404 instead of 200" in said
