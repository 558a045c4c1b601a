"""Senders at the same time, killed, frozen: nothing is lost, nothing comes twice, the order is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from corkboard import outbox
from corkboard.outbox import sender, sql
from corkboard.outbox.sender import send_batch
from corkboard.publish import TooLate
from tests.harness.clients import wait_for
from tests.harness.redis_server import RedisServer
from tests.outbox.conftest import Connect
from tests.outbox.events import data
from tests.outbox.writers import waiting


def put(connection: Any, *numbers: int, topic: str = "orders") -> None:
    """Commits events."""
    for number in numbers:
        outbox.put(connection, topic, "order.shipped", number)
    connection.commit()


def at(monkeypatch: pytest.MonkeyPatch, step: str, act: Callable[[], object]) -> None:
    """Runs `act` once, before the next sender takes this step."""
    original = getattr(sender, step)

    def first(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(sender, step, original)
        act()
        return original(*arguments, **options)

    monkeypatch.setattr(sender, step, first)


def remembered(redis: RedisServer) -> list[int]:
    """For how many seconds Redis remembers each key, sorted."""
    keys = redis.client().hkeys("once:{orders}")
    return sorted(redis.client().httl("once:{orders}", *keys)) if keys else []


class Killed(BaseException):
    """A sender ends here."""


def kill() -> None:
    """kill -9, as far as the sender's own code can tell."""
    raise Killed


def test_a_row_that_becomes_visible_late_is_sent_although_later_ones_are_gone(
    postgres_url: str, redis: RedisServer
) -> None:
    with psycopg.connect(postgres_url) as slow, psycopg.connect(postgres_url) as quick:
        outbox.put(slow, "orders", "order.shipped", 1)
        put(quick, 2)
        assert outbox.send(quick)
        assert data(redis, "orders") == [2]
        slow.commit()
        assert outbox.send(slow)
    assert data(redis, "orders") == [2, 1]


