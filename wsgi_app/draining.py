"""Gunicorn's worker, with an end that costs no request: from then on connections are refused.

Gunicorn's own stops accepting, but keeps the listening socket until it ends. What connects meanwhile is
accepted by the kernel, answered by nobody, and cut at last; and nginx repeats no POST that was sent. When a
connection is refused, nginx asks another replica. https://man7.org/linux/man-pages/man2/shutdown.2.html

A successor that waits gets the Unix socket's path before that: slots/.
"""

from __future__ import annotations

import mmap
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from slots import Slots
from wsgi_app import metrics

LOOK_SECONDS = 0.25  # between two signs of life, and two looks for a slot that nobody serves

# Memory that the master shares with its workers, because it is there before they are.
_is_ending = mmap.mmap(-1, 1)
_slots: Slots | None = None
_seen: tuple[str, int] = ("", 0)  # where a request on the Unix socket came to, for the app


def listen_beside(address: str) -> str:
    """Binds a socket to HOST:PORT, for Gunicorn's `bind`. A successor may listen there, too: `make deploy`.

    https://www.man7.org/linux/man-pages/man7/socket.7.html (SO_REUSEPORT)
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        raise SystemExit(f"cannot listen on {address}: {error.strerror}") from None
    return f"fd://{listener.detach()}"


def listen_for_nginx(folder: Path, backlog: int, address: str) -> str:
    """Listens on a Unix socket in `folder`, for Gunicorn's `bind`. To the app it looks like the address.

    Gunicorn would take SERVER_PORT from the Host header, which a client may choose, and /metrics has a port.
    """
    global _slots, _seen
    host, _, port = address.rpartition(":")
    _slots, _seen = Slots(folder), (host, int(port))
    return f"fd://{_slots.listen(backlog).detach()}"


def watch() -> None:
    """In the master: notes that it was told to stop, before it tells its workers."""
    stop = signal.getsignal(signal.SIGTERM)

    def note(number: int, frame: FrameType | None) -> None:
        _is_ending[0] = 1
        if _slots is not None:
            _slots.leave()
        if callable(stop):
            stop(number, frame)

    signal.signal(signal.SIGTERM, note)


class Worker(ThreadWorker):  # type: ignore[misc]
    """A threaded worker. When it alone ends, its siblings go on with the same listening sockets."""

    _looked = 0.0

    def init_process(self) -> None:
        """Called by Gunicorn in the new process."""
        for listener in self.sockets:
            if listener.family == socket.AF_UNIX:
                listener.getsockname = lambda: _seen
        super().init_process()

    def notify(self) -> None:
        """Called by Gunicorn at least once a second, from when the worker accepts connections."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        super().notify()
        metrics.look()
        if _slots is not None and self.alive and not _is_ending[0]:
            _slots.keep()

    def accept(self, listener: socket.socket) -> None:
        """Takes one connection, if there is one."""
        try:
            super().accept(listener)
        except OSError:
            # A sibling was faster to refuse; this worker's own signal is on its way.
            if not _is_ending[0]:
                raise

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called with False when the worker ends, or holds too many connections for now."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive and _is_ending[0]:
            # The requests' threads give way: nothing may connect between the last `accept` and the end.
            sys.setswitchinterval(1e-6)
            for listener in self.sockets:
                with suppress(OSError):
                    # What is in its queue stays there, and nothing can join it. With TCP it would be reset.
                    if listener.family == socket.AF_UNIX:
                        listener.shutdown(socket.SHUT_RDWR)
                    self._accept_all(listener)
                    listener.shutdown(socket.SHUT_RDWR)

    def murder_keepalived(self, force: bool = False) -> None:
        """Closes connections that were idle for too long, but none on which a request has just come in."""
        if not self.alive and not force and self.keepalived_conns:
            reading = select.poll()
            held = {conn.sock.fileno(): conn for conn in self.keepalived_conns}
            for number in held:
                reading.register(number, select.POLLIN)
            for number, _ in reading.poll(0):
                conn = held[number]
                # The deque is sorted by these.
                self.keepalived_conns.remove(conn)
                conn.timeout = time.monotonic() + 1
                self.keepalived_conns.append(conn)
        super().murder_keepalived(force)

    def _accept_all(self, listener: socket.socket) -> None:
        held = -1
        while held != self.nr_conns:
            held = self.nr_conns
            self.accept(listener)
