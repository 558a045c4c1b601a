"""A small redis-cli, as the operator's user; the package that brings the server has none."""

from __future__ import annotations

import shlex
from typing import Any

import redis
from local.errors import LocalError
from local.state import State


def run(state: State, port: int, arguments: list[str]) -> None:
    """Sends one command and prints the answer; without arguments reads commands line by line.

    Raises:
        LocalError: Redis does not answer, or refuses the only command.
    """
    if arguments:
        print(ask(state, port, arguments))
        return
    connection = _connection(state, port)
    while (line := _line(f"redis:{port}> ")) not in ("quit", "exit"):
        try:
            if words := shlex.split(line):
                print(_send(connection, words))
        except (LocalError, ValueError) as error:
            print(error)


def ask(state: State, port: int, words: list[str]) -> str:
    """Sends one command; its answer as text.

    Raises:
        LocalError: Redis does not answer, or refuses the command.
    """
    connection = _connection(state, port)
    try:
        return _send(connection, words)
    finally:
        connection.disconnect()  # type: ignore[no-untyped-call]


def password(state: State) -> str:
    """The operator's."""
    return (state.secrets / "redis" / "admin_password").read_text().strip()


def reload_users(state: State, port: int) -> None:
    """Has a Redis that runs read its users anew; one that starts does so by itself.

    Raises:
        LocalError: Redis refuses them. It keeps those that it has.
    """
    connection = _connection(state, port)
    try:
        connection.connect()  # type: ignore[no-untyped-call]
    except redis.RedisError:
        return
    users = state.secrets / "redis" / "users.acl"
    before = users.with_suffix(".acl.before")
    try:
        _send(connection, ["ACL", "LOAD"])
        before.unlink(missing_ok=True)
    except LocalError as error:
        if before.exists():
            before.replace(users)  # with the new ones it would not start any more
        raise LocalError(f"Redis refuses redis/users.acl, and keeps the users that it has: {error}") from None
    finally:
        connection.disconnect()  # type: ignore[no-untyped-call]


def _connection(state: State, port: int) -> redis.Connection:
    # Not a client, which turns answers into Python objects of its own.
    return redis.Connection(  # type: ignore[no-untyped-call]
        port=port, username="admin", password=password(state), socket_timeout=10, decode_responses=True
    )


def _line(prompt: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        print()
        return "exit"


def _send(connection: redis.Connection, words: list[str]) -> str:
    try:
        connection.send_command(*words)  # type: ignore[no-untyped-call]
        return _text(connection.read_response())
    except redis.RedisError as error:
        raise LocalError(f"redis: {error}") from None


def _text(answer: Any) -> str:
    if isinstance(answer, dict):
        answer = [part for pair in answer.items() for part in pair]
    if isinstance(answer, (list, tuple, set)):
        return "\n".join(_text(part) for part in answer)
    return "" if answer is None else str(answer)
