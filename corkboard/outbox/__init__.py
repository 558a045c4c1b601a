"""Events that are sent if, and only if, a transaction commits.

`put` adds the event to a table, in the transaction of the write that it reports. After the commit the app
sends it at once, and `python -m corkboard relay` sends whatever the app could not.
"""

from __future__ import annotations

import uuid
from typing import Any

from corkboard.outbox import sql
from corkboard.outbox.sender import send_now
from corkboard.outbox.sql import TABLE, ddl
from corkboard.outbox.targets import target
from corkboard.publish import Event, checked

__all__ = ["TABLE", "create_table", "ddl", "put", "send", "table_of"]


def put(
    connection: Any,
    topic: str,
    type: str,  # noqa: A002
    data: Any = None,
    *,
    in_turn: bool = False,
    table: str = TABLE,
) -> None:
    """Adds an event to the transaction that is open on `connection`. It is sent when that commits.

    Call it after the write that it reports.

    Args:
        connection: a Session, scoped_session or Connection of SQLAlchemy; `django.db.connection` or the name
            of one of Django's databases; a connection of sqlite3, psycopg, psycopg2, pymysql or mysqlclient.
        topic: letters, digits and `: . _ -`, at most 128 characters.
        type: what happened, such as `order.shipped`; at most 255 characters.
        data: anything that JSON can express.
        in_turn: waits until no other transaction has an event on this topic that was put in turn. Only needed
            where transactions that lock nothing in common have an order that matters.
        table: where the event waits.

    Raises:
        ValueError: the topic, type or table is invalid; or the database is MySQL and `in_turn` is set.
        TypeError: JSON cannot express `data`, or `connection` is something else.
        RuntimeError: no transaction is open, and the connection commits each statement.
        Exception: what the driver raises.
    """
    key = uuid.uuid4().hex
    *_, body = checked(Event(topic, type, data, key))
    to = target(connection)
    statements = sql.statements(to.dbapi, table)
    if to.commits_each_statement:
        raise RuntimeError("begin a transaction first: an event belongs into that of the write it reports")
    if in_turn and statements.dialect == "mysql":
        raise ValueError("in_turn is not available on MySQL")
    if in_turn and statements.dialect == "postgresql":
        mark = statements.mark
        to.execute(f"SELECT pg_advisory_xact_lock(hashtext({mark}), hashtext({mark}))", (table, topic))
    # Commits that notify wait for each other, so the relay is only woken for what nothing else sends.
    statement = statements.insert(notify=to.after_commit is None)
    to.execute(statement, (key, topic, type, body.decode()))
    if to.after_commit:
        to.after_commit(table)


def send(connection: Any, *, table: str = TABLE) -> bool:
    """Sends what waits in the outbox; call it right after a commit. Sessions and Django need no call.

    Waits for Redis for at most 2 s, and not at all for 5 s after a failure. A failure is logged and raises
    nothing: the events wait for the relay, or for the next call. Returns whether none is left.
    """
    return send_now(target(connection).dbapi, table)


def create_table(connection: Any, *, table: str = TABLE) -> None:
    """Makes the table where there is none, in the transaction that is open on `connection`.

    Raises:
        ValueError, TypeError, Exception: as `put`.
    """
    to = target(connection)
    to.execute(ddl(sql.statements(to.dbapi, table).dialect, table), ())


def table_of(metadata: Any, *, table: str = TABLE) -> Any:
    """The table as a `sqlalchemy.Table` of `metadata`, for `create_all` and Alembic."""
    import sqlalchemy as sa

    schema, _, name = sql.checked(table).rpartition(".")
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(), primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("topic", sa.String(128), nullable=False),
        sa.Column("type", sa.String(255), nullable=False),
        sa.Column("data", sa.Text().with_variant(sa.Text(2**31), "mysql"), nullable=False),
        schema=schema or None,
        sqlite_autoincrement=True,
    )
