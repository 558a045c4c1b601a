"""The relay's own connection to a database, by its URL."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from corkboard.outbox import sql

CONNECT_SECONDS = 5
_DRIVERS = {
    "postgresql": ("psycopg", "psycopg2"),
    "postgres": ("psycopg", "psycopg2"),
    "sqlite": ("sqlite3",),
    "mysql": ("pymysql", "MySQLdb"),
}


def driver_for(url: str) -> str:
    """The name of the module that connects to `url`.

    Raises:
        ValueError: with what to do, when there is none.
    """
    scheme = url.partition(":")[0].partition("+")[0]
    if scheme not in _DRIVERS:
        raise ValueError(
            "the database's URL is invalid: expected postgresql://…, sqlite:///FILE or mysql://…"
        )
    for driver in _DRIVERS[scheme]:
        if find_spec(driver):
            return driver
    raise ValueError(f"to reach {scheme}, install {' or '.join(_DRIVERS[scheme])}")


def connect(url: str, table: str) -> tuple[Any, list[Any]]:
    """A DB-API connection that commits each statement, and a list that grows when it hears of new rows.

    Only PostgreSQL says so: what is under way can be read from its connection, what has come is in the list.

    Raises:
        ValueError: as `driver_for`.
        Exception: what the driver raises.
    """
    name = driver_for(url)
    driver = import_module(name)
    if name == "sqlite3":
        # A misspelled name must not become a new, empty database.
        return driver.connect(f"file:{urlsplit(url).path[1:]}?mode=rw", uri=True, isolation_level=None), []
    if name.startswith("psycopg"):
        return _postgresql(driver, "postgresql:" + url.partition(":")[2], table)
    return _mysql(driver, urlsplit(url)), []


def _postgresql(driver: Any, url: str, table: str) -> tuple[Any, list[Any]]:
    connection = driver.connect(
        url,
        connect_timeout=CONNECT_SECONDS,
        # A server that is gone without a word is noticed within half a minute.
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=30_000,
    )
    connection.autocommit = True
    heard: list[Any] = []
    if hasattr(connection, "add_notify_handler"):
        connection.add_notify_handler(heard.append)
    else:
        heard = connection.notifies
    sql.run(connection, f'LISTEN "{table}"')
    return connection, heard


def _mysql(driver: Any, parts: Any) -> Any:
    return driver.connect(
        host=parts.hostname or "localhost",
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path[1:]),
        charset="utf8mb4",
        connect_timeout=CONNECT_SECONDS,
        autocommit=True,
    )
