"""Joins and strips the scripts and styles of a folder, so that browsers get fewer and smaller files.

`python -m asgi_app.client.joining FROM TO FIRST` writes the result to TO. It removes comments, indents and
spaces around signs, and puts what a script imports into the script, each module in a function of its own. So
that a page runs no module twice, what `FIRST`, the page's first script, imports is in that script alone, and
all others import it from there.

Every import has the form `import {…} from "./NAME.js";`, without `as`. An `export {…};` hands on what is
imported. An exported name must not be assigned to later, and must differ from all other exported names.
No string is longer than its line, and no comment behind code ends with a comma, a semicolon or a bracket.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# Comments on lines of their own. A string in a script must not have lines that look like one.
COMMENT = re.compile(rb"^[ \t]*(/\*((?!\*/).)*\*/|//[^\n]*)\n", re.DOTALL | re.MULTILINE)
# Type annotations, which may be in the middle of a line.
TYPE = re.compile(rb"/\*\* @((?!\*/).)*\*/ ?", re.DOTALL)
INDENT = re.compile(rb"^[ \t]+|^\n", re.MULTILINE)
IMPORT = re.compile(rb'^import \{([^}]*)\} from "\./([\w-]+)\.js";\n', re.MULTILINE)
OTHER_IMPORT = re.compile(rb"^import [^\n]*", re.MULTILINE)
EXPORT = re.compile(rb"^export (?:\{([^}]*)\};\n)?(?=(?:async )?\w+\*? (\w+))?", re.MULTILINE)
# What separates nothing in a script. Lines with other quotes or slashes stay as they are.
PLAIN_LINE = re.compile(rb"^[^'`/\n]+$", re.MULTILINE)
STRING_OR_SPACE = re.compile(rb'"(?:[^"\\\n]|\\.)*"| ?([=*<>?:,;{}()|&!]+) ?')
# Behind these, the end of a line separates nothing. Imports keep theirs: the page finds them line by line.
END_OF_LINE = re.compile(rb'(?<!\.js";)(?<=[,;{(])\n')
# What separates nothing in a style. No string in it may have a space behind one of these signs.
STYLE_SPACE = re.compile(rb"/\*((?!\*/).)*\*/|(?<=[:;,{}])\s+|\s+(?=\{)|^\s+|;?\s*(?=\})", re.DOTALL)


def joined(folder: Path, first: str = "") -> dict[str, bytes]:
    """The scripts of a folder, by file name, with the imported modules in place of the imports.

    Args:
        folder: the folder of the scripts.
        first: the script that a page begins with. Without it, each script contains all that it imports.

    Raises:
        ValueError: an import does not have the form above.
        OSError: a script cannot be read.
    """
    scripts = {
        path.stem: INDENT.sub(b"", TYPE.sub(b"", COMMENT.sub(b"", path.read_bytes())))
        for path in sorted(folder.glob("*.js"))
    }

    def join(name: str) -> tuple[bytes, list[str]]:
        inside: list[str] = []
        script = _modules(name, scripts, inside) + IMPORT.sub(b"", scripts[name])
        if wrong := OTHER_IMPORT.search(script):
            raise ValueError(f"{name}.js or what it imports has {wrong[0].decode()}")
        return script, inside

    if not first:
        return {f"{name}.js": _tight(join(name)[0]) for name in scripts}
    name = first.removesuffix(".js")
    script, inside = join(name)

    def from_first(imported: re.Match[bytes]) -> bytes:
        where = first if imported[2].decode() in inside else f"{imported[2].decode()}.js"
        return b'import {%b} from "./%b";\n' % (imported[1], where.encode())

    script += b"export {%b};\n" % b", ".join(_exports(scripts[other]) for other in inside)
    rest = [other for other in scripts if other not in {name, *inside}]
    parts = {first: script, **{f"{other}.js": IMPORT.sub(from_first, scripts[other]) for other in rest}}
    return {name: _tight(part) for name, part in parts.items()}


def _modules(name: str, scripts: dict[str, bytes], inside: list[str]) -> bytes:
    """The modules that a script imports, each once and after those that it imports itself."""
    found = b""
    for imported in IMPORT.finditer(scripts[name]):
        other = imported[2].decode()
        if other in inside:
            continue
        found += _modules(other, scripts, inside)
        inside.append(other)
        body = EXPORT.sub(b"", IMPORT.sub(b"", scripts[other]))
        names = _exports(scripts[other])
        found += b"const {%b} = (() => {\n%breturn {%b};\n})();\n" % (names, body, names)
    return found


def _exports(script: bytes) -> bytes:
    return b", ".join(one[2] for one in EXPORT.finditer(script) if not one[1])


def _tight(script: bytes) -> bytes:
    """A script without the spaces around its signs. `+` and `-` keep theirs: `a + +b` is not `a++b`."""
    script = PLAIN_LINE.sub(lambda line: STRING_OR_SPACE.sub(lambda one: one[1] or one[0], line[0]), script)
    return END_OF_LINE.sub(b"", script)


def write(folder: Path, target: Path, first: str) -> None:
    """Writes what browsers get of `folder` to `target`, file by file, and removes all other files there.

    Raises:
        ValueError: as `joined`.
        OSError: a file cannot be read or written.
    """
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".js"}
    for name in files:
        if name.endswith(".css"):
            # Twice: a comment that is gone leaves the spaces before it.
            files[name] = STYLE_SPACE.sub(b"", STYLE_SPACE.sub(b"", files[name]))
    files |= joined(folder, first)
    target.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (target / f"{name}.new").write_bytes(content)
        (target / f"{name}.new").replace(target / name)
    for path in target.iterdir():
        if path.name not in files:
            path.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
