"""What runs: each service's command and environment, and a fingerprint that tells when it must restart."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import binaries
from local.settings import ROOT, Settings
from local.state import State
from local.table import documented

# What the servers that are not ours need of the caller's environment.
PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
# Settings of the other services: changing one of them must not restart this one.
NOT_FOR = {
    "wsgi": (
        "ASGI_",
        "ALLOWED_ORIGINS",
        "MAX_SOCKETS",
        "DRAIN_SECONDS",
        "WEBSOCKET_WRITER",
        "HTTP_PORT",
        "RATE_LIMIT",
    ),
    "asgi": ("WSGI_", "HISTORY_LENGTH", "HTTP_PORT", "RATE_LIMIT", "ASGI_REPLICAS"),
}


@dataclass(frozen=True)
class Service:
    """One supervised process. The lower the priority, the earlier it starts and the later it stops."""

    name: str
    command: list[str]
    environment: dict[str, str]
    fingerprint: str
    priority: int
    stop_signal: str = "TERM"
    # A little more than the service itself allows its requests and sockets to end.
    stop_seconds: int = 25


def sidecars(settings: Settings) -> list[str]:
    """The names of the sidecar's replicas."""
    return [f"asgi-{number + 1}" for number in range(settings.asgi_replicas)]


def names(settings: Settings) -> list[str]:
    """The names of all services."""
    return ["redis", "nginx", "wsgi", *sidecars(settings)]


def port_names(settings: Settings) -> list[str]:
    """Every port that a service of this stack listens on, nginx's own not."""
    apps = ["wsgi", *sidecars(settings)]
    return ["redis", *apps, "wsgi-metrics"]


def nginx_values(settings: Settings, state: State, ports: Mapping[str, int]) -> dict[str, str]:
    """The template's variables; the same names are set for the nginx container in docker-compose.yml."""
    # A replica that refused, or was restarted, is asked again at once; asking costs next to nothing.
    replicas = (f"server 127.0.0.1:{ports[name]} max_fails=0;" for name in sidecars(settings))
    return {
        "NGINX_PORT": str(settings.http_port),
        "NGINX_RUN_DIR": str(state.run / "nginx"),
        "STATIC_DIR": str(ROOT / "wsgi_app" / "notes" / "static"),
        "WSGI_SERVERS": f"server 127.0.0.1:{ports['wsgi']};",
        "ASGI_SERVERS": " ".join(replicas),
        # Nothing has to be looked up here.
        "NGINX_LOCAL_RESOLVERS": "127.0.0.1",
        # As nginx/15-rate-limit.envsh does it in the container.
        "RATE_LIMIT": str(settings.rate_limit),
        "RATE_LIMIT_RATE": str(max(settings.rate_limit, 1)),
        "RATE_LIMIT_BURST": str(max(settings.rate_limit, 1) * 4),
    }


def build(settings: Settings, state: State, ports: Mapping[str, int], dev: bool = False) -> list[Service]:
    """All services of the stack. With `dev` both apps start again when a file of theirs changes.

    Raises:
        LocalError: a server's binary is missing.
    """
    python = sys.executable
    redis = [
        binaries.redis(), str(ROOT / "redis" / "redis.conf"),
        "--port", str(ports["redis"]), "--bind", "127.0.0.1",
        "--dir", str(state.redis), "--aclfile", str(state.secrets / "redis" / "users.acl"),
    ]  # fmt: skip
    nginx = [
        binaries.nginx(), "-e", "stderr", "-p", str(state.run / "nginx"),
        "-c", str(state.run / "nginx" / "nginx.conf"), "-g", "daemon off;" + _nginx_user(),
    ]  # fmt: skip
    wsgi = [python, "-m", "gunicorn", "-c", "wsgi_app/gunicorn.conf.py", "wsgi_app.app:create_app()"]
    asgi = [python, "-m", "asgi_app"]
    if dev:
        extra = [
            path
            for folder in ("templates", "static")
            for path in _files(ROOT / "wsgi_app" / "notes" / folder)
        ]
        wsgi += ["--reload", *(f"--reload-extra-file={path}" for path in extra)]
        asgi = [python, "-m", "watchfiles", "--filter", "python", shlex.join(asgi), "asgi_app"]

    asgi_environment = _app_environment(settings, state, ports, "asgi") | {"ASGI_HOST": "127.0.0.1"}
    if dev:
        asgi_environment["DRAIN_SECONDS"] = "0"  # nobody waits for sockets when a file was saved
    wsgi_environment = _app_environment(settings, state, ports, "wsgi")
    wsgi_environment["WSGI_BIND"] = f"127.0.0.1:{ports['wsgi']}"
    wsgi_environment["WSGI_METRICS_PORT"] = str(ports["wsgi-metrics"])

    plain = {name: settings.environment[name] for name in PLAIN if name in settings.environment}
    services = [
        _service("redis", redis, plain, ["redis/redis.conf", "redis/users.acl"], 10),
        # Stops after the sidecars: their goodbyes still reach the clients.
        _service("nginx", nginx, plain, [], 20, stop_signal="QUIT", stop_seconds=5),
        _service("wsgi", wsgi, wsgi_environment, [] if dev else ["wsgi_app", "corkboard"], 30),
    ]
    for name in sidecars(settings):
        own = {"ASGI_PORT": str(ports[name])}
        services.append(_service(name, asgi, asgi_environment | own, [] if dev else ["asgi_app"], 40))
    return services


def _app_environment(settings: Settings, state: State, ports: Mapping[str, int], app: str) -> dict[str, str]:
    given = {name: value for name, value in settings.environment.items() if not name.startswith(NOT_FOR[app])}
    environment = given | {
        "REDIS_URL": f"redis://127.0.0.1:{ports['redis']}/0",
        "REDIS_PASSWORD_FILE": str(state.secrets / app / "redis_password"),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(state.temporary),
    }
    if "SECRET_KEY" not in environment:
        environment.setdefault("SECRET_KEY_FILE", str(state.secrets / app / "secret_key"))
    return environment


def _service(
    name: str,
    command: list[str],
    environment: dict[str, str],
    sources: Iterable[str],
    priority: int,
    stop_signal: str = "TERM",
    stop_seconds: int = 25,
) -> Service:
    # Of the environment only what is a setting, or is set here, says something about the service.
    settings = documented()
    shown = {
        key: value for key, value in environment.items() if key in settings or os.environ.get(key) != value
    }
    digest = hashlib.sha256(json.dumps([command, shown], sort_keys=True).encode())
    for path in (file for source in sources for file in _files(ROOT / source)):
        digest.update(f"{path}\0".encode() + path.read_bytes())
    return Service(name, command, environment, digest.hexdigest(), priority, stop_signal, stop_seconds)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def _nginx_user() -> str:
    # As root, nginx would become `nobody`, who may not read a clone in root's home.
    return f" user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};" if os.getuid() == 0 else ""