def test_two_senders_with_the_same_rows_send_them_once(
    connect: Connect, redis: RedisServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = connect(), connect()
    put(one, 1, 2, 3)
    at(monkeypatch, "send_events", lambda: send_batch(two))
    send_batch(one)
    assert data(redis, "orders") == [1, 2, 3]
    assert waiting(url) == 0


def test_a_sender_with_an_old_view_changes_no_order(
    connect: Connect, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = connect(), connect()
    put(one, 1, 2)

    def meanwhile() -> None:
        put(two, 3)
        send_batch(two)

    at(monkeypatch, "send_events", meanwhile)
    put(one, 10, topic="bills")
    send_batch(one)
    send_batch(one)
    assert data(redis, "orders") == [1, 2, 3]
    assert data(redis, "bills") == [10]


@pytest.mark.parametrize("step", ["now", "send_events"])
def test_a_sender_that_is_killed_loses_nothing_and_doubles_nothing(
    connect: Connect, redis: RedisServer, url: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    put(connect(), 1, 2)
    at(monkeypatch, step, kill)
    with pytest.raises(Killed):
        send_batch(connect())
    send_batch(connect())
    assert data(redis, "orders") == [1, 2]
    assert waiting(url) == 0


def test_what_was_sent_and_not_deleted_is_not_sent_again_however_late(
    connect: Connect, redis: RedisServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "DELETED_SECONDS", 1)
    put(connect(), 1)
    original = sql.Statements.delete
    monkeypatch.setattr(sql.Statements, "delete", lambda *_: kill())
    with pytest.raises(Killed):
        send_batch(connect())
    monkeypatch.setattr(sql.Statements, "delete", original)
    put(connect(), 2, topic="bills")
    (left,) = remembered(redis)
    assert left > sender.UNDELETED_SECONDS - 100
    # Not even when so much time has passed that it would be forgotten, had it been deleted.
    time.sleep(1.5)
    send_batch(connect())
    assert data(redis, "orders") == [1]
    assert waiting(url) == 0


def test_keys_are_forgotten_soon_after_the_rows_are_gone(connect: Connect, redis: RedisServer) -> None:
    connection = connect()
    put(connection, *range(300))
    assert send_batch(connection)
    assert not send_batch(connection)
    put(connection, 300, topic="bills")
    send_batch(connection)
    seconds = remembered(redis)
    assert len(seconds) == 300
    assert seconds[0] > sender.FRESH_SECONDS
    assert seconds[-1] <= sender.DELETED_SECONDS


def test_a_sender_that_stood_still_until_keys_were_forgotten_sends_nothing(
    connect: Connect, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "FRESH_SECONDS", 0.5)
    monkeypatch.setattr(sender, "DELETED_SECONDS", 1)
    one, two = connect(), connect()
    put(one, 1)

    def meanwhile() -> None:
        send_batch(two)
        put(two, 2, topic="bills")
        send_batch(two)
        wait_for(lambda: not remembered(redis), "the key is forgotten")

    at(monkeypatch, "send_events", meanwhile)
    with pytest.raises(TooLate):
        send_batch(one)
    assert not send_batch(one)
    assert data(redis, "orders") == [1]


def test_a_sender_that_stands_still_while_it_deletes_holds_up_no_other_one(
    postgres_url: str, redis: RedisServer
) -> None:
    with psycopg.connect(postgres_url) as frozen, psycopg.connect(postgres_url) as other:
        put(other, 1, 2)
        frozen.execute("DELETE FROM corkboard_outbox WHERE data = '1'")
        began = time.monotonic()
        send_batch(other)
        assert time.monotonic() - began < 2
        assert data(redis, "orders") == [1, 2]
        # Of the row that it left alone, it does not say that it is gone.
        put(other, 3, topic="bills")
        send_batch(other)
        assert [seconds > sender.DELETED_SECONDS for seconds in remembered(redis)] == [False, True]
        frozen.rollback()
        send_batch(other)
    assert data(redis, "orders") == [1, 2]
    assert waiting(postgres_url) == 0


def test_a_sender_keeps_no_transaction_open_in_which_it_could_stand_still(
    connect: Connect, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect()
    put(connection, 1)
    original = sql.run
    statements = []

    def run(connection: Any, statement: str, *values: Any) -> Any:
        rows = original(connection, statement, *values)
        assert not sql.in_transaction(connection)
        statements.append(statement.split()[0])
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(sql, "run", run)
        send_batch(connection)
    assert statements == ["SELECT", "DELETE"]
    # Afterwards the connection is what it was.
    put(connection, 2)
    outbox.put(connection, "orders", "order.shipped", 3)
    connection.rollback()
    send_batch(connection)
    assert data(redis, "orders") == [1, 2]


def test_a_number_that_the_database_gives_again_does_not_delete_another_event(
    connect: Connect, redis: RedisServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = connect(), connect()
    put(one, 1)

    def meanwhile() -> None:
        send_batch(two)
        two.cursor().execute(
            "INSERT INTO corkboard_outbox (id, key, topic, type, data) VALUES (1, 'k', 'orders', 't', '2')"
        )
        two.commit()

    at(monkeypatch, "send_events", meanwhile)
    send_batch(one)
    assert waiting(url) == 1
    send_batch(one)
    assert data(redis, "orders") == [1, 2]


def test_a_row_that_cannot_be_sent_holds_up_nothing(
    connect: Connect, redis: RedisServer, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection = connect()
    bad = [("no topic", "1"), ("orders", "{"), ("orders", "NaN")]
    for topic, body in bad:
        values = f"'key of {body}', '{topic}', 't', '{body}'"
        connection.cursor().execute(
            f"INSERT INTO corkboard_outbox (key, topic, type, data) VALUES ({values})"  # noqa: S608
        )
    put(connection, 4)
    send_batch(connection)
    assert data(redis, "orders") == [4]
    assert waiting(url) == 0
    assert caplog.text.count("is invalid and is deleted") == len(bad)


def test_transactions_that_wait_for_each_other_are_sent_in_the_order_of_their_commits(
    postgres_url: str, redis: RedisServer
) -> None:
    with psycopg.connect(postgres_url) as one, psycopg.connect(postgres_url) as two:
        statement = "UPDATE counters SET number = number + 1 WHERE topic = 'a'"
        one.execute(statement)
        second = threading.Thread(target=lambda: (two.execute(statement), put(two, 2)))
        second.start()
        outbox.put(one, "orders", "order.shipped", 1)
        one.commit()
        second.join()
        send_batch(one)
    assert data(redis, "orders") == [1, 2]


def commit_in_reverse(url: str, *, in_turn: bool) -> None:
    """Of two transactions that lock nothing in common, the first to put an event is the last to commit."""
    with psycopg.connect(url) as one, psycopg.connect(url) as two:
        outbox.put(one, "orders", "order.shipped", "committed last", in_turn=in_turn)

        def other() -> None:
            outbox.put(two, "orders", "order.shipped", "committed first", in_turn=in_turn)
            two.commit()

        second = threading.Thread(target=other)
        second.start()
        second.join(0.5)
        waits = second.is_alive()
        one.commit()
        second.join()
        assert waits == in_turn


def test_transactions_with_nothing_in_common_are_sent_in_the_order_of_put(
    postgres_url: str, redis: RedisServer
) -> None:
    commit_in_reverse(postgres_url, in_turn=False)
    with psycopg.connect(postgres_url) as connection:
        send_batch(connection)
    assert data(redis, "orders") == ["committed last", "committed first"]


@pytest.mark.usefixtures("redis")
def test_events_put_in_turn_let_one_transaction_after_the_other_commit(postgres_url: str) -> None:
    commit_in_reverse(postgres_url, in_turn=True)
