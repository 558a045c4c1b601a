"""An event goes out if its transaction commits, right after it, and never harms the request."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import django
import psycopg
import psycopg2.extras
import pytest
import sqlalchemy
from django.db import connection as django_connection
from django.db import connections, transaction
from psycopg.rows import dict_row
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from corkboard import outbox
from corkboard.outbox import sender
from tests.harness.redis_server import RedisServer
from tests.outbox.conftest import Connect
from tests.outbox.events import data
from tests.outbox.writers import connect as plain_connect
from tests.outbox.writers import waiting


class Base(DeclarativeBase):
    """Of the app under test."""


class Counter(Base):
    """A row that transactions compete for."""

    __tablename__ = "counters"
    topic: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]


@pytest.fixture
def engine(url: str) -> Iterator[sqlalchemy.Engine]:
    """Has one connection only: sending after a commit must not need another."""
    made = sqlalchemy.create_engine(
        url.replace("postgresql:", "postgresql+psycopg:"), pool_size=1, max_overflow=0, pool_timeout=1
    )
    if made.dialect.name == "sqlite":
        # What SQLAlchemy's documentation asks for where savepoints are used.
        sqlalchemy.event.listen(made, "connect", lambda c, _: setattr(c, "isolation_level", None))
        sqlalchemy.event.listen(made, "begin", lambda c: c.exec_driver_sql("BEGIN"))
    yield made
    made.dispose()


@pytest.fixture
def django_database(url: str) -> Iterator[None]:
    """Django's default database."""
    parts = sqlalchemy.make_url(url)
    kind = "sqlite3" if parts.drivername == "sqlite" else "postgresql"
    settings = {
        "ENGINE": f"django.db.backends.{kind}",
        "NAME": parts.database,
        "HOST": parts.host or "",
        "PORT": parts.port or "",
        "USER": parts.username or "",
    }
    if not django.conf.settings.configured:
        django.conf.settings.configure(DATABASES={"default": settings})
        django.setup()
    connections.settings = connections.configure_settings({"default": settings})
    if hasattr(connections._connections, "default"):
        del connections["default"]
    yield
    connections.close_all()


def test_a_session_sends_right_after_its_commit(engine: sqlalchemy.Engine, redis: RedisServer) -> None:
    with Session(engine) as session:
        outbox.put(session, "orders", "order.shipped", {"id": 1})
        assert redis.events("orders") == []
        session.commit()
        (event,) = redis.events("orders")
        assert (event["type"], event["data"]) == ("order.shipped", {"id": 1})
        outbox.put(session, "orders", "order.shipped", {"id": 2})
        session.commit()
    assert data(redis, "orders") == [{"id": 1}, {"id": 2}]


def test_a_scoped_session_is_taken_for_the_session_it_stands_for(
    engine: sqlalchemy.Engine, redis: RedisServer
) -> None:
    session = scoped_session(sessionmaker(engine))
    outbox.put(session, "orders", "order.shipped", 1)
    session.commit()
    session.remove()
    assert data(redis, "orders") == [1]


def test_what_a_session_rolls_back_is_never_sent(
    engine: sqlalchemy.Engine, redis: RedisServer, url: str
) -> None:
    with Session(engine) as session:
        outbox.put(session, "orders", "order.shipped", 1)
        session.rollback()
        session.commit()
        with session.begin():
            outbox.put(session, "orders", "order.shipped", 2)
            with session.begin_nested() as savepoint:
                outbox.put(session, "orders", "order.shipped", 3)
                savepoint.rollback()
            with session.begin_nested():
                outbox.put(session, "orders", "order.shipped", 4)
            # The end of a savepoint is no commit.
            assert data(redis, "orders") == []
    assert data(redis, "orders") == [2, 4]
    assert waiting(url) == 0


def test_a_session_inside_a_transaction_of_somebody_else_does_not_send(
    engine: sqlalchemy.Engine, redis: RedisServer, url: str
) -> None:
    with engine.connect() as connection:
        with connection.begin() as outer:
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                outbox.put(session, "orders", "order.shipped", 1)
                session.commit()
            outer.rollback()
        assert data(redis, "orders") == []
    assert waiting(url) == 0


@pytest.mark.usefixtures("redis")
def test_a_session_writes_before_its_event_so_that_locks_decide_the_order(engine: sqlalchemy.Engine) -> None:
    statements: list[str] = []
    sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2].split()[0]))
    with Session(engine) as session:
        counter = session.get_one(Counter, "a")
        counter.number += 1
        statements.clear()
        outbox.put(session, "orders", "order.shipped", 1)
        session.commit()
    assert statements[0] == "UPDATE"
    assert len(statements) == 2


