"""Boards, and notes on a board, are as many as the settings allow; what is emptied makes room."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import corkboard.store
from tests.harness.redis_server import RedisServer
from wsgi_app import settings
from wsgi_app.app import create_app

BOARDS, NOTES = 3, 2


@pytest.fixture
def client(server: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FlaskClient]:
    """The app with bounds that are soon reached, and nothing in its Redis."""
    server.client().flushdb()
    monkeypatch.setenv("CORKBOARD_ENV_FILE", str(server.app_env))
    monkeypatch.setenv("SESSION_KEY", "s" * 32)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setenv("MAX_BOARDS", str(BOARDS))
    monkeypatch.setenv("MAX_NOTES_PER_BOARD", str(NOTES))
    settings.load.cache_clear()
    with create_app().test_client() as client:
        yield client
    corkboard.store.use(None)
    settings.load.cache_clear()


def post(client: FlaskClient, board: str, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/api/notes", json={"board": board, "text": "x"}, headers=headers)


@pytest.mark.parametrize("keyed", [False, True])
def test_a_full_board_says_so_and_takes_a_note_for_each_that_goes(client: FlaskClient, keyed: bool) -> None:
    keys = [secrets.token_hex(8) if keyed else None for _ in range(NOTES + 1)]
    notes = [post(client, "a", key) for key in keys]
    assert [answer.status_code for answer in notes] == [201] * NOTES + [507]
    assert notes[-1].json["title"] == "Insufficient Storage"
    assert "Delete notes" in notes[-1].json["detail"]
    assert client.patch(f"/api/notes/{notes[0].json['id']}", json={"text": "y"}).status_code == 200
    if keyed:
        assert post(client, "a", keys[0]).data == notes[0].data
    assert client.delete(f"/api/notes/{notes[0].json['id']}").status_code == 200
    assert post(client, "a", keys[-1]).status_code == 201


def test_deleted_notes_give_way_to_new_ones(client: FlaskClient) -> None:
    first, second = (post(client, "a").json["id"] for _ in range(NOTES))
    for note_id in (first, second):
        assert client.delete(f"/api/notes/{note_id}").status_code == 200
    assert post(client, "a").status_code == 201
    # The older of the two has gone, and the board is full when the other one is back.
    assert client.post(f"/api/notes/{first}/restore").status_code == 404
    assert client.post(f"/api/notes/{second}/restore").status_code == 200
    assert post(client, "a").status_code == 507


def test_the_deleted_notes_of_a_board_that_gave_way_are_forgotten(
    client: FlaskClient, server: RedisServer
) -> None:
    notes = {board: post(client, board).json["id"] for board in ("a", "b", "c")}
    client.delete(f"/api/notes/{notes['a']}")
    assert post(client, "d").status_code == 201
    assert server.client().keys("*:{board:a}*") == []
    assert client.post(f"/api/notes/{notes['a']}/restore").status_code == 404


def test_a_board_more_is_refused_until_one_is_emptied_whose_history_gives_way(
    client: FlaskClient, server: RedisServer
) -> None:
    notes = {board: post(client, board).json["id"] for board in ("a", "b", "c")}
    refused = post(client, "d")
    assert refused.status_code == 507
    assert "empty one" in refused.json["detail"]
    assert post(client, "a").status_code == 201
    for board in ("c", "b"):
        assert client.delete(f"/api/notes/{notes[board]}").status_code == 200
    # A board that is used again is none that gives way.
    assert post(client, "c").status_code == 201
    assert post(client, "d").status_code == 201
    assert server.events("board:b") == []
    assert len(server.events("board:c")) == 3
    assert post(client, "b").status_code == 507
    # Those who still listen there are told: the position is gone.
    assert client.get("/api/notes?board=b").json["cursor"] == "0-0"


def test_a_board_with_a_title_alone_counts_as_one_and_gives_way_with_its_title(
    client: FlaskClient, server: RedisServer
) -> None:
    def title(board: str) -> int:
        return client.patch(f"/api/boards/{board}", json={"title": "T"}).status_code

    notes = [post(client, board).json["id"] for board in ("a", "b")]
    assert title("c") == 200
    assert title("a") == 200
    # The only board without a note is the one that goes.
    assert title("d") == 200
    assert server.client().keys("*:{board:c}*") == []
    assert client.get("/api/boards/c").json == {"slug": "c", "title": "", "version": 0}
    assert client.get("/api/boards/d").json["title"] == "T"
    assert post(client, "d").status_code == 201
    assert [title(board) for board in ("e", "a", "b")] == [507, 200, 200]
    # An emptied board keeps its title until another one needs the room.
    client.delete(f"/api/notes/{notes[1]}")
    assert client.get("/api/boards/b").json["title"] == "T"
    assert title("e") == 200
    assert client.get("/api/boards/b").json["title"] == ""
    assert client.get("/api/notes?board=b").json["cursor"] == "0-0"


def test_boards_of_before_count_as_soon_as_they_are_written_to(
    client: FlaskClient, server: RedisServer
) -> None:
    for board in ("a", "b", "c"):
        post(client, board)
    server.client().delete("order:{boards}")
    assert [post(client, board).status_code for board in ("a", "b", "c", "d")] == [201, 201, 201, 507]
