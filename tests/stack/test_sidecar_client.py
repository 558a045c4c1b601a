"""The scripts for pages are found at an address that stays, and kept for ever under their hash."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from local.settings import ROOT

NAMES = sorted(path.name for path in (ROOT / "asgi_app" / "client").glob("*.js"))

DECLARATION = re.compile(r"^(?:export )?((?:async )?(?:function|const|let) \w+)", re.MULTILINE)


def code_lines(script: str) -> Iterator[str]:
    """The lines of a script that are more than a comment."""
    is_comment = False
    for line in script.splitlines(keepends=True):
        start = line.strip()
        is_comment |= start.startswith("/*")
        if not is_comment and not start.startswith("//"):
            yield line
        if start.endswith("*/"):
            is_comment = False


def without_space(script: str) -> str:
    """Its signs alone: spaces and indents are taken out where they separate nothing."""
    return re.sub(r"\s", "", script)


def hashed(client: httpx.Client, name: str) -> str:
    """The address at which a script is kept for ever."""
    version = client.get(f"/ws/client/{name}").headers["etag"].removeprefix("W/").strip('"')
    assert re.fullmatch("[0-9a-f]{12}", version)
    return f"/ws/client/{version}/{name}"


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_revalidated_at_its_address_and_kept_for_ever_under_its_hash(
    client: httpx.Client, name: str
) -> None:
    written = (ROOT / "asgi_app" / "client" / name).read_text()
    untyped = re.sub(r"/\*\* @.*?\*/ ?", "", written, flags=re.DOTALL)
    entry, script = client.get(f"/ws/client/{name}"), client.get(hashed(client, name))
    lines = [line.lstrip(" ") for line in code_lines(untyped) if not line.startswith("import ")]
    own = "".join(line for line in lines if line.strip())
    assert without_space(script.text).endswith(without_space(own))
    # Where the end of a line may end a statement, it stays.
    assert script.text.count("\n") >= len(re.findall(r"[^,;{(]\n", own))
    assert len(own) < len(written)
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert entry.headers["cache-control"] == "no-cache"
    for answer in (entry, script):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_one_request_with_all_that_it_imports(client: httpx.Client, name: str) -> None:
    text = client.get(f"/ws/client/{name}").text
    assert not re.search("^import ", text, re.MULTILINE)
    wanted = [name]
    for one in wanted:  # grows
        written = (ROOT / "asgi_app" / "client" / one).read_text()
        for declared in DECLARATION.findall(written):
            assert re.search(rf"(?:^|[;{{}}])(?:export )?{declared}\b", text, re.MULTILINE), declared
        wanted += set(re.findall(r'^import .* from "\./(.*)";$', written, re.MULTILINE)) - {*wanted}


def test_what_a_script_loads_later_is_of_its_own_version(client: httpx.Client) -> None:
    assert len({hashed(client, name).split("/")[3] for name in NAMES}) == 1
    imported = [
        (address, hashed(client, name).split("/")[3])
        for name in NAMES
        for address in re.findall(r'"(\./[^"]+\.js)"', client.get(f"/ws/client/{name}").text)
    ]
    assert imported
    for address, version in imported:
        assert address.startswith(f"./{version}/")


def test_what_the_browser_has_is_not_sent_again(client: httpx.Client) -> None:
    for path in ("/ws/client/realtime.js", hashed(client, "realtime.js")):
        tag = client.get(path).headers["etag"]
        for known in (tag, f"W/{tag.removeprefix('W/')}", f'"other", {tag}', "*"):
            again = client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert "cache-control" in again.headers
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_answers_without_a_body(client: httpx.Client) -> None:
    answer = client.head("/ws/client/realtime.js")
    assert (answer.status_code, answer.content) == (200, b"")


def test_another_version_is_answered_but_not_kept(client: httpx.Client) -> None:
    """While replicas are replaced, a script of a new one may ask an old one for what it imports."""
    answer = client.get("/ws/client/0123456789ab/realtime.js")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "nowhere.js",
        "0123456789ab/nowhere.js",
        "scripts.py",
        "0123456789ab/__init__.py",
        "",
        "a/b/realtime.js",
    ],
)
def test_anything_else_is_a_404_problem(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/ws/client/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_they_are_only_read(client: httpx.Client) -> None:
    answer = client.post("/ws/client/realtime.js")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
