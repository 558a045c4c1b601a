"""The other ways to do the same, as targets. Each yields itself, or says what this machine lacks."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

from loadtest.measure import servers, wire
from loadtest.measure.publish import Publishing
from loadtest.measure.servers import Missing, Target
from loadtest.measure.stack import TOPIC, Stack
from loadtest.measure.subscriber import Entrance
from local.render import substitute

TEMPLATE = Path(__file__).parent.parent / "peers" / "nchan.conf.template"
NCHAN_MODULES = ("/usr/lib/nginx/modules/ngx_nchan_module.so", "/usr/lib64/nginx/modules/ngx_nchan_module.so")
NCHAN_NGINX = ("/usr/sbin/nginx", "/usr/bin/nginx")

Peer = Callable[[Stack], AbstractContextManager[Target]]


@contextmanager
def fastapi_loop(stack: Stack) -> Iterator[Target]:
    """FastAPI and a loop of `await send_text`; hears the same events of the same Redis as the sidecar."""
    with _fastapi(stack) as (port, pids):
        yield _plain("FastAPI loop", port, stack.publishing, {"server": pids})


@contextmanager
def fastapi_behind_nginx(stack: Stack) -> Iterator[Target]:
    """The same behind the project's nginx configuration; both count."""
    with _fastapi(stack) as (port, pids), servers.nginx_before(port) as (edge, workers):
        yield _plain(
            "FastAPI loop, through nginx", edge, stack.publishing, {"server": pids, "nginx": workers}
        )


@contextmanager
def flask_socketio(_stack: Stack) -> Iterator[Target]:
    """Flask-SocketIO under gevent with its Redis queue."""
    if find_spec("flask_socketio") is None:
        raise Missing("flask-socketio is not installed")
    port = servers.free_port()
    with servers.plain_redis() as redis:
        environment = {"PORT": str(port), "REDIS_URL": redis.url}
        command = [sys.executable, "-m", "loadtest.peers.flask_socketio_peer"]
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
def nchan(_stack: Stack) -> Iterator[Target]:
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
        (run / "nginx.conf").write_text(substitute(TEMPLATE.read_text(), values))
        command = [nginx, "-e", "stderr", "-p", str(run), "-c", str(run / "nginx.conf")]
        with servers.process([*command, "-g", "daemon off;" + servers.root_user()], {}, port) as master:
            workers = [child.pid for child in master.children()]
            yield _plain("Nchan", port, Publishing("nchan", port=port), {"server": workers})


@contextmanager
def _fastapi(stack: Stack) -> Iterator[tuple[int, list[int]]]:
    environment = {"CHANNEL": f"event:{{{TOPIC}}}", "REDIS_URL": stack.redis.url}
    with servers.uvicorn(
        "loadtest.peers.fastapi_loop:app", environment, "--ws", "websockets-sansio"
    ) as found:
        yield found


def _plain(name: str, port: int, publishing: Publishing, pids: dict[str, list[int]]) -> Target:
    return Target(name, Entrance(port, wire.upgrade(port, "/ws")), publishing, pids)
