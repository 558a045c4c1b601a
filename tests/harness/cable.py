"""A network cable between the browser and the stack that can be pulled, or keep some paths from passing."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

CHUNK = 65536
REQUEST_LINE = re.compile(rb"[A-Z]+ (/[^ ?]*)")


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


class Cable:
    """A TCP relay on a port of its own: `base_url` leads to the stack as long as the cable is not cut."""

    def __init__(self, target_url: str) -> None:
        self._target = _address(target_url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._whole = True
        self._forgotten = 0  # how often
        self._blocked: frozenset[str] = frozenset()
        self._swallowed: frozenset[str] = frozenset()
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Cable:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        self._listener.close()

    def cut(self) -> None:
        """Ends every connection and takes no new one."""
        with self._lock:
            self._whole = False
            ends, self._ends = self._ends, set()
        for end in ends:
            _hang_up(end)

    def forget(self) -> None:
        """Swallows all that the open connections carry, and ends none of them: as a NAT that forgot them."""
        self._forgotten += 1

    def block(self, *paths: str, swallow: bool = False) -> None:
        """From now on hangs up on requests for these paths, or never answers them; all others pass.

        Ends every connection, so that none of them goes on as before.
        """
        self._blocked = frozenset() if swallow else frozenset(paths)
        self._swallowed = frozenset(paths) if swallow else frozenset()
        self.cut()
        self.mend()

    def free(self) -> None:
        """Every path passes again."""
        self._blocked = self._swallowed = frozenset()

    def mend(self) -> None:
        """Takes connections again."""
        with self._lock:
            self._whole = True

    def lead_to(self, target_url: str) -> None:
        """From now on leads to another site."""
        self._target = _address(target_url)
        self.cut()
        self.mend()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target, timeout=5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        begun = self._forgotten

        def passes() -> bool:
            return begun == self._forgotten

        with self._lock:
            whole = self._whole
            if whole:
                self._ends |= {near, far}
        if whole:
            back = threading.Thread(target=_relay, args=(far, near, passes), daemon=True)
            back.start()
            self._relay_requests(near, far, passes)
            back.join()
        with self._lock:
            self._ends -= {near, far}
        near.close()
        far.close()

    def _relay_requests(self, near: socket.socket, far: socket.socket, passes: Callable[[], bool]) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(CHUNK):
                line = REQUEST_LINE.match(data)
                path = line[1].decode() if line else ""
                if path in self._blocked:
                    _hang_up(near)
                    break
                if path not in self._swallowed and passes():
                    far.sendall(data)
        if passes():
            _hang_up(far)


def _relay(source: socket.socket, target: socket.socket, passes: Callable[[], bool]) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            if passes():
                target.sendall(data)
    if passes():
        _hang_up(target)


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
