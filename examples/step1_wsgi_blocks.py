"""Step 1. A WSGI callable that waits, and a server with one thread: all other requests wait as well.

    python -m examples.step1_wsgi_blocks
    python -m examples.clock 40                                     # in another window

The same callable, with eight threads to wait in: `gunicorn --threads 8 examples.step1_wsgi_blocks:app`
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIServer, make_server

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

# Stands for a slow query or a slow service.
WAIT_SECONDS = 0.2


def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Handles one request: the calling thread can do nothing else until this returns."""
    time.sleep(WAIT_SECONDS)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done\n"]


class Server(WSGIServer):
    """wsgiref's server, with room for more than five connections that wait to be accepted."""

    request_queue_size = 128


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with make_server("127.0.0.1", port, app, server_class=Server) as server:
        server.serve_forever()
