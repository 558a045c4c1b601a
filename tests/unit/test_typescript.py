"""Somebody who writes TypeScript has the types of the client, and nothing but the file that the docs name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.settings import ROOT

TYPES = ROOT / "asgi_app" / "client" / "public"
USER = Path(__file__).with_name("client") / "user.ts"


@pytest.fixture(scope="module")
def tsc() -> str:
    """The compiler that `make lint` uses."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm on PATH; it comes with Node.js")
    (version,) = re.findall(r"^TYPESCRIPT := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    compiler = f".venv/typescript-{version}/node_modules/.bin/tsc"
    subprocess.run(["make", "-s", compiler], cwd=ROOT, check=True)
    return str(ROOT / compiler)


def test_a_typescript_user_compiles_and_the_mistakes_are_found(tsc: str, tmp_path: Path) -> None:
    shutil.copytree(TYPES, tmp_path / "types")
    shutil.copy(USER, tmp_path)
    page = (ROOT / "docs" / "reference" / "client.md").read_text()
    (documented,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    config = json.loads(documented)
    config["compilerOptions"] |= {
        "strict": True,
        "noEmit": True,
        "target": "es2022",
        "module": "esnext",
        "moduleResolution": "bundler",
        "lib": ["es2022", "dom"],
        "types": [],
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps(config | {"include": ["user.ts"]}))
    result = subprocess.run([tsc, "--project", tmp_path], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
