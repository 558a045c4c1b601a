"""Unix sockets that processes take over from each other, at once, and never from one that serves."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from slots import Slots


class Server:
    """A process that answers with its name, in a thread."""

    def __init__(self, folder: Path, name: str, count: int = 1) -> None:
        self.slots = Slots(folder, count)
        self._name = name.encode()
        self.listener = self.slots.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                with closing(client), suppress(OSError):
                    client.sendall(self._name)

    def die(self) -> None:
        """As by SIGKILL: the socket closes, and the files stay."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


def answer(folder: Path, slot: int = 1) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(folder / f"{slot}.sock"))
        return client.recv(10).decode()


def names(folder: Path) -> set[str]:
    return {path.name.partition("-")[0] for path in folder.iterdir()}


def test_the_first_takes_a_slot_and_the_next_waits_until_it_is_handed_over(folder: Path) -> None:
    old, new = Server(folder, "old"), Server(folder, "new")
    old.slots.keep()
    new.slots.keep()
    old.slots.keep()
    assert answer(folder) == "old"
    old.slots.leave()
    assert answer(folder) == "new"
    new.slots.keep()
    # It leaves later than its successor's coming, and takes nothing with it.
    old.die()
    old.slots.close()
    assert answer(folder) == "new"
    assert len(list(folder.glob("own-*"))) == 1
    assert not list(folder.glob("next-*"))


def test_a_process_that_is_not_ready_is_never_handed_a_slot(folder: Path) -> None:
    old, unready = Server(folder, "old"), Server(folder, "unready")
    old.slots.keep()
    old.slots.leave()
    assert answer(folder) == "old"
    unready.slots.close()


def test_a_process_that_went_away_while_it_waited_is_passed_over(folder: Path) -> None:
    old, dead, gone, new = (Server(folder, name) for name in ("old", "dead", "gone", "new"))
    for server in (old, new, dead, gone):
        server.slots.keep()
    dead.die()
    gone.slots.leave()
    old.slots.leave()
    assert answer(folder) == "new"


def test_the_newest_that_waits_comes_first(folder: Path) -> None:
    first = Server(folder, "first")
    first.slots.keep()
    waiting = []
    for number in range(3):
        waiting.append(Server(folder, f"w{number}"))
        waiting[-1].slots.keep()
        os.utime(next(folder.glob(f"{waiting[-1].slots._own.name}")), (number, number))
    first.slots.leave()
    assert answer(folder) == "w2"


def test_the_slot_of_a_killed_process_is_taken_by_one_that_waits(folder: Path) -> None:
    old, new = Server(folder, "old"), Server(folder, "new")
    old.slots.keep()
    new.slots.keep()
    old.die()
    with pytest.raises(ConnectionRefusedError):
        answer(folder)
    new.slots.keep()
    assert answer(folder) == "new"


def test_what_killed_processes_left_is_removed(folder: Path) -> None:
    for _ in range(3):
        dead = Server(folder, "dead")
        dead.slots.keep()
        dead.die()
    new = Server(folder, "new")
    new.slots.keep()
    assert len(list(folder.iterdir())) == 3  # the slot, its owner's name, and the lock
    assert answer(folder) == "new"


def test_a_slot_that_something_removed_is_taken_again_by_its_owner(folder: Path) -> None:
    owner = Server(folder, "owner")
    owner.slots.keep()
    (folder / "1.sock").unlink()
    owner.slots.keep()
    assert answer(folder) == "owner"


def test_many_that_start_at_once_take_a_slot_each_and_the_rest_wait(folder: Path) -> None:
    servers = [Server(folder, f"s{number}", count=4) for number in range(6)]
    together = threading.Barrier(6)

    def start(server: Server) -> None:
        together.wait()
        while not server.slots._mine() and not server.slots._next.exists():
            server.slots.keep()

    threads = [threading.Thread(target=start, args=[server]) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer(folder, slot) for slot in range(1, 5)}) == 4
    assert len(list(folder.glob("next-*"))) == 2


def test_no_connection_is_refused_while_slots_change_hands(folder: Path) -> None:
    current = Server(folder, "0")
    current.slots.keep()
    stopped = threading.Event()
    met: list[str] = []

    def ask() -> None:
        while not stopped.is_set():
            met.append(answer(folder))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for number in range(1, 50):
            successor = Server(folder, str(number))
            successor.slots.keep()
            current.slots.leave()
            while met[-1:] != [str(number)] and asking.is_alive():
                time.sleep(0)
            current.die()
            current.slots.close()
            current = successor
    finally:
        stopped.set()
        asking.join()
    assert met[-1] == "49"
    assert [int(name) for name in met] == sorted(map(int, met))


def test_a_process_that_was_stopped_with_the_lock_does_not_stop_the_others(folder: Path) -> None:
    old, new = Server(folder, "old"), Server(folder, "new")
    old.slots.keep()
    new.slots.keep()
    with new.slots._alone() as alone:
        assert alone
        old.slots.keep()  # it looks again later
        old.slots.leave()
    assert answer(folder) == "new"


def test_a_folder_that_cannot_be_used_is_one_line(folder: Path) -> None:
    for bad in (folder / "missing", folder / ("long" * 30)):
        with pytest.raises(SystemExit, match="cannot listen on") as refused:
            Slots(bad).listen(1)
        assert "\n" not in str(refused.value)
