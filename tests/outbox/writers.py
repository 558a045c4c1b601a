"""Apps that write: each transaction takes the next number of a topic under a lock and puts it into an event.

A number is in the database if, and only if, its transaction has committed. So the events of a topic are right
when they show 1, 2, 3 … up to the number in the database, each once.
"""

from __future__ import annotations

import os
import random
import sqlite3
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
import sqlalchemy
from sqlalchemy.orm import Session

from corkboard import outbox

TOPICS = ("a", "b", "c")
# While the database is being restarted.
AWAY = (psycopg.OperationalError, psycopg2.OperationalError, psycopg2.InterfaceError)
# Run with a connection of some kind: a statement, and the first value of its answer.
Run = Callable[[str], Any]


class Undo(Exception):
    """A transaction that is rolled back on purpose."""


def connect(url: str, postgres: Any = psycopg) -> Any:
    """A plain connection."""
    if url.startswith("sqlite:"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        return connection
    return postgres.connect(url)


def prepare(url: str) -> None:
    """Makes the tables."""
    connection = connect(url)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE counters (topic varchar(9) PRIMARY KEY, number bigint NOT NULL)")
    for topic in TOPICS:
        cursor.execute(f"INSERT INTO counters VALUES ('{topic}', 0)")  # noqa: S608
    outbox.create_table(connection)
    connection.commit()
    connection.close()


def numbers(url: str) -> dict[str, int]:
    """How many transactions of each topic have committed."""
    connection = connect(url)
    cursor = connection.cursor()
    cursor.execute("SELECT topic, number FROM counters")
    found = dict(cursor.fetchall())
    connection.close()
    return found


def waiting(url: str) -> int:
    """How many rows wait in the outbox."""
    connection = connect(url)
    cursor = connection.cursor()
    cursor.execute(f"SELECT count(*) FROM {outbox.TABLE}")  # noqa: S608
    found: int = cursor.fetchone()[0]
    connection.close()
    return found


def change(run: Run, target: Any) -> None:
    """What one transaction does: it takes a number on one topic, sometimes on two, and sometimes gives up."""
    for topic in sorted(random.sample(TOPICS, random.choice((1, 1, 2)))):
        number = run(f"UPDATE counters SET number = number + 1 WHERE topic = '{topic}' RETURNING number")  # noqa: S608
        outbox.put(target, topic, "tick", {"number": number})
    if random.random() < 0.1:
        raise Undo


def write_plainly(url: str, postgres: Any = psycopg) -> None:
    """sqlite3, psycopg or psycopg2, which send only when told to."""
    connection = connect(url, postgres)

    def run(statement: str) -> Any:
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchone()[0]

    while True:
        try:
            if url.startswith("sqlite:"):
                connection.execute("BEGIN IMMEDIATE")
            change(run, connection)
        except Undo:
            connection.rollback()
            continue
        connection.commit()
        if random.random() < 0.7:
            outbox.send(connection)


def write_with_psycopg2(url: str) -> None:
    """As `write_plainly`."""
    write_plainly(url, psycopg2)


def write_with_sqlalchemy(url: str) -> None:
    """Sessions, which send by themselves."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    if engine.dialect.name == "sqlite":
        sqlalchemy.event.listen(engine, "connect", _begins_by_itself)
        sqlalchemy.event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE"))
    while True:
        with suppress(Undo), Session(engine) as session, session.begin():
            change(lambda statement: session.scalar(sqlalchemy.text(statement)), session)


def _begins_by_itself(connection: Any, _: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=30000")


def write_with_django(url: str) -> None:
    """`transaction.atomic()`, which sends by itself."""
    import django
    from django.conf import settings
    from django.db import connection, transaction

    parts = sqlalchemy.make_url(url)
    postgres = {"HOST": parts.host, "PORT": parts.port, "USER": parts.username}
    sqlite = {"OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"}}
    kind = "sqlite3" if parts.drivername == "sqlite" else "postgresql"
    database = {"ENGINE": f"django.db.backends.{kind}", "NAME": parts.database}
    if not settings.configured:
        settings.configure(DATABASES={"default": database | (sqlite if kind == "sqlite3" else postgres)})
        django.setup()
    connection.close()

    def run(statement: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0]

    while True:
        with suppress(Undo), transaction.atomic():
            change(run, connection)


def write(kind: str, url: str, failures: Path) -> None:
    """Writes until it is killed; what should not happen is added to a file."""
    while True:
        try:
            globals()[f"write_{kind}"](url)
        except AWAY:
            continue
        except BaseException as error:
            if _means_away(error):
                continue
            with failures.open("a") as file:
                file.write(f"{kind} {os.getpid()}\n{traceback.format_exc()}\n")
            raise


def _means_away(error: BaseException) -> bool:
    causes: Sequence[Any] = (getattr(error, "orig", None), error.__cause__)
    return any(isinstance(cause, AWAY) for cause in causes)