def test_a_connection_of_sqlalchemy_sends_when_told(engine: sqlalchemy.Engine, redis: RedisServer) -> None:
    with engine.connect() as connection:
        outbox.put(connection, "orders", "order.shipped", 1)
        connection.rollback()
        outbox.put(connection, "orders", "order.shipped", 2)
        connection.commit()
        assert outbox.send(connection)
    assert data(redis, "orders") == [2]


@pytest.mark.usefixtures("django_database")
@pytest.mark.parametrize("target", [django_connection, "default"], ids=["connection", "name"])
def test_django_sends_right_after_the_commit(redis: RedisServer, target: Any) -> None:
    with transaction.atomic():
        outbox.put(target, "orders", "order.shipped", 1)
        with transaction.atomic():
            outbox.put(target, "orders", "order.shipped", 2)
        assert data(redis, "orders") == []
    assert data(redis, "orders") == [1, 2]


@pytest.mark.usefixtures("django_database")
def test_what_django_rolls_back_is_never_sent(redis: RedisServer, url: str) -> None:
    with suppress(ZeroDivisionError), transaction.atomic():
        outbox.put(django_connection, "orders", "order.shipped", 1)
        raise ZeroDivisionError
    with transaction.atomic():
        with suppress(ZeroDivisionError), transaction.atomic():
            outbox.put(django_connection, "orders", "order.shipped", 2)
            raise ZeroDivisionError
        # What was registered with the savepoint is gone; this must be registered again.
        outbox.put(django_connection, "orders", "order.shipped", 3)
    assert data(redis, "orders") == [3]
    assert waiting(url) == 0


