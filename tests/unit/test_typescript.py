"""Somebody who writes TypeScript has the client's types, and nothing but the files that the docs name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.settings import ROOT

CLIENT = ROOT / "asgi_app" / "client"
TYPES = CLIENT / "public"
USER = Path(__file__).with_name("client") / "user.ts"
NAMES = ("realtime", "shared")
STRICT = {
    "strict": True,
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2023", "dom"],
    "types": [],
}


@pytest.fixture(scope="module")
def tsc() -> str:
    """The compiler that `make lint` uses."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm on PATH; it comes with Node.js")
    (version,) = re.findall(r"^TYPESCRIPT := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    compiler = f".venv/typescript-{version}/node_modules/.bin/tsc"
    subprocess.run(["make", "-s", compiler], cwd=ROOT, check=True)
    return str(ROOT / compiler)


def compiled(tsc: str, folder: Path, files: list[str], **options: Any) -> None:
    """Compiles files in a folder.

    Raises:
        AssertionError: the compiler complains.
    """
    (folder / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": STRICT | options, "include": files, "exclude": []})
    )
    result = subprocess.run([tsc, "--project", folder], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def documented() -> dict[str, Any]:
    """The options that the docs tell a user to set."""
    page = (ROOT / "docs" / "reference" / "client.md").read_text()
    (config,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    options: dict[str, Any] = json.loads(config)["compilerOptions"]
    return options


def test_a_typescript_user_compiles_and_the_mistakes_are_found(tsc: str, tmp_path: Path) -> None:
    shutil.copytree(TYPES, tmp_path / "types")
    shutil.copy(USER, tmp_path)
    compiled(tsc, tmp_path, ["user.ts"], noEmit=True, **documented())


def test_the_types_are_those_that_the_compiler_finds_in_the_scripts(tsc: str, tmp_path: Path) -> None:
    shutil.copytree(TYPES, tmp_path / "types")
    shutil.copytree(CLIENT, tmp_path / "scripts")
    scripts = [f"scripts/{name}.js" for name in NAMES]
    found = tmp_path / "found"
    emit = {"allowJs": True, "declaration": True, "emitDeclarationOnly": True}
    compiled(tsc, tmp_path, scripts, rootDir="scripts", outDir="found", **emit)
    shutil.copy(CLIENT / "types.d.ts", found)
    shutil.copytree(TYPES, found / "public")
    (tmp_path / "same.ts").write_text(
        "".join(
            f'import * as {name}Told from "/ws/client/{name}.js";\n'
            f'import * as {name}Found from "./found/{name}.js";\n'
            f"export const {name}: [typeof {name}Told, typeof {name}Found] = [{name}Found, {name}Told];\n"
            for name in NAMES
        )
    )
    compiled(tsc, tmp_path, ["same.ts"], noEmit=True, **documented())
