"""The other ways to do the same, as targets. Each yields itself, or says what this machine lacks."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from bench import servers, wire
from bench.publish import Publishing
from bench.servers import Missing, Target
from bench.stack import TOPIC, Stack, stack
from bench.subscriber import Entrance
from local.render import substitute

FOLDER = Path(__file__).parent / "peers"
NCHAN_MODULES = ("/usr/lib/nginx/modules/ngx_nchan_module.so", "/usr/lib64/nginx/modules/ngx_nchan_module.so")
NCHAN_NGINX = ("/usr/sbin/nginx", "/usr/bin/nginx")
# Each message comes with its id: the only way to resume a WebSocket there.
NCHAN_PROTOCOL = "ws+meta.nchan"


@contextmanager
def fastapi_loop() -> Iterator[Target]:
    """FastAPI and a loop of `await send_text`; hears the same events of the same Redis as the sidecar."""
    with stack() as running, _fastapi(running) as (port, pids):
        yield _plain("FastAPI loop", port, running.publishing, {"server": pids})


@contextmanager
def fastapi_behind_nginx() -> Iterator[Target]:
    """The same behind the project's nginx configuration; both count."""
    with stack() as running, _fastapi(running) as (port, pids), servers.nginx_before(port) as (edge, workers):
        roles = {"server": pids, "nginx": workers}
        yield _plain("FastAPI loop, through nginx", edge, running.publishing, roles)


@contextmanager
def flask_socketio() -> Iterator[Target]:
    """Flask-SocketIO under gevent with its Redis queue."""
    if find_spec("flask_socketio") is None:
        raise Missing("Flask-SocketIO is not installed (PyPI: flask-socketio)")
    port = servers.free_port()
    with servers.plain_redis() as redis:
        environment = {"PORT": str(port), "REDIS_URL": redis.url}
        command = [sys.executable, "-m", "bench.peers.flask_socketio_peer"]
        with servers.process(command, environment, port) as server:
            # Engine.IO over WebSocket alone, then a Socket.IO connect.
            entrance = Entrance(
                port,
                wire.upgrade(port, "/socket.io/?EIO=4&transport=websocket"),
                hello=wire.masked(wire.TEXT, b"40"),
                ready=b'40{"sid"',
            )
            yield Target("Flask-SocketIO", entrance, Publishing("socketio", redis), {"server": [server.pid]})


@contextmanager
def nchan() -> Iterator[Target]:
    """nginx with the Nchan module, and a Redis behind it."""
    module = next((path for path in NCHAN_MODULES if Path(path).exists()), None)
    # The module fits the nginx it was built for only: the distribution's own.
    nginx = next((path for path in NCHAN_NGINX if shutil.which(path)), None)
    if module is None or nginx is None:
        raise Missing("Nchan is not installed (Debian: libnginx-mod-nchan)")
    port = servers.free_port()
    with servers.plain_redis() as redis, servers.folder() as run:
        values = {
            "NCHAN_MODULE": module, "RUN_DIR": str(run), "REDIS_PORT": str(redis.port), "PORT": str(port),
            "STORAGE_MODE": "distributed",
        }  # fmt: skip
        template = (FOLDER / "nchan.conf.template").read_text()
        (run / "nginx.conf").write_text(substitute(template, values))
        command = [nginx, "-e", "stderr", "-p", str(run), "-c", str(run / "nginx.conf")]
        with servers.process([*command, "-g", "daemon off;" + servers.root_user()], {}, port) as master:
            workers = [child.pid for child in master.children()]
            target = _plain("Nchan", port, Publishing("nchan", port=port), {"server": workers})
            returning = Entrance(
                port,
                wire.upgrade(port, "/ws", NCHAN_PROTOCOL),
                resume=wire.upgrade(port, "/ws?last_event_id=LAST-ID", NCHAN_PROTOCOL),
                last_id=rb"\Aid: (\S+)",
            )
            yield replace(target, returning=returning)


@contextmanager
def _fastapi(running: Stack) -> Iterator[tuple[int, list[int]]]:
    environment = {"CHANNEL": f"event:{{{TOPIC}}}", "REDIS_URL": running.redis.url}
    with servers.uvicorn("bench.peers.fastapi_loop:app", environment, "--ws", "websockets-sansio") as found:
        yield found


def _plain(name: str, port: int, publishing: Publishing, pids: dict[str, list[int]]) -> Target:
    return Target(name, Entrance(port, wire.upgrade(port, "/ws")), publishing, pids)
