"""A backup holds all that was acknowledged; after its restore no client mistakes one history for another."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from pathlib import Path
from typing import Any

import jwt

from redis import Redis
from tests.harness.api import create, listed
from tests.harness.clients import Socket, http, wait_for
from tests.harness.local import LocalStack
from tests.harness.sidecar import redis
from tests.harness.stack import Stack
from tests.harness.traffic import Writer, notes_of


def backed_up(stack: Stack, folder: Path) -> Path:
    """A backup of now; what `make backup` says of it is true."""
    (said,) = stack.backup(folder).splitlines()
    match = re.fullmatch(r"(\S+): as of \d{8}T\d{6}Z, (\d+) bytes, sha256 ([0-9a-f]{64})", said)
    assert match
    file = Path(match[1])
    assert file.parent == folder
    content = file.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (int(match[2]), match[3])
    assert (folder / f"{file.name}.sha256").read_text() == f"{match[3]}  {file.name}\n"
    return file


def restored(stack: Stack, file: Path, folder: Path) -> Path:
    """The stack after a restore; returns the backup of what was replaced."""
    before = set(folder.glob("*.rdb"))
    time.sleep(1)  # names have seconds
    result = stack.restore(file, folder, FORCE="yes")
    assert result.returncode == 0, result.stdout + result.stderr
    (kept,) = set(folder.glob("*.rdb")) - before
    with http(stack) as client:
        for path in ("/readyz", "/ws/readyz"):
            wait_for(lambda path=path: client.get(path).status_code == 200, f"{path} to be 200", 60)
    return kept


class Poller(threading.Thread):
    """Polls from a cursor, again and again, until the answer is more than that nothing happened."""

    def __init__(self, stack: Stack, topic: str, cursor: str) -> None:
        super().__init__(daemon=True)
        self.answer: dict[str, Any] = {}
        self._stack = stack
        self._query = {"topic": topic, "since": cursor, "timeout": "25"}
        self.start()

    def run(self) -> None:
        deadline = time.monotonic() + 90
        with http(self._stack) as client:
            while time.monotonic() < deadline:
                answer = client.get("/ws/poll", params=self._query)
                if answer.status_code == 200 and (answer.json()["events"] or not answer.json()["recovered"]):
                    self.answer = answer.json()
                    return


def test_what_was_acknowledged_before_a_backup_is_in_it_although_others_write_meanwhile(
    stack: Stack, board: str, tmp_path: Path
) -> None:
    writers = [Writer(stack, board) for _ in range(3)]
    for writer in writers:
        writer.start()
    wait_for(lambda: all(len(writer.acknowledged) > 10 for writer in writers), "notes")
    before = [note for writer in writers for note in writer.acknowledged]
    file = backed_up(stack, tmp_path)
    after = [len(writer.acknowledged) for writer in writers]
    wait_for(lambda: all(len(w.acknowledged) > n + 5 for w, n in zip(writers, after, strict=True)), "more")
    # They are writing when Redis stops, too.
    kept = restored(stack, file, tmp_path)
    at_once = len(writers[0].acknowledged)
    wait_for(lambda: len(writers[0].acknowledged) > at_once + 5, "notes after the restore")
    for writer in writers:
        writer.finish()
    stored = notes_of(stack, board)
    assert set(before) <= set(stored)
    # What was written between the two is in the other backup; together they have all of it.
    restored(stack, kept, tmp_path)
    everything = {note for writer in writers for note in writer.acknowledged}
    assert set(notes_of(stack, board)) | set(stored) >= everything


def test_a_restored_history_is_never_continued_from_what_a_client_remembers(
    stack: Stack, board: str, tmp_path: Path
) -> None:
    topic, younger = f"board:{board}", f"{board}-younger"
    with http(stack) as client:
        first = create(client, board, "before", done=False)
        about = f"/api/boards/{board}"
        assert client.patch(about, json={"title": "Küche"}).json()["version"] == 1
        create(client, board, "second")
        keyed = {"Idempotency-Key": secrets.token_hex(8)}
        early = client.post("/api/notes", json={"board": board, "text": "early"}, headers=keyed).json()
        file = backed_up(stack, tmp_path)

        # What clients learn now does not outlive the restore.
        assert client.patch(about, json={"title": "Bad"}).json()["version"] == 2
        path = f"/api/notes/{first['id']}"
        assert client.patch(path, json={"text": "changed"}).headers["ETag"] == '"2"'
        lost = {"Idempotency-Key": secrets.token_hex(8)}
        later = client.post("/api/notes", json={"board": board, "text": "later"}, headers=lost).json()
        create(client, younger, "on a board that the backup does not have")
        lists = {name: client.get("/api/notes", params={"board": name}) for name in (board, younger)}
        ticket = client.post("/api/tickets").json()
        client.cookies.clear()
        subject = jwt.decode(ticket["ticket"], options={"verify_signature": False})["sub"]
        mine = {"topic": ticket["topics"][-1], "timeout": "0"}
        bearer = {"Authorization": f"Bearer {ticket['ticket']}"}
        assert client.get("/ws/poll", params=mine, headers=bearer).status_code == 200
        stack.redis_cli("ZADD", "revoked:{control}", str(time.time() + 1), subject)
        stack.redis_cli("PUBLISH", "control", subject)

        with Socket(stack, topic=topic) as live:
            cursor = live.expect("subscribed")["cursor"]
            poller = Poller(stack, topic, cursor)
            kept = restored(stack, file, tmp_path)
            poller.join(60)
            assert (poller.answer["events"], poller.answer["recovered"]) == ([], False)

            # As many other events as there were, so that the offsets are the same again, and the version.
            again = client.patch(path, json={"text": "changed otherwise"})
            others = [create(client, board, f"other {number}") for number in range(3)]
            create(client, younger, "another one")

            told = live.expect("subscribed")
            assert told["recovered"] is False
            if told["cursor"].partition("-")[0] == cursor.partition("-")[0]:
                # Back at the backup, which is where it was once. With the first write another history begins.
                told = live.expect("subscribed")
                assert told["recovered"] is False
            assert told["cursor"].partition("-")[0] != cursor.partition("-")[0]
            heard = [live.expect("event") for _ in range(4)]
            assert [event["data"] for event in heard] == [again.json(), *others]
            offsets = [int(event["id"].partition("-")[2]) for event in heard]
            assert offsets[0] <= int(cursor.partition("-")[2]) <= offsets[-1]

        for name, old in lists.items():
            since = old.json()["cursor"]
            with Socket(stack, topic=f"board:{name}", since=since) as socket:
                assert socket.expect("subscribed")["recovered"] is False
            answer = client.get("/ws/poll", params={"topic": f"board:{name}", "since": since, "timeout": 0})
            assert answer.json()["recovered"] is False
            listing = client.get(
                "/api/notes", params={"board": name}, headers={"If-None-Match": old.headers["ETag"]}
            )
            assert listing.status_code == 200

        assert [note["text"] for note in listed(client, board)] == [
            *("other 2", "other 1", "other 0", "early", "second", "changed otherwise")
        ]
        assert client.get(path, headers={"If-None-Match": '"2"'}).json() == again.json()
        assert client.patch(path, json={"done": True}, headers={"If-Match": '"2"'}).status_code == 412
        assert client.get(about).json()["title"] == "Küche"
        assert client.patch(about, json={"title": "x"}, headers={"If-Match": '"2"'}).status_code == 412
        assert client.patch(about, json={"title": "x"}).json()["version"] > 1000
        # A key of before answers what it answered; what came after is forgotten, so it can be repeated.
        repeat = client.post("/api/notes", json={"board": board, "text": "early"}, headers=keyed)
        assert repeat.json() == early
        repeat = client.post("/api/notes", json={"board": board, "text": "later"}, headers=lost)
        assert repeat.json()["id"] != later["id"]
        assert client.get("/ws/poll", params=mine, headers=bearer).status_code == 403

        restored(stack, kept, tmp_path)
        assert [note["text"] for note in listed(client, board)] == ["later", "early", "second", "changed"]
        assert [note["text"] for note in listed(client, younger)] == [
            "on a board that the backup does not have"
        ]


def test_a_backup_that_is_damaged_or_not_meant_is_refused_and_nothing_stops(
    stack: Stack, board: str, tmp_path: Path
) -> None:
    def refused(file: Path, why: str, **environment: str) -> None:
        result = stack.restore(file, tmp_path, **environment)
        assert result.returncode != 0
        assert why in result.stderr, result.stdout + result.stderr

    with http(stack) as client:
        create(client, board, "untouched")
        file = backed_up(stack, tmp_path)
        later = create(client, board, "later")
        process = re.findall(r"run_id:\w+", stack.redis_cli("INFO", "server"))

        refused(file, "say FORCE=yes")
        flipped = bytearray(file.read_bytes())
        flipped[len(flipped) // 2] ^= 1
        file.write_bytes(flipped)
        refused(file, "is damaged", FORCE="yes")
        # With a digest that fits, Redis itself finds it.
        digest = file.with_name(f"{file.name}.sha256")
        digest.write_text(f"{hashlib.sha256(flipped).hexdigest()}  {file.name}\n")
        refused(file, "Redis cannot read this backup", FORCE="yes")
        digest.unlink()
        refused(file, "copy it here, too", FORCE="yes")

        assert re.findall(r"run_id:\w+", stack.redis_cli("INFO", "server")) == process
        assert notes_of(stack, board)[-1] == later["id"]
        create(client, board, "and it still writes")


def test_a_restore_that_is_killed_soon_gives_writes_back(
    local_stack: LocalStack, board: str, tmp_path: Path
) -> None:
    file = backed_up(local_stack, tmp_path)
    time.sleep(1)  # names have seconds
    with redis(local_stack) as admin:
        with local_stack.begin("restore", str(file), "--to", str(tmp_path), FORCE="yes") as restoring:
            wait_for(lambda: _paused(admin), "writes to be paused", 60)
            restoring.kill()
        left = _paused(admin)
        assert 0 < left <= 60_000
        wait_for(lambda: _paused(admin) < left, "the pause to pass")
        admin.client_unpause()
    with http(local_stack) as client:
        create(client, board, "and it still writes")


def _paused(admin: Redis) -> int:
    """Milliseconds for which writes wait."""
    return int(admin.info("clients").get("paused_timeout_milliseconds", 0))


def test_data_that_redis_cannot_read_any_more_are_replaced_and_kept(tmp_path: Path) -> None:
    with LocalStack() as stack:
        with http(stack) as client:
            note = create(client, "main", "in the backup")
        file = backed_up(stack, tmp_path)
        stack.down()
        (base,) = stack.state.redis.glob("appendonlydir/*.base.*")
        base.write_bytes(b"not what it was")
        result = stack.restore(file, tmp_path, FORCE="yes")
        assert result.returncode == 0, result.stdout + result.stderr
        (kept,) = stack.state.redis.glob("replaced-*")
        assert str(kept) in result.stdout
        assert "become valid again" in result.stdout
        stack.start()
        assert (kept / base.name).read_bytes() == b"not what it was"
        with http(stack) as client:
            assert client.get(f"/api/notes/{note['id']}").json()["text"] == "in the backup"
