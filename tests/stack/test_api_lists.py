"""Lists: in order, without holes or repeats while others write, and exactly as old as their cursor says."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.harness.api import Note, create, events, listed
from tests.harness.clients import http, wait_for
from tests.harness.stack import Stack


def list_reads(stack: Stack) -> int:
    """How many lists Redis has made so far."""
    found = re.search(r"cmdstat_fcall_ro:calls=(\d+)", stack.redis_cli("INFO", "commandstats"))
    return int(found[1]) if found else 0


def test_a_list_is_newest_first_and_of_its_board_only(stack: Stack, client: httpx.Client, board: str) -> None:
    notes = [create(client, board, f"note {number}") for number in range(3)]
    create(client, f"{board}-b", "elsewhere")
    answer = client.get("/api/notes", params={"board": board}).json()
    assert answer["notes"] == notes[::-1]
    assert answer["next"] is None
    assert answer["cursor"] == events(stack, board)[-1]["id"]


def test_a_page_has_fifty_notes_unless_told(client: httpx.Client, board: str) -> None:
    notes = [create(client, board)["id"] for _ in range(51)][::-1]
    first = client.get("/api/notes", params={"board": board}).json()
    assert [note["id"] for note in first["notes"]] == notes[:50]
    second = client.get("/api/notes", params={"board": board, "page": first["next"]}).json()
    assert [note["id"] for note in second["notes"]] == notes[50:]
    assert second["next"] is None
    whole = client.get("/api/notes", params={"board": board, "limit": 51}).json()
    assert len(whole["notes"]) == 51
    assert whole["next"] is None


def test_pages_have_no_hole_and_no_repeat_while_notes_come_and_go(client: httpx.Client, board: str) -> None:
    chance = random.Random(1)
    present = [create(client, board)["id"] for _ in range(40)]
    gone: set[str] = set()
    seen: list[str] = []
    page: str | None = ""
    while page is not None:
        answer = client.get("/api/notes", params={"board": board, "limit": 7, "page": page}).json()
        page = answer["next"]
        seen += [note["id"] for note in answer["notes"]]
        create(client, board, "came meanwhile")
        # The last of the page, where the next one begins, and any other, seen or not.
        for note_id in {seen[-1], chance.choice(present)} - gone:
            assert client.delete(f"/api/notes/{note_id}").status_code == 200
            gone.add(note_id)
    assert len(seen) == len(set(seen))
    assert set(seen) <= set(present)
    assert set(present) - gone <= set(seen)
    assert seen == sorted(seen, key=present.index, reverse=True)


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("Größe", "GRÖSSE", True),
        ("GRÖSSE", "größe", True),
        ("straße 5", "STRASSE", True),
        ("ΌΣΟΣ", "όσος", True),
        ("caffè MOCHA", "Fè moch", True),
        ("100% [a-z]* ^.$ \\", "% [A-Z]* ^.$ \\", True),
        ("abc", "a.c", False),
        ("abc", "%a", False),
        ('say "hi"', '"HI"', True),
        ("line\nend", "e\nE", True),
        ("done", '"done":false', False),
        ("🦄🌈", "🌈", True),
        ("x", " ", False),
    ],
)
def test_search_finds_text_as_it_is_in_any_case(
    client: httpx.Client, board: str, text: str, query: str, found: bool
) -> None:
    note = create(client, board, text)
    create(client, board, "~~~")
    assert listed(client, board, q=query) == ([note] if found else [])


def test_search_looks_at_the_text_as_it_is_now(client: httpx.Client, board: str) -> None:
    note = create(client, board, "before")
    client.patch(f"/api/notes/{note['id']}", json={"text": "AFTER"})
    assert listed(client, board, q="before") == []
    assert [one["id"] for one in listed(client, board, q="after")] == [note["id"]]


def test_filters_apply_together_and_page_by_page(client: httpx.Client, board: str) -> None:
    notes = [create(client, board, f"{'soup' if n % 2 else 'salad'} {n}", done=n % 3 == 0) for n in range(24)]
    notes.reverse()
    assert listed(client, board, done="true") == [note for note in notes if note["done"]]
    assert listed(client, board, done="false") == [note for note in notes if not note["done"]]
    wanted = [note for note in notes if note["done"] and "soup" in note["text"]]
    assert len(wanted) == 4
    assert listed(client, board, q="SOUP", done="true") == wanted
    assert listed(client, board, q="SOUP", done="true", limit=3) == wanted
    assert listed(client, board, q="soup", done="true", limit=4) == wanted


def test_a_list_that_is_known_costs_no_read_and_a_write_ends_that(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    note = create(client, board)
    first = client.get("/api/notes", params={"board": board})
    tag = first.headers["etag"]
    before = list_reads(stack)
    for given in (tag, f"W/{tag.removeprefix('W/')}", f'"x", {tag}'):
        again = client.get("/api/notes", params={"board": board}, headers={"If-None-Match": given})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"].removeprefix("W/") == tag.removeprefix("W/")
    assert list_reads(stack) == before
    for write in (
        lambda: client.patch(f"/api/notes/{note['id']}", json={"done": True}),
        lambda: create(client, board),
        lambda: client.delete(f"/api/notes/{note['id']}"),
    ):
        write()
        changed = client.get("/api/notes", params={"board": board}, headers={"If-None-Match": tag})
        assert changed.status_code == 200
        assert changed.headers["etag"] != tag
        assert changed.headers["etag"].strip('W/"') == changed.json()["cursor"]
        tag = changed.headers["etag"]


def test_a_compressed_list_keeps_its_tag(client: httpx.Client, board: str) -> None:
    create(client, board, "x" * 2000)
    packed = client.get("/api/notes", params={"board": board}, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    known = {"If-None-Match": packed.headers["etag"]}
    assert client.get("/api/notes", params={"board": board}, headers=known).status_code == 304


def test_every_list_and_the_events_from_its_cursor_make_what_is_there_at_the_end(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    ids = [create(client, board)["id"] for _ in range(30)]
    rounds = 25
    snapshots: list[dict[str, Any]] = []

    def write(act: Callable[[httpx.Client, int], Any]) -> None:
        with http(stack) as own:
            for number in range(rounds):
                # None gets far ahead of who reads, however slow the machine makes that one.
                wait_for(lambda: len(snapshots) > number // 4, "another list")  # noqa: B023
                act(own, number)

    acts: list[Callable[[httpx.Client, int], Any]] = [
        lambda own, number: create(own, board, f"new {number}"),
        lambda own, number: own.patch(f"/api/notes/{ids[number]}", json={"text": f"changed {number}"}),
        lambda own, number: own.patch(f"/api/notes/{ids[-1 - number]}", json={"done": True}),
        lambda own, number: own.delete(f"/api/notes/{ids[(number * 7) % 30]}"),
    ]
    writers = [threading.Thread(target=write, args=[act]) for act in acts]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        snapshot = client.get("/api/notes", params={"board": board, "limit": 200}).json()
        if not snapshots or snapshot["cursor"] != snapshots[-1]["cursor"]:
            snapshots.append(snapshot)
    for writer in writers:
        writer.join()
    end = client.get("/api/notes", params={"board": board, "limit": 200}).json()
    assert len({snapshot["cursor"] for snapshot in snapshots}) > 5
    for snapshot in snapshots[:: max(1, len(snapshots) // 20)]:
        notes = {note["id"]: note for note in snapshot["notes"]}
        offset = int(snapshot["cursor"].partition("-")[2])
        for event in events(stack, board, since=snapshot["cursor"]):
            offset += 1
            assert int(event["id"].partition("-")[2]) == offset
            apply(event["type"], event["data"], notes)
        assert notes == {note["id"]: note for note in end["notes"]}


def apply(kind: str, note: Note, notes: dict[str, Note]) -> None:
    """What an event tells must be news, and the next news, for whoever knew the list."""
    if kind == "note.created":
        assert note["id"] not in notes
        assert note["version"] == 1
        notes[note["id"]] = note
    elif kind == "note.updated":
        assert note["version"] == notes[note["id"]]["version"] + 1
        notes[note["id"]] = note
    else:
        assert kind == "note.deleted"
        assert notes.pop(note["id"]) == note


# Each write to Redis is a process in a container, and the functions that read it are the same.
@pytest.mark.parametrize("stack", ["local"], indirect=True)
def test_the_filter_by_done_holds_whatever_the_order_of_a_notes_fields(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    done = create(client, board, "done", done=True)
    tricky = create(client, board, 'not done, and says "done":true,"version":')
    undone = create(client, board, "not done")
    fields = list(done)
    for number, order in enumerate((fields[::-1], ["done", *fields], [*(set(fields) - {"done"}), "done"])):
        for note in (done, tricky, undone):
            text = json.dumps({name: note[name] for name in order}, separators=(",", ":"))
            stack.redis_cli("HSET", f"notes:{{board:{board}}}", note["id"], text)
        # Another limit: the app keeps the lists that it made, and nobody has told it of these changes.
        found = {flag: listed(client, board, done=flag, limit=100 + number) for flag in ("true", "false")}
        assert {note["id"] for note in found["true"]} == {done["id"]}
        assert {note["id"] for note in found["false"]} == {tricky["id"], undone["id"]}


def test_a_list_is_spaced_in_one_way(client: httpx.Client, board: str) -> None:
    for number in range(2):
        text = client.get("/api/notes", params={"board": board, "limit": 1}).text
        assert text == json.dumps(json.loads(text), separators=(",", ":"))
        create(client, board, f"note {number}")
