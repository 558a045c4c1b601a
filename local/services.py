"""What runs: each service's command, environment, and how to tell that it is ready."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import asgi_app.settings
import wsgi_app.settings
from local import binaries
from local.settings import ROOT, Settings
from local.state import State

# What a service gets of the caller's environment, beside its own settings.
# The last two are for an allocator of one's own, and for a wrong clock in tests: prove/clock.c.
PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_PRELOAD", "WRONG_CLOCK")

# The demo's scripts and styles.
STATIC = ROOT / "wsgi_app" / "notes" / "static"


@dataclass(frozen=True)
class Service:
    """One supervised process."""

    name: str
    command: list[str]
    environment: dict[str, str]
    # It is ready when each of these answers; redis:// is asked with PING.
    probes: list[str]
    # Where this very process answers, when a stand-in listens on its port as well.
    own_probe: str = ""
    # Below ROOT, folders too. A newer one is applied by a restart.
    files: list[str] = field(default_factory=list)
    stop_signal: str = "TERM"
    # A little more than the service itself allows its requests and sockets to end.
    stop_seconds: int = 25

    def program(self) -> str:
        """What local/child.py runs, as JSON."""
        return json.dumps({"command": self.command, "environment": self.environment})

    def is_like(self, program: dict[str, Any]) -> bool:
        """Whether a `program` of before does the same. The shell that it was started from may be another."""
        ours, theirs = (
            {name: value for name, value in environment.items() if name not in PLAIN}
            for environment in (self.environment, program["environment"])
        )
        return ours == theirs and self.command == program["command"]


def sidecars(settings: Settings) -> list[str]:
    """The names of the sidecar's replicas."""
    return [f"asgi-{number + 1}" for number in range(settings.asgi_replicas)]


def port_names(settings: Settings) -> list[str]:
    """Every port that a service of this stack listens on, except for nginx's."""
    demo = [] if settings.app else ["wsgi", "wsgi-metrics"]
    return ["redis", *demo, *sidecars(settings)]


def nginx_values(settings: Settings, state: State, ports: Mapping[str, int]) -> dict[str, str]:
    """What nginx/16-settings.envsh starts from; in the container, the same names are set by Compose."""
    return {
        "NGINX_PORT": str(settings.http_port),
        "NGINX_RUN_DIR": str(state.run / "nginx"),
        "STATIC_DIR": str(state.static),
        "SITE": "app" if settings.app else "demo",
        "APP_SERVER": settings.app.removeprefix("http://") or f"127.0.0.1:{ports['wsgi']}",
        "ASGI_SERVERS": " ".join(f"127.0.0.1:{ports[name]}" for name in sidecars(settings)),
        "APP_SOCKETS": str(state.sockets / "wsgi" / "1.sock"),
        "ASGI_SOCKETS": str(state.sockets / "asgi-*" / "1.sock"),
        "UPSTREAM_SOCKETS": settings.upstream_sockets,
        "RATE_LIMIT": str(settings.rate_limit),
        "NGINX_WORKERS": str(settings.nginx_workers or ""),
        "TRUSTED_PROXIES": settings.trusted_proxies or "",
        "MAX_BODY": settings.max_body,
        "MAX_REQUESTS_PER_CLIENT": str(settings.max_requests_per_client),
        "MAX_SOCKETS_PER_CLIENT": settings.environment.get("MAX_SOCKETS_PER_CLIENT", ""),
        "ASGI_REPLICAS": str(settings.asgi_replicas),
        "MAX_SOCKETS": settings.environment.get("MAX_SOCKETS", ""),
        "LOG_ADDRESSES": settings.log_addresses,
        "SITE_NAME": settings.site_name or "",
        "ALLOWED_HOSTS": settings.allowed_hosts or "",
        "HTTPS_PORT": str(settings.https_port),
        **_tls(settings),
    }


def _tls(settings: Settings) -> dict[str, str]:
    files = {"TLS_CERT_FILE": settings.tls_cert_file, "TLS_KEY_FILE": settings.tls_key_file}
    given = {name: str(ROOT / path) for name, path in files.items() if path}
    return given | ({"NGINX_TLS_PORT": str(settings.https_port)} if given else {})


def build(settings: Settings, state: State, ports: Mapping[str, int], dev: bool = False) -> list[Service]:
    """All services, in the order in which they start; they stop in the opposite one.

    Args:
        dev: both apps start again by themselves when a file of theirs changes.

    Raises:
        LocalError: a server's binary is missing.
    """
    plain = _chosen(settings, PLAIN)
    edge = f"http://127.0.0.1:{settings.http_port}"
    if settings.tls_cert_file:
        edge = f"https://127.0.0.1:{settings.https_port}"
    return [
        _redis(plain, state, ports["redis"]),
        # Stops after the sidecars: their goodbyes still reach the clients.
        Service(
            "nginx",
            [
                binaries.nginx(), "-e", "stderr", "-p", str(state.run / "nginx"),
                "-c", str(state.run / "nginx" / "nginx.conf"), "-g", "daemon off;" + _nginx_user(),
            ],
            plain,
            # An app of somebody else's may come later.
            probes=[f"{edge}/ws/readyz"] if settings.app else [f"{edge}/readyz", f"{edge}/ws/readyz"],
            stop_signal="QUIT",
            stop_seconds=5,
        ),
        *([] if settings.app else [_wsgi(settings, state, ports, dev)]),
        *(_asgi(name, settings, state, ports, dev) for name in sidecars(settings)),
    ]  # fmt: skip


