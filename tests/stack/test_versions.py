"""From the version of the last tag to this one: over its data, and both beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import previous
from tests.harness.clients import Socket, http, wait_for
from tests.harness.local import LocalStack
from tests.harness.traffic import Listener, Writer, notes_of


@pytest.fixture
def old_local(tmp_path: Path) -> Iterator[LocalStack]:
    """The previous version as local processes, in a clone of its own."""
    previous.required_tag()
    code = tmp_path / "clone"
    code.mkdir()
    previous.unpack(code)
    with LocalStack(code=code) as stack:
        yield stack


def test_make_up_upgrades_what_runs_and_its_data(old_local: LocalStack) -> None:
    previous.check_upgrade(old_local, old_local.code, old_local.start)


def test_both_versions_share_one_redis_and_nothing_is_lost_between_them(
    local_stack: LocalStack, board: str, tmp_path: Path
) -> None:
    previous.required_tag()
    previous.unpack(tmp_path)
    with previous.beside(local_stack, tmp_path) as (old_app, old_sidecar):
        with (
            Socket(local_stack, topic=f"board:{board}-2") as new,
            Socket(old_sidecar, topic=f"board:{board}-2") as old,
        ):  # type: ignore[arg-type]
            for socket in (new, old):
                while socket.expect("presence", 30)["count"] != 2:
                    pass
        writers = [Writer(app, board) for app in (local_stack, old_app)]
        listeners = [Listener(side, f"board:{board}") for side in (local_stack, old_sidecar) for _ in "12"]
        for thread in (*listeners, *writers):
            thread.start()
        wait_for(lambda: all(len(writer.acknowledged) > 40 for writer in writers), "notes of both", 90)
        for writer in writers:
            writer.finish()
        # Each changes and deletes what the other wrote.
        with http(local_stack) as new, http(old_app) as old:  # type: ignore[arg-type]
            for client, author in ((new, writers[1]), (old, writers[0])):
                changed, deleted = author.acknowledged[:2]
                _ok(client.patch(f"/api/notes/{changed}", json={"text": "changed by the other"}))
                _ok(client.delete(f"/api/notes/{deleted}"))
            # The version before does not know who wrote a note, and gives it out all the same.
            signed = new.post(
                "/api/notes", json={"board": f"{board}-2", "text": "signed", "author": "Ada"}
            ).json()
            assert _ok(old.get(f"/api/notes/{signed['id']}")) == signed
            assert _ok(old.patch(f"/api/notes/{signed['id']}", json={"done": True}))["text"] == "signed"
            lists = [client.get("/api/notes", params={"board": board, "limit": 200}) for client in (new, old)]
            arranged = _arrange(new, old, f"{board}-3")
        lists_of_notes = [[{**note, "position": None} for note in answer.json()["notes"]] for answer in lists]
        assert lists_of_notes[0] == lists_of_notes[1]
        assert arranged == ["old, moved", "old, late", "new, moved and ticked", "old", "new"]

        stored = notes_of(local_stack, board)
        gone = {writer.acknowledged[1] for writer in writers}
        assert {note for writer in writers for note in writer.acknowledged} - gone <= set(stored)
        end = lists[0].json()["cursor"]
        for listener in listeners:
            wait_for(lambda heard=listener: heard.events and heard.events[-1]["id"] == end, "all events", 60)
            listener.finish()
            assert listener.lost == 0
            assert listener.events == listeners[0].events
        created = [event["data"]["id"] for event in listeners[0].events if event["type"] == "note.created"]
        assert sorted(created) == sorted({*stored, *gone})


def _arrange(new: httpx.Client, old: httpx.Client, board: str) -> list[str]:
    """Moves notes while the version before, which knows no positions, writes too; the texts as they hang."""
    gone, first, second, third, fourth = (
        _ok(client.post("/api/notes", json={"board": board, "text": text}), 201)
        for client, text in (
            (new, "gone"), (new, "new"), (old, "old"), (new, "new, moved and ticked"), (old, "old, moved"),
        )
    )  # fmt: skip
    place = _ok(new.get(f"/api/notes/{second['id']}"))["position"]
    assert first["position"] < place < third["position"]
    moved = _ok(new.patch(f"/api/notes/{third['id']}", json={"position": f"{place}V"}))
    _ok(old.patch(f"/api/notes/{third['id']}", json={"done": True}))
    assert _ok(new.get(f"/api/notes/{third['id']}"))["position"] == moved["position"]
    _ok(old.delete(f"/api/notes/{gone['id']}"))
    _ok(old.post("/api/notes", json={"board": board, "text": "old, late"}), 201)
    _ok(new.patch(f"/api/notes/{fourth['id']}", json={"position": "zz"}))
    listed = _ok(new.get("/api/notes", params={"board": board, "order": "position", "limit": 200}))["notes"]
    assert {note["id"] for note in listed} == {
        note["id"] for note in _ok(old.get("/api/notes", params={"board": board}))["notes"]
    }
    positions = [note["position"] for note in listed]
    assert positions == sorted(positions, reverse=True)
    return [note["text"] for note in listed]


def _ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()
