"""A write whose answer is lost on its way is sent again by the app, and is carried out once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

import corkboard.store
from corkboard import settings
from tests.harness.clients import wait_for
from tests.harness.losing import LosingRelay
from tests.harness.redis_server import RedisServer
from wsgi_app.notes import store as notes
from wsgi_app.notes.models import NewNote

TOPIC = "board:lost"


@pytest.fixture
def relay(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[LosingRelay]:
    """The way on which the app reaches Redis."""
    monkeypatch.setenv("CORKBOARD_ENV_FILE", str(server.app_env))
    with LosingRelay(server.port) as relay:
        url = settings.load().url.replace(f":{server.port}", f":{relay.port}")
        corkboard.store.use(corkboard.store.Store(url, functions=notes.FUNCTIONS))
        yield relay
        corkboard.store.use(None)


def new() -> NewNote:
    return NewNote(text='the note,"data":{} in a text', board="lost")


def ident(note: bytes) -> str:
    return str(json.loads(note)["id"])


ROOM = {"max_notes": 100, "max_boards": 100}
WRITES: dict[str, Callable[[str], bytes]] = {
    "create": lambda _: notes.create(new(), **ROOM),
    "keyed create": lambda id_: notes.create(new(), idempotency_key=f"key-of-{id_}", **ROOM),
    "update": lambda id_: notes.update(id_, {"done": True}),
    "update of a version": lambda id_: notes.update(id_, {"done": True}, [1]),
    "delete": lambda id_: notes.delete(id_),
    "restore": lambda id_: notes.restore(id_, **ROOM),
}


@pytest.mark.parametrize("late", [False, True], ids=["answer lost", "question late"])
@pytest.mark.parametrize("name", WRITES)
def test_a_write_whose_answer_is_lost_is_carried_out_once(
    server: RedisServer, relay: LosingRelay, name: str, late: bool
) -> None:
    id_ = ident(notes.create(new(), **ROOM))
    if name == "restore":
        notes.delete(id_)
    before = server.events(TOPIC)
    relay.lose(b"FCALL", late=late)
    answer = WRITES[name](id_)
    wait_for(lambda: relay.lost == 1, "the first copy of the call")
    (event,) = server.events(TOPIC)[len(before) :]
    assert json.loads(answer) == event["data"]


def test_a_write_whose_event_is_no_longer_kept_is_not_carried_out_again(
    server: RedisServer, relay: LosingRelay
) -> None:
    id_ = ident(notes.create(new(), **ROOM))
    relay.lose(b"FCALL", late=True)
    notes.update(id_, {"done": True})
    # The first copy arrives when the topic has been emptied.
    server.client().xtrim(f"stream:{{{TOPIC}}}", maxlen=0)
    wait_for(lambda: relay.lost == 1, "the first copy of the call")
    assert server.events(TOPIC) == []
