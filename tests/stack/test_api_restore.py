"""A deletion can be taken back: the same note, in the same place."""

from __future__ import annotations

from datetime import datetime

import httpx
import pytest

from tests.harness.api import create, events, listed, problem
from tests.harness.stack import Stack


def delete(client: httpx.Client, note_id: str) -> None:
    assert client.delete(f"/api/notes/{note_id}").status_code == 200


def restore(client: httpx.Client, note_id: str) -> httpx.Response:
    return client.post(f"/api/notes/{note_id}/restore")


def test_a_restored_note_is_the_same_in_the_same_place_at_its_next_version(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    notes = [create(client, board, text) for text in ("one", "Two, ß and ÄÖ", "three")]
    note = client.patch(f"/api/notes/{notes[1]['id']}", json={"done": True}).json()
    delete(client, note["id"])
    answer = restore(client, note["id"])
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"3"'
    restored = answer.json()
    assert restored == {**note, "version": 3, "updated_at": restored["updated_at"]}
    assert datetime.fromisoformat(restored["updated_at"]) >= datetime.fromisoformat(note["updated_at"])
    assert client.get(f"/api/notes/{note['id']}").json() == restored
    assert listed(client, board) == [notes[2], restored, notes[0]]
    assert listed(client, board, q="SS AND ä") == [restored]
    last = events(stack, board)[-1]
    assert (last["type"], last["data"]) == ("note.created", restored)
    assert last["request_id"] == answer.headers["x-request-id"]


def test_a_repeat_answers_the_note_as_it_is_and_writes_nothing(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    note = create(client, board)
    delete(client, note["id"])
    first = restore(client, note["id"])
    told = len(events(stack, board))
    for _ in range(2):
        again = restore(client, note["id"])
        assert (again.status_code, again.json()) == (200, first.json())
    assert len(events(stack, board)) == told


def test_a_note_is_deleted_and_restored_as_often_as_one_likes(client: httpx.Client, board: str) -> None:
    note = create(client, board)
    for version in (2, 3):
        delete(client, note["id"])
        assert restore(client, note["id"]).json()["version"] == version
    client.patch(f"/api/notes/{note['id']}", json={"text": "changed"})
    delete(client, note["id"])
    assert restore(client, note["id"]).json()["text"] == "changed"


def test_what_was_never_there_cannot_be_restored(stack: Stack, client: httpx.Client, board: str) -> None:
    create(client, board)
    problem(restore(client, f"{board}.0123456789abcdef"), 404)
    assert len(events(stack, board)) == 1


def test_of_a_board_the_last_hundred_deleted_notes_are_kept(client: httpx.Client, board: str) -> None:
    notes = [create(client, board)["id"] for _ in range(102)]
    for note_id in notes:
        delete(client, note_id)
    answers = {note_id: restore(client, note_id).status_code for note_id in (*notes[:3], notes[-1])}
    assert list(answers.values()).count(404) == 2
    assert answers[notes[-1]] == 200


@pytest.mark.parametrize("kind", ["notes", "folded", "order"])
def test_a_deleted_note_is_forgotten_after_an_hour(
    stack: Stack, client: httpx.Client, board: str, kind: str
) -> None:
    note = create(client, board)
    delete(client, note["id"])
    seconds = int(stack.redis_cli("TTL", f"{kind}:{{board:{board}}}:deleted"))
    assert 3500 < seconds <= 3600


def test_a_note_that_was_deleted_over_an_hour_ago_is_not_restored(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    old, fresh = create(client, board), create(client, board)
    for note in (old, fresh):
        delete(client, note["id"])
    deleted = f"order:{{board:{board}}}:deleted"
    stack.redis_cli("ZINCRBY", deleted, "-3601", old["id"])
    problem(restore(client, old["id"]), 404)
    assert restore(client, fresh["id"]).status_code == 200


@pytest.mark.parametrize("kind", ["notes", "folded", "order"])
def test_each_deletion_forgets_what_was_deleted_over_an_hour_ago(
    stack: Stack, client: httpx.Client, board: str, kind: str
) -> None:
    old, recent, new = (create(client, board)["id"] for _ in range(3))
    for note_id in (old, recent):
        delete(client, note_id)
    stack.redis_cli("ZINCRBY", f"order:{{board:{board}}}:deleted", "-3601", old)
    delete(client, new)
    key = f"{kind}:{{board:{board}}}:deleted"
    listing = ("ZRANGE", key, "0", "-1") if kind == "order" else ("HKEYS", key)
    assert set(stack.redis_cli(*listing).split()) == {recent, new}


def test_created_at_has_the_order_of_the_list_although_the_clock_went_back(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    first = create(client, board, "from tomorrow")
    tomorrow = "2999-01-01T00:00:00.000Z"
    note = stack.redis_cli("HGET", f"notes:{{board:{board}}}", first["id"]).strip()
    late = note.replace(first["created_at"], tomorrow)
    stack.redis_cli("HSET", f"notes:{{board:{board}}}", first["id"], late)
    assert create(client, board, "after it")["created_at"] == tomorrow
