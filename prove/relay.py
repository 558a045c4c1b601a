"""A TCP relay in front of a server of this machine."""

from __future__ import annotations

import contextlib
import select
import socket
import threading

CHUNK = 65536


class Relay:
    """A relay from `port`, a port of its own, to `target`. A subclass decides in `carry` what passes."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def carry(self, near: socket.socket, far: socket.socket, data: bytes, *, asked: bool) -> bool:
        """Passes data on; `asked`: it comes from the near end. False ends the connection."""
        (far if asked else near).sendall(data)
        return True

    def cut(self) -> None:
        """Closes all connections."""
        for each in tuple(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Accepts no more connections, and closes those that are open."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        self._sockets |= {near, far}
        with near, far, contextlib.suppress(OSError):
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._relay(near, far)
        self._sockets -= {near, far}

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        while True:
            for source in select.select([near, far], [], [])[0]:
                data = source.recv(CHUNK)
                if not data or not self.carry(near, far, data, asked=source is near):
                    return
