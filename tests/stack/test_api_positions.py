"""Where a note hangs on the wall: kept, moved, and listed in order, also of notes that say nothing of it."""

from __future__ import annotations

import random
import re
from typing import Any

import httpx
import pytest

from tests.harness.api import Note, create, events, listed, problem, wrong_fields
from tests.harness.stack import Stack


def move(client: httpx.Client, note: Note, position: str, **headers: str) -> Note:
    answer = client.patch(f"/api/notes/{note['id']}", json={"position": position}, headers=headers)
    assert answer.status_code == 200, answer.text
    moved: Note = answer.json()
    return moved


def hung(notes: list[Note]) -> list[Note]:
    """As they hang, by what each of them says."""
    return sorted(notes, key=lambda note: (note["position"], note["id"]), reverse=True)


def forget_positions(stack: Stack, board: str) -> None:
    """Leaves the notes as version 2.0 writes them."""
    key = f"notes:{{board:{board}}}"
    for note_id in stack.redis_cli("HKEYS", key).split():
        json = stack.redis_cli("HGET", key, note_id).strip()
        stack.redis_cli("HSET", key, note_id, re.sub(r',"position":"\w+"', "", json))


def test_notes_hang_newest_first_until_one_is_moved_and_that_one_change_moves_it(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    notes = [create(client, board, f"note {number}") for number in range(70)][::-1]
    assert listed(client, board, order="position") == notes == hung(notes)
    top, other, low = notes[0], notes[1], notes[-1]
    answer = client.patch(f"/api/notes/{low['id']}", json={"position": f"{other['position']}V"})
    moved = answer.json()
    assert moved == {
        **low, "position": f"{other['position']}V", "version": 2, "updated_at": moved["updated_at"],
    }  # fmt: skip
    assert (events(stack, board)[-1]["type"], events(stack, board)[-1]["data"]) == ("note.updated", moved)
    assert client.get(f"/api/notes/{low['id']}").json() == moved
    assert listed(client, board, order="position") == [top, moved, *notes[1:-1]]
    assert listed(client, board) == [*notes[:-1], moved]  # newest first, whatever was moved
    new = create(client, board, "new ones hang on top")
    assert listed(client, board, order="position", limit=9) == [new, top, moved, *notes[1:-1]]
    pinned = move(client, new, "zz")
    later = create(client, board, "new ones hang below what somebody hung above all")
    assert listed(client, board, order="position", limit=9)[:3] == [pinned, later, top]
    placed = create(client, board, "or where they are told", position=low["position"])
    assert listed(client, board, order="position")[-1] == placed
    found = listed(client, board, order="position", q="NOTE 1", done="false", limit=3)
    assert found == [note for note in notes if "note 1" in note["text"]]
    exported = client.get("/api/notes/export", params={"board": board}).text.splitlines()
    assert len(exported) == 73
    stale = {"If-Match": '"1"'}
    problem(client.patch(f"/api/notes/{low['id']}", json={"position": "V"}, headers=stale), 412)
    both = client.get(f"/api/notes?board={board}&order=position&shared=1").json()
    assert both["notes"] == listed(client, board, order="position")[:50]


def test_moved_notes_are_deleted_and_restored_in_their_place(client: httpx.Client, board: str) -> None:
    notes = [create(client, board, f"note {number}") for number in range(4)]
    moved = move(client, notes[0], f"{notes[2]['position']}V")
    for note in (moved, notes[1]):
        assert client.delete(f"/api/notes/{note['id']}").json() == note
        assert note not in listed(client, board, order="position")
        assert client.post(f"/api/notes/{note['id']}/restore").json()["position"] == note["position"]
    assert [note["text"][-1] for note in listed(client, board, order="position")] == list("3021")
    # Also when nothing of the board was left.
    for note in notes:
        assert client.delete(f"/api/notes/{note['id']}").status_code == 200
    assert listed(client, board, order="position") == []
    for note in notes:
        assert client.post(f"/api/notes/{note['id']}/restore").status_code == 200
    assert [note["text"][-1] for note in listed(client, board, order="position")] == list("3021")


# Each write to Redis is a process in a container, and the functions that read it are the same.
@pytest.mark.parametrize("stack", ["local"], indirect=True)
def test_notes_without_a_position_have_one_and_keep_where_they_were_moved(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    notes = [create(client, board, f"note {number}", done=number == 1) for number in range(5)]
    forget_positions(stack, board)
    assert client.get(f"/api/notes/{notes[0]['id']}").json() == notes[0]
    assert listed(client, board, order="position", limit=2) == listed(client, board) == notes[::-1]
    moved = move(client, notes[0], f"{notes[3]['position']}V")
    forget_positions(stack, board)
    kept = [notes[4], moved, notes[3], notes[2], notes[1]]
    for limit in (1, 2, 200):
        assert listed(client, board, order="position", limit=limit) == kept
    assert listed(client, board, limit=199) == [*notes[:0:-1], moved]
    ticked = client.patch(f"/api/notes/{moved['id']}", json={"done": True}).json()
    assert ticked["position"] == moved["position"]
    assert events(stack, board)[-1]["data"] == ticked
    forget_positions(stack, board)
    assert client.delete(f"/api/notes/{ticked['id']}").json() == ticked
    assert client.post(f"/api/notes/{ticked['id']}/restore").json()["position"] == moved["position"]


def test_any_order_of_moves_makes_the_list_that_positions_tell(client: httpx.Client, board: str) -> None:
    chance = random.Random(3)
    letters = "0123456789ABCXYZabcxyz"
    notes = {note["id"]: note for note in (create(client, board, f"note {n}") for n in range(40))}
    for number in range(60):
        note = notes[chance.choice(list(notes))]
        # Some of them the same.
        position = "".join(chance.choices(letters, k=chance.choice([0, 0, 1, 3, 63]))) + chance.choice("1Vz")
        notes[note["id"]] = move(client, note, position)
        if number % 9 == 0:
            new = create(client, board, "meanwhile")
            notes[new["id"]] = new
    for limit in (7, 200):
        assert listed(client, board, order="position", limit=limit) == hung(list(notes.values()))


@pytest.mark.parametrize(
    "position",
    ["", "0", "b40", "b 4", "ä", "b4\n", "z" * 65, 4, None, ["b4"]],
    ids=lambda value: str(value)[:5],
)
def test_what_is_no_position_is_a_422(stack: Stack, client: httpx.Client, board: str, position: Any) -> None:
    note = create(client, board)
    assert wrong_fields(client.patch(f"/api/notes/{note['id']}", json={"position": position})) == {"position"}
    wrong = client.post("/api/notes", json={"text": "x", "board": board, "position": position})
    assert wrong_fields(wrong) == {"position"}
    assert len(events(stack, board)) == 1


def test_a_wrong_order_or_page_is_a_422(client: httpx.Client) -> None:
    assert wrong_fields(client.get("/api/notes", params={"order": "text"})) == {"order"}
    for page in ("b4", "b4.x", "b40.0123456789abcdef", "b4.0123456789ABCDEF"):
        assert wrong_fields(client.get("/api/notes", params={"order": "position", "page": page})) == {"page"}
