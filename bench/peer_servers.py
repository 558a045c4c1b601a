"""The peers: other ways to do the same. Each function starts one, or raises `Missing`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bench import frames, servers
from bench.clients import Endpoint
from bench.publishers import NchanPublisher, SocketIOPublisher
from bench.servers import Missing, Target
from bench.stack import TOPIC, Stack, stack
from local.render import substitute
from local.state import free_port

NCHAN_CONF = Path(__file__).parent / "peers" / "nchan.conf.template"
NCHAN_MODULES = ("/usr/lib/nginx/modules/ngx_nchan_module.so", "/usr/lib64/nginx/modules/ngx_nchan_module.so")
NCHAN_NGINX = ("/usr/sbin/nginx", "/usr/bin/nginx")
# The subprotocol in which messages carry their ids: without it a WebSocket cannot resume.
NCHAN_PROTOCOL = "ws+meta.nchan"


@contextmanager
def fastapi_loop() -> Iterator[Target]:
    """FastAPI and a loop of `await send_text`, with the same events from the same Redis as the sidecar."""
    with stack() as running, _fastapi(running) as (port, pids):
        yield Target(_endpoint(port), running.publisher, {"server": pids}, running.redis, running.redis.user)


@contextmanager
def fastapi_behind_nginx() -> Iterator[Target]:
    """The same behind the project's nginx configuration; the CPU time of both counts."""
    with stack() as running, _fastapi(running) as (port, pids), servers.nginx_before(port) as (edge, workers):
        yield Target(_endpoint(edge), running.publisher, {"server": pids, "nginx": workers})


@contextmanager
def flask_socketio() -> Iterator[Target]:
    """Flask-SocketIO under gevent with Redis as its message queue."""
    if find_spec("flask_socketio") is None:
        raise Missing("Flask-SocketIO is not installed (PyPI: flask-socketio)")
    port = free_port()
    with servers.plain_redis() as redis:
        environment = {"PORT": str(port), "REDIS_URL": redis.url}
        command = [sys.executable, "-m", "bench.peers.flask_socketio_peer"]
        with servers.process(command, environment, port) as server:
            # Engine.IO over WebSocket alone, then a Socket.IO connect.
            endpoint = Endpoint(
                port,
                frames.upgrade(port, "/socket.io/?EIO=4&transport=websocket"),
                hello=frames.masked(frames.TEXT, b"40"),
                ready=b'40{"sid"',
            )
            yield Target(endpoint, partial(SocketIOPublisher, redis=redis), {"server": [server.pid]})


@contextmanager
def nchan() -> Iterator[Target]:
    """nginx with the Nchan module, and Redis behind it."""
    module = next((path for path in NCHAN_MODULES if Path(path).exists()), None)
    # The module loads only into the nginx it was built for: the distribution's own.
    nginx = next((path for path in NCHAN_NGINX if shutil.which(path)), None)
    if module is None or nginx is None:
        raise Missing("Nchan is not installed (Debian: libnginx-mod-nchan)")
    port = free_port()
    with servers.plain_redis() as redis, servers.folder() as run:
        values = {
            "NCHAN_MODULE": module, "RUN_DIR": str(run), "REDIS_PORT": str(redis.port), "PORT": str(port),
        }  # fmt: skip
        (run / "nginx.conf").write_text(substitute(NCHAN_CONF.read_text(), values))
        with servers.nginx(nginx, run, port) as workers:
            pids = {"server": workers}
            resuming = Endpoint(
                port,
                frames.upgrade(port, "/ws", NCHAN_PROTOCOL),
                resume=frames.upgrade(port, "/ws?last_event_id=LAST-ID", NCHAN_PROTOCOL),
                last_id=rb"\Aid: (\S+)",
            )
            yield Target(
                _endpoint(port),
                partial(NchanPublisher, port=port),
                pids,
                redis,
                "default",
                resuming=Target(resuming, partial(NchanPublisher, port=port, in_order=True), pids),
            )


@contextmanager
def _fastapi(running: Stack) -> Iterator[tuple[int, list[int]]]:
    environment = {"CHANNEL": f"event:{{{TOPIC}}}", "REDIS_URL": running.redis.url}
    with servers.uvicorn("bench.peers.fastapi_loop:app", environment, "--ws", "websockets-sansio") as found:
        yield found


def _endpoint(port: int) -> Endpoint:
    return Endpoint(port, frames.upgrade(port, "/ws"))
