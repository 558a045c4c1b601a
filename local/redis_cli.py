"""A small redis-cli, as the operator's user; the wheel that brings the server has none."""

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
    password = (state.secrets / "redis" / "admin_password").read_text().strip()
    client = redis.Redis(
        port=port, username="admin", password=password, socket_timeout=10, decode_responses=True
    )
    with client:
        if arguments:
            print(_send(client, arguments))
            return
        while True:
            try:
                line = input(f"redis:{port}> ")
            except EOFError:
                print()
                return
            if words := shlex.split(line):
                if words[0].lower() in ("quit", "exit"):
                    return
                try:
                    print(_send(client, words))
                except LocalError as error:
                    print(error)


def _send(client: redis.Redis, words: list[str]) -> str:
    # Not execute_command: it would turn answers into Python objects of its own.
    try:
        connection = client.connection_pool.get_connection()
        try:
            connection.send_command(*words)  # type: ignore[no-untyped-call]
            return _text(connection.read_response())
        finally:
            client.connection_pool.release(connection)
    except redis.RedisError as error:
        raise LocalError(f"redis: {error}") from None


def _text(answer: Any) -> str:
    if isinstance(answer, dict):
        answer = [part for pair in answer.items() for part in pair]
    if isinstance(answer, (list, tuple, set)):
        return "\n".join(_text(part) for part in answer)
    return "" if answer is None else str(answer)
