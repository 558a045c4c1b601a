"""Unix sockets that a successor takes over without a refused connection.

nginx lists fixed paths, the slots: `1.sock` and so on. A process that is ready takes one that nobody serves,
or waits beside with a name of its own. A process that leaves hands its slot to the newest one that waits.
Each step is one `rename` of a hard link, which replaces the path at once: whoever connects meets one process
or the other. https://man7.org/linux/man-pages/man2/rename.2.html

Nobody binds a slot itself, because servers remove at their end what they have bound, and by then it may be a
successor's.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE_SECONDS = 0.5  # for a process that changes the folder, which takes a millisecond


class Slots:
    """One process in the folder.

    Args:
        folder: for those only who may connect, and who listen.
        count: how many slots there are.
    """

    def __init__(self, folder: Path, count: int = 1) -> None:
        self._folder = folder
        self._slots = [folder / f"{number}.sock" for number in range(1, count + 1)]
        name = secrets.token_hex(4)
        self._own = folder / f"own-{name}.sock"
        self._next = folder / f"next-{name}.sock"
        self._inode = 0

    def listen(self, backlog: int) -> socket.socket:
        """A socket that listens; until `keep` nobody knows it.

        Raises:
            SystemExit: the folder cannot be used; one line says why.
        """
        listener = socket.socket(socket.AF_UNIX)
        try:
            with self._alone():
                listener.bind(str(self._own))
                listener.listen(backlog)
                # The folder says who may come here.
                self._own.chmod(0o666)
                self._inode = self._own.stat().st_ino
        except OSError as error:
            raise SystemExit(f"cannot listen on {self._own}: {error.strerror or error}") from None
        return listener

    def keep(self) -> None:
        """Takes a slot that nobody serves, or waits for one. To be called again and again.

        That also finds a slot whose process was killed, and one that was removed.
        """
        if self._mine():
            return
        with self._alone(patience=0) as is_alone:
            if not is_alone or self._mine():
                return
            if not self._next.exists():
                self._sweep()
                with suppress(FileNotFoundError):
                    self._next.hardlink_to(self._own)
            free = next((slot for slot in self._slots if not _is_served(slot)), None)
            if free is not None:
                with suppress(FileNotFoundError):
                    self._next.rename(free)

    def leave(self) -> None:
        """Hands the slot to the newest process that waits. Without one it refuses connections soon."""
        with self._alone():
            self._next.unlink(missing_ok=True)
            for slot in self._mine():
                waiting = [path for path in self._folder.glob("next-*.sock") if _is_served(path)]
                if waiting:
                    max(waiting, key=_bound).rename(slot)

    def close(self) -> None:
        """Removes what nobody else would remove; `leave` comes before."""
        self._own.unlink(missing_ok=True)

    def _mine(self) -> list[Path]:
        return [slot for slot in self._slots if _inode(slot) == self._inode]

    def _sweep(self) -> None:
        for pattern in ("own-*.sock", "next-*.sock"):
            for path in self._folder.glob(pattern):
                if not _is_served(path):
                    path.unlink(missing_ok=True)

    @contextmanager
    def _alone(self, patience: float = PATIENCE_SECONDS) -> Iterator[bool]:
        # One who was stopped while it held the lock must not stop the others: they go on after a while.
        deadline = time.monotonic() + patience
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            is_alone = False
            while not is_alone:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    is_alone = True
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        break
                    time.sleep(0.005)
            yield is_alone
        finally:
            os.close(lock)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _bound(path: Path) -> float:
    # A hard link has the times of what it leads to.
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        try:
            client.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            pass  # its backlog is full; or it is no socket, and nothing to be replaced
        return True
