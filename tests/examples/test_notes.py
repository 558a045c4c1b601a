"""Steps 6, 7 and 9: one process knows everything; two know nothing of each other, unless they are told."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from local.settings import ROOT
from tests.harness.examples import Server, commands, environment, serving
from tests.harness.local import LocalStack


def pin(server: Server, text: str) -> Any:
    answer = httpx.post(f"{server.url}/notes", json={"text": text}, trust_env=False, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer.json()


def join(server: Server, exit_: ExitStack) -> tuple[int, ClientConnection]:
    """A socket, and the worker that holds it."""
    socket = exit_.enter_context(connect(f"{server.ws_url}/ws", proxy=None))
    return json.loads(socket.recv(30))["worker"], socket


def heard_by(sockets: Iterable[ClientConnection], least: int) -> list[list[Any]]:
    """What came to each, once it is so much in all and nothing comes any more for a moment."""
    messages: list[list[Any]] = []
    deadline = time.monotonic() + 30
    quiet = False
    while not quiet or (sum(map(len, messages)) < least and time.monotonic() < deadline):
        quiet = True
        for number, socket in enumerate(sockets):
            if number == len(messages):
                messages.append([])
            with suppress(TimeoutError):
                while True:
                    messages[number].append(json.loads(socket.recv(0.3)))
                    quiet = False
    return messages


def test_one_process_keeps_notes_in_its_memory() -> None:
    with serving("step6_notes_one_process") as server:
        notes = [pin(server, "one"), pin(server, "  two ")]
        assert [note["text"] for note in notes] == ["one", "two"]
        assert httpx.get(f"{server.url}/notes", trust_env=False, timeout=30).json() == notes
        assert httpx.post(f"{server.url}/notes", json={"text": " "}, trust_env=False).status_code == 422
        assert "Sticky notes" in httpx.get(server.url, trust_env=False).text


def test_one_worker_tells_everybody() -> None:
    with serving("step7_two_workers", "--workers", "1") as server, ExitStack() as exit_:
        sockets = [join(server, exit_)[1] for _ in range(3)]
        sockets[1].close()
        note = pin(server, "for all")
        assert [json.loads(socket.recv(30)) for socket in (sockets[0], sockets[2])] == [note, note]


def test_two_workers_lose_each_others_notes() -> None:
    with serving("step7_two_workers") as server, ExitStack() as exit_:
        sockets: dict[int, ClientConnection] = {}
        deadline = time.monotonic() + 60
        # The worker that accepts a connection is chance, and one may be ready long before the other.
        while len(sockets) < 2 and time.monotonic() < deadline:
            worker, socket = join(server, exit_)
            if sockets.setdefault(worker, socket) is not socket:
                socket.close()
                time.sleep(0.01)
        assert len(sockets) == 2
        pinned = [pin(server, f"note {number}") for number in range(10)]
        here, there = heard_by(list(sockets.values()), len(pinned))
        # Each note reached the people of one worker only, and the two number them alike.
        texts = sorted(note["text"] for note in here + there)
        assert texts == sorted(note["text"] for note in pinned)
        assert len(here) < len(pinned) or len(there) < len(pinned)
        assert not {note["text"] for note in here} & {note["text"] for note in there}


def test_this_deployment_loses_nothing_while_a_client_is_away(local_stack: LocalStack) -> None:
    board = f"examples-{secrets.token_hex(6)}"
    command = commands("step9_corkboard")[0].partition("&& ")[2].split()
    result = subprocess.run(
        [*command, local_stack.base_url, board],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    told = [line.partition("   (")[0].partition(" ") for line in result.stdout.splitlines()]
    heard = [text.strip() for word, _, text in told if word == "heard"]
    assert heard == ["while here", "while away", "while away, too"]
    assert [word for word, *_ in told] == ["pinned", "heard", "away", "pinned", "pinned", "heard", "heard"]
