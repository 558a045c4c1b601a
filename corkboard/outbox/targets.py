"""What `put` can be given: connections of SQLAlchemy, Django and plain DB-API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from corkboard.outbox import sql
from corkboard.outbox.sender import send_now

# Under this name a session, or Django's connection, keeps which tables its transaction has put events into.
_WAITING = "corkboard_outbox"


class Target(NamedTuple):
    """Where an event goes.

    Attributes:
        dbapi: the driver's own connection.
        execute: runs a statement with values, in the caller's transaction.
        commits_each_statement: there is no such transaction.
        after_commit: has the events of a table sent after the commit; None where nothing does.
    """

    dbapi: Any
    execute: Callable[[str, Sequence[Any]], object]
    commits_each_statement: bool
    after_commit: Callable[[str], None] | None = None


def target(connection: Any) -> Target:
    """The target for whatever an app calls its connection."""
    if isinstance(connection, str) or hasattr(connection, "in_atomic_block"):
        return _django(connection)
    if hasattr(connection, "session_factory"):
        connection = connection()  # a scoped_session stands for this thread's session
    if hasattr(connection, "get_bind"):
        return _session(connection)
    if hasattr(connection, "exec_driver_sql"):
        return _sqlalchemy(connection)
    return Target(connection, partial(sql.run, connection), sql.commits_each_statement(connection))


def _django(connection: Any) -> Target:
    from django.db import connections

    database = connections[connection if isinstance(connection, str) else connection.alias]
    database.ensure_connection()
    execute = partial(sql.run, database.connection)
    if not database.in_atomic_block:
        return Target(database.connection, execute, database.get_autocommit())

    def send() -> None:
        # The call for the first event sends all events of the transaction.
        for table in database.__dict__.pop(_WAITING, ()):
            send_now(database.connection, table)

    def after_commit(table: str) -> None:
        database.__dict__.setdefault(_WAITING, set()).add(table)
        # For every event: a rollback to a savepoint takes back what was registered since.
        database.on_commit(send)

    return Target(database.connection, execute, False, after_commit)


def _session(session: Any) -> Target:
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    # The write that the event reports comes first: whoever has its locks has the next id.
    session.flush()
    connection = session.connection()
    if not event.contains(Session, "after_commit", _committed):
        event.listen(Session, "after_commit", _committed)
        event.listen(Session, "after_soft_rollback", _rolled_back)

    def after_commit(table: str) -> None:
        _, tables = session.info.get(_WAITING, (None, set()))
        session.info[_WAITING] = (connection, tables | {table})

    return _sqlalchemy(connection)._replace(after_commit=after_commit)


def _sqlalchemy(connection: Any) -> Target:
    dbapi = connection.connection.dbapi_connection
    # Where no transaction is open, SQLAlchemy begins one with the first statement.
    alone = connection.in_transaction() and sql.commits_each_statement(dbapi)
    return Target(dbapi, connection.exec_driver_sql, alone)


def _committed(session: Any) -> None:
    connection, tables = session.info.get(_WAITING, (None, ()))
    # It may have been the end of a savepoint, or of a session inside somebody else's transaction.
    if connection is None or connection.in_transaction():
        return
    del session.info[_WAITING]
    # The session still has its connection: no other one needs to be free.
    for table in tables:
        send_now(connection.connection.dbapi_connection, table)


def _rolled_back(session: Any, transaction: Any) -> None:
    if transaction.parent is None:
        session.info.pop(_WAITING, None)
