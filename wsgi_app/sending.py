"""How Gunicorn sends an answer: its head together with its body."""

from __future__ import annotations

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import wsgi  # type: ignore[import-untyped]


class Response(wsgi.Response):  # type: ignore[misc]
    """Gunicorn's own sends the head by itself: one more packet, and one more moment for other threads."""

    headers_sent: bool
    _head = b""

    def send_headers(self) -> None:
        """Keeps the head for what comes next."""
        if not self.headers_sent:
            lines = self.default_headers() + [f"{name}: {value}\r\n" for name, value in self.headers]
            self._head = util.to_bytestring(f"{''.join(lines)}\r\n", "latin-1")
            self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            self._flush()
            super()._emit_body(data)
        else:
            head, self._head = self._head, b""
            util.write(self.sock, head + data)

    def sendfile(self, _respiter: object) -> bool:
        """Never: nginx has the files."""
        return False

    def close(self) -> None:
        """Sends what nothing came after."""
        self.send_headers()
        self._flush()
        super().close()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            util.write(self.sock, head)