@pytest.mark.usefixtures("django_database")
def test_many_events_of_one_transaction_of_django_are_sent_by_one_call(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    original = sender.send_batch
    monkeypatch.setattr(sender, "send_batch", lambda *a, **k: calls.append(1) or original(*a, **k))
    with transaction.atomic():
        for number in range(50):
            outbox.put(django_connection, "orders", "order.shipped", number)
    assert data(redis, "orders") == list(range(50))
    assert len(calls) == 1


@pytest.mark.usefixtures("django_database", "redis")
def test_django_without_a_transaction_is_refused(url: str) -> None:
    with pytest.raises(RuntimeError, match="begin a transaction first"):
        outbox.put(django_connection, "orders", "order.shipped", 1)
    assert waiting(url) == 0


def test_a_plain_connection_sends_when_told(connect: Connect, redis: RedisServer, url: str) -> None:
    connection = connect()
    outbox.put(connection, "orders", "order.shipped", {"id": "ü😀"})
    connection.commit()
    assert data(redis, "orders") == []
    assert outbox.send(connection)
    assert data(redis, "orders") == [{"id": "ü😀"}]
    outbox.put(connection, "orders", "order.shipped", 2)
    connection.rollback()
    assert outbox.send(connection)
    assert data(redis, "orders") == [{"id": "ü😀"}]
    assert waiting(url) == 0


def test_send_inside_a_transaction_sends_nothing_and_ends_nothing(
    connect: Connect, redis: RedisServer
) -> None:
    connection = connect()
    outbox.put(connection, "orders", "order.shipped", 1)
    assert not outbox.send(connection)
    connection.rollback()
    assert outbox.send(connection)
    assert data(redis, "orders") == []


@pytest.mark.parametrize("kind", ["sqlite3", "psycopg", "psycopg2"])
def test_a_plain_connection_without_a_transaction_is_refused(
    kind: str, request: pytest.FixtureRequest
) -> None:
    connection: Any
    if kind == "sqlite3":
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.execute(outbox.ddl("sqlite"))
    else:
        url = request.getfixturevalue("postgres_url")
        connection = (psycopg if kind == "psycopg" else psycopg2).connect(url)
        connection.autocommit = True
    with pytest.raises(RuntimeError, match="begin a transaction first"):
        outbox.put(connection, "orders", "order.shipped", 1)
    connection.cursor().execute("BEGIN")
    outbox.put(connection, "orders", "order.shipped", 1)
    connection.cursor().execute("ROLLBACK")
    connection.close()


def test_rows_as_dictionaries_do_no_harm(postgres_url: str, sqlite_url: str, redis: RedisServer) -> None:
    lite = plain_connect(sqlite_url)
    lite.isolation_level = ""
    lite.row_factory = lambda cursor, row: dict(
        zip([column[0] for column in cursor.description], row, strict=True)
    )
    two = psycopg2.connect(postgres_url, cursor_factory=psycopg2.extras.RealDictCursor)
    for connection in (psycopg.connect(postgres_url, row_factory=dict_row), two, lite):
        outbox.put(connection, "orders", "order.shipped", type(connection).__module__)
        connection.commit()
        assert outbox.send(connection)
        connection.close()
    assert data(redis, "orders") == ["psycopg", "psycopg2.extensions", "sqlite3"]


@pytest.mark.parametrize(
    ("topic", "type_", "given", "error"),
    [
        ("no topic", "t", 1, ValueError),
        ("orders", "", 1, ValueError),
        ("orders", "t", float("nan"), ValueError),
        ("orders", "t", object(), TypeError),
        ("orders", "t", "\ud800", ValueError),
    ],
)
def test_an_invalid_event_is_refused_and_the_transaction_goes_on(
    connect: Connect, redis: RedisServer, topic: str, type_: str, given: object, error: type[Exception]
) -> None:
    connection = connect()
    outbox.put(connection, "orders", "order.shipped", 1)
    with pytest.raises(error):
        outbox.put(connection, topic, type_, given)
    connection.commit()
    assert outbox.send(connection)
    assert data(redis, "orders") == [1]


def test_something_else_is_refused_with_what_would_do() -> None:
    with pytest.raises(TypeError, match=r"not a connection of sqlite3, psycopg, .*SQLAlchemy or Django"):
        outbox.put(object(), "orders", "order.shipped", 1)
    with pytest.raises(TypeError, match="AsyncConnection is not"):
        outbox.put(psycopg.AsyncConnection.__new__(psycopg.AsyncConnection), "orders", "order.shipped", 1)
    with pytest.raises(ValueError, match="not a table's name"):
        outbox.put(sqlite3.connect(":memory:"), "orders", "order.shipped", 1, table="a; drop table b")


def test_a_redis_that_does_not_answer_delays_one_commit_by_two_seconds_and_the_next_not_at_all(
    engine: sqlalchemy.Engine, redis: RedisServer, url: str
) -> None:
    redis.freeze()
    try:
        took = []
        for number in range(3):
            with Session(engine) as session:
                outbox.put(session, "orders", "order.shipped", number)
                began = time.monotonic()
                session.commit()
                took.append(time.monotonic() - began)
    finally:
        redis.thaw()
    assert took[0] < 2.5
    assert max(took[1:]) < 0.2
    assert waiting(url) == 3


@pytest.mark.usefixtures("redis")
def test_a_table_that_is_missing_after_the_commit_does_not_break_the_request(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    connection = connect()
    connection.cursor().execute("DROP TABLE corkboard_outbox")
    connection.commit()
    assert not outbox.send(connection)
    assert "events wait in the outbox" in caplog.text
    # The connection is good for the next request.
    connection.cursor().execute("SELECT 1")


def test_off_sends_nothing_and_keeps_nothing(
    engine: sqlalchemy.Engine, url: str, published: list[Any]
) -> None:
    with Session(engine) as session:
        outbox.put(session, "orders", "order.shipped", 1)
        session.rollback()
        outbox.put(session, "orders", "order.shipped", 2)
        session.commit()
    assert [event[:3] for event in published] == [("orders", "order.shipped", 2)]
    assert waiting(url) == 0


@pytest.mark.usefixtures("django_database", "redis")
def test_the_table_is_made_through_any_connection(
    engine: sqlalchemy.Engine, connect: Connect, url: str
) -> None:
    plain = connect()
    outbox.create_table(plain, table="made_plainly")
    plain.commit()
    with Session(engine) as session, session.begin():
        outbox.create_table(session, table="made_by_a_session")
    # As a migration does it.
    with django_connection.schema_editor() as editor:
        outbox.create_table(editor.connection, table="made_by_django")
    with Session(engine) as session, session.begin():
        for table in ("made_plainly", "made_by_a_session", "made_by_django"):
            outbox.put(session, "orders", "order.shipped", table, table=table)
            outbox.create_table(session, table=table)
    assert waiting(url) == 0


def test_the_table_can_be_one_of_sqlalchemys_metadata(url: str, redis: RedisServer) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    metadata = sqlalchemy.MetaData()
    table = outbox.table_of(metadata, table="another_outbox")
    metadata.create_all(engine)
    with Session(engine) as session:
        outbox.put(session, "orders", "order.shipped", 1, table="another_outbox")
        outbox.put(session, "orders", "order.shipped", 2)
        session.commit()
        outbox.put(session, "orders", "order.shipped", 3, table="another_outbox")
        session.rollback()
        assert session.scalar(sqlalchemy.select(sqlalchemy.func.count()).select_from(table)) == 0
    assert sorted(data(redis, "orders")) == [1, 2]
    engine.dispose()
