"""The sidecar's modules import downwards only, and only asgi_app/server knows Uvicorn."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "asgi_app"
# From the bottom up. A module may import those below its layer, and those of its own.
LAYERS = [
    ["capacity", "jsontext", "limits", "logs", "memory", "tasks"],
    ["metrics", "problems", "settings", "tickets"],
    ["topics"],
    ["door"],
    ["transports"],
    ["asyncapi", "client", "leaving", "outage", "people", "presence", "redis_numbers", "tracing"],
    ["health"],
    ["server"],
    ["app"],
    ["__main__"],
]


def name_of(path: Path) -> str:
    """`topics.hub` for asgi_app/topics/hub.py; a package has the name of its folder, asgi_app none."""
    parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): ast.parse(path.read_text()) for path in (ROOT / PACKAGE).rglob("*.py")}


def imported(tree: ast.Module) -> Iterator[str]:
    """All that a module imports, wherever in it: `a.b` for `import a.b`, and for `from a import b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(tree: ast.Module) -> set[str]:
    """The modules of the sidecar that a module imports."""
    names = {name.removeprefix(f"{PACKAGE}.") for name in imported(tree) if name.startswith(f"{PACKAGE}.")}
    return {name if name in MODULES else name.rpartition(".")[0] for name in names}


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name.partition(".")[0] in names)


@pytest.mark.parametrize("name", sorted(MODULES.keys() - {""}))
def test_a_module_imports_nothing_of_a_higher_layer(name: str) -> None:
    above = {other for other in own(MODULES[name]) if layer(other) > layer(name)}
    assert not above


def test_no_module_imports_itself_over_others() -> None:
    # Raises a CycleError that names the way. To walk every way there is takes minutes.
    TopologicalSorter({name: own(tree) for name, tree in MODULES.items()}).prepare()


def test_only_the_server_layer_knows_uvicorn() -> None:
    who = {name for name, tree in MODULES.items() if any(one.startswith("uvicorn") for one in imported(tree))}
    assert {name.partition(".")[0] for name in who} == {"server"}


@pytest.mark.parametrize("other", ["wsgi_app", "corkboard", "local", "loadtest", "bench", "tests"])
def test_the_sidecar_imports_nothing_of_the_other_rooms(other: str) -> None:
    assert not {name for tree in MODULES.values() for name in imported(tree) if name.startswith(other)}


def test_topics_know_neither_http_nor_sockets() -> None:
    forbidden = ("fastapi", "starlette", "httptools", "socket")
    for name, tree in MODULES.items():
        if name.startswith("topics"):
            assert not [one for one in imported(tree) if one.startswith(forbidden)], name


def test_the_parser_sees_the_imports() -> None:
    """One that finds nothing would pass every test above."""
    assert "topics.hub" in own(MODULES["transports.sse"])
    assert "transports.poll" in own(MODULES["transports"])
    assert "limits" in own(MODULES["topics.hub"])
