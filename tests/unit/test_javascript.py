"""The scripts' modules import one another in one direction, and export only what is used."""

from __future__ import annotations

import posixpath
import re
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from asgi_app.client import joining, scripts
from tests.harness.node import NODE

ROOT = Path(__file__).resolve().parents[2]
# What a page's own script imports.
PUBLIC = {"realtime.js": {"connect", "isWithin"}, "shared.js": {"connect"}, "own.js": {"openOwn"}}

COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)
IMPORT = re.compile(r"^import\s+(?:(?P<names>[^;\"]+?)\s+from\s+)?\"(?P<from>[^\"]+)\"", re.MULTILINE)
LAZY_IMPORT = re.compile(r"import\(\"(?P<from>[^\"]+)\"\)(?:\.then\(\(\{(?P<names>[^}]+)\}\))?")
TYPE_IMPORT = re.compile(r"import\(\"(?P<from>[^\"]+)\"\)\.(?P<name>\w+)")
EXPORT = re.compile(r"^export\s+(?:async\s+)?(?:function|const|let|class)\s+(?P<name>\w+)", re.MULTILINE)
EXPORT_AGAIN = re.compile(r"^export \{([^}]*)\};", re.MULTILINE)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


class Module:
    """One file: what it exports, and what it takes from which other one."""

    def __init__(self, path: str) -> None:
        self.path = path
        text = (ROOT / path).read_text()
        self.text = COMMENT.sub("", text)
        self.exports = {match["name"] for match in EXPORT.finditer(self.text)}
        self.exports |= words(" ".join(EXPORT_AGAIN.findall(self.text)))
        self.imports: dict[str, set[str]] = {}
        for match in (*IMPORT.finditer(self.text), *LAZY_IMPORT.finditer(self.text)):
            where = self._resolve(match["from"])
            self.imports.setdefault(where, set()).update(words(match["names"] or ""))
        self.types = {(self._resolve(match["from"]), match["name"]) for match in TYPE_IMPORT.finditer(text)}

    def _resolve(self, address: str) -> str:
        if address.startswith("/ws/client/"):
            return address.replace("/ws/client", "asgi_app/client")
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.path), address))


MODULES = {
    path: Module(path)
    for folder in ("wsgi_app/notes/static", "asgi_app/client")
    for path in sorted(str(file.relative_to(ROOT)) for file in (ROOT / folder).glob("*.js"))
}

# In production there is one file of what the first view needs.
SERVED = joining.joined(scripts.FOLDER) | joining.joined(ROOT / "wsgi_app/notes/static", "main.js")


def test_no_module_imports_itself_over_others() -> None:
    # Raises a CycleError that names the way.
    TopologicalSorter({path: module.imports.keys() for path, module in MODULES.items()}).prepare()


@pytest.mark.parametrize("path", MODULES)
def test_every_import_names_an_export(path: str) -> None:
    for other, names in MODULES[path].imports.items():
        assert names <= MODULES[other].exports


@pytest.mark.parametrize("path", MODULES)
def test_every_export_is_used(path: str) -> None:
    module = MODULES[path]
    used = set(PUBLIC.get(Path(path).name, ()))
    for other in MODULES.values():
        names = other.imports.get(path)
        # Loaded when needed, and asked for its parts later.
        used |= words(other.text) if names == set() else names or set()
        used |= {name for where, name in other.types if where == path}
    assert module.exports - used == set()


@pytest.mark.parametrize("name", SERVED)
def test_a_script_and_what_it_imports_are_one_valid_module(name: str, tmp_path: Path) -> None:
    script = tmp_path / "script.mjs"
    script.write_bytes(SERVED[name])
    subprocess.run([NODE, "--check", script], check=True)


def test_the_rules_see_the_modules() -> None:
    """A parser that finds nothing would pass every test above."""
    main = MODULES["wsgi_app/notes/static/main.js"]
    assert "request" in main.imports["wsgi_app/notes/static/api.js"]
    assert "wsgi_app/notes/static/changing.js" in main.imports
    assert sum(len(module.exports) for module in MODULES.values()) > 20