def _redis(environment: dict[str, str], state: State, port: int) -> Service:
    command = [
        binaries.redis(), str(ROOT / "redis" / "redis.conf"), "--port", str(port), "--bind", "127.0.0.1",
        "--dir", str(state.redis), "--aclfile", str(state.secrets / "redis" / "users.acl"),
    ]  # fmt: skip
    files = ["redis/redis.conf"]
    return Service("redis", command, environment, [probe("redis", port)], files=files)


def _wsgi(settings: Settings, state: State, ports: Mapping[str, int], dev: bool) -> Service:
    command = [
        sys.executable, "-m", "gunicorn", "-c", "wsgi_app/gunicorn.conf.py", "wsgi_app.app:create_app()",
    ]  # fmt: skip
    if dev:
        watched = (
            path
            for name in ("templates", "static", "words.toml")
            for path in _files(f"wsgi_app/notes/{name}")
        )
        command += ["--reload", *(f"--reload-extra-file={path}" for path in watched)]
    environment = _app_environment(settings, state, wsgi_app.settings.Settings) | {
        "CORKBOARD_ENV_FILE": str(state.app_env),
        "SESSION_KEY_FILE": str(state.secrets / "app" / "session_key"),
        "WSGI_BIND": f"127.0.0.1:{ports['wsgi']}",
        "WSGI_METRICS_PORT": str(ports["wsgi-metrics"]),
        "SOCKET_FOLDER": str(state.sockets / "wsgi"),
    }
    files = [] if dev else ["wsgi_app", "corkboard", "slots", "traces"]
    return Service(
        "wsgi",
        command,
        environment,
        [probe("wsgi", ports["wsgi"])],
        f"http://127.0.0.1:{ports['wsgi-metrics']}/metrics",
        files,
    )


def _asgi(name: str, settings: Settings, state: State, ports: Mapping[str, int], dev: bool) -> Service:
    command = [sys.executable, "-m", "asgi_app"]
    environment = _app_environment(settings, state, asgi_app.settings.Settings) | {
        "REDIS_URL": f"redis://127.0.0.1:{ports['redis']}/0",
        "REDIS_PASSWORD_FILE": str(state.secrets / "asgi" / "redis_password"),
        "ASGI_HOST": "127.0.0.1",
        "ASGI_PORT": str(ports[name]),
        "SOCKET_FOLDER": str(state.sockets / name),
        "PYTHONMALLOC": "malloc",  # as in asgi_app/Dockerfile
    }
    if "SECRET_KEY" not in environment:
        environment.setdefault("SECRET_KEY_FILE", str(state.secrets / "asgi" / "secret_key"))
    if settings.app:
        environment.setdefault("PUBLIC_TOPICS", "none")
        environment.setdefault("WHISPER_TOPICS", "none")
    if dev:
        # Of any kind: the browser's scripts are in that folder too.
        command = [sys.executable, "-m", "watchfiles", "--filter", "default", shlex.join(command), "asgi_app"]
        environment["DRAIN_SECONDS"] = "0"  # nobody waits for sockets when a file was saved
    files = [] if dev else ["asgi_app", "slots", "traces"]
    return Service(name, command, environment, [probe(name, ports[name])], files=files)


def probe(name: str, port: int) -> str:
    """Where a service says that it is ready; the port of nginx is that of plain HTTP."""
    if name == "redis":
        return f"redis://127.0.0.1:{port}"
    path = {"wsgi": "/readyz", "nginx": "/ws/nginx/healthz"}.get(name, "/ws/readyz")
    return f"http://127.0.0.1:{port}{path}"


def newest(service: Service) -> float:
    """When one of the service's files was last changed, in seconds since the epoch; 0 without files."""
    # Not st_mtime: a copy, or a checkout of something older, may set it back.
    return max((path.stat().st_ctime for name in service.files for path in _files(name)), default=0)


def _app_environment(settings: Settings, state: State, known: type[BaseModel]) -> dict[str, str]:
    # Its own fields: what it inherits, where it listens and where Redis is, is set by its service.
    own = (name.upper() for name in known.__annotations__)
    return _chosen(settings, (*PLAIN, *own)) | {
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(state.temporary),
    }


def _chosen(settings: Settings, names: tuple[str, ...]) -> dict[str, str]:
    return {name: settings.environment[name] for name in names if name in settings.environment}


def _files(name: str) -> list[Path]:
    path = ROOT / name
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def _nginx_user() -> str:
    # As root, nginx would become `nobody`, who may not read a clone in root's home.
    return f" user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};" if os.getuid() == 0 else ""
