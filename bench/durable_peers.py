"""What one would build instead, so that a write is on the disk when it is answered. Behind the same nginx."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import servers
from bench.servers import Missing
from local.settings import ROOT
from local.state import free_port

PROCESSES = "2"  # as many as the project's Gunicorn has


@contextmanager
def fastapi_redis() -> Iterator[tuple[int, list[int]]]:
    """FastAPI and a Redis that answers after the fsync. Yields nginx' port, and the pids of everything."""
    with ExitStack() as opened:
        enter = opened.enter_context
        options = ("--appendonly", "yes", "--appendfsync", "always", "--dir", str(enter(servers.folder())))
        redis, redis_pids = enter(servers.redis_with(*options))
        app, environment = "bench.peers.redis_fastapi:app", {"REDIS_URL": redis.url}
        port, pids = enter(servers.uvicorn(app, environment, "--workers", PROCESSES))
        edge, workers = enter(servers.nginx_before(port))
        yield edge, [*pids, *workers, *redis_pids]


@contextmanager
def flask_postgres() -> Iterator[tuple[int, list[int]]]:
    """Flask, SQLAlchemy and PostgreSQL as it is installed. Yields nginx' port, and the pids of everything.

    Raises:
        Missing: PostgreSQL is not installed.
    """
    with _postgres() as (url, postgres):
        environment = {"DATABASE_URL": url}
        make = [sys.executable, "-m", "bench.peers.postgres_flask"]
        subprocess.run(make, cwd=ROOT, env=os.environ | environment, check=True)
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", PROCESSES]
        command += ["--threads", "8", "--keep-alive", "75", "--log-level", "warning", "--no-control-socket"]
        command += ["bench.peers.postgres_flask:app"]
        with servers.process(command, environment, port) as master, servers.nginx_before(port) as found:
            edge, workers = found
            yield edge, [master.pid, *workers, postgres]


@contextmanager
def _postgres() -> Iterator[tuple[str, int]]:
    on_path = shutil.which("postgres")
    found = [Path(on_path)] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        raise Missing("PostgreSQL is not installed (Debian: postgresql)")
    programs, port = found[-1].resolve().parent, free_port()
    # It refuses to run as root.
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    with servers.folder() as folder:
        if user:
            shutil.chown(folder, "nobody", "nogroup")
        make = ["initdb", "--no-sync", "--auth=trust", "--username=app", "--encoding=UTF8", "-D"]
        subprocess.run(
            [*user, programs / make[0], *make[1:], folder / "data"], check=True, capture_output=True
        )
        command = [*user, str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        with servers.process(command, {}, port, is_http=False) as server:
            yield f"postgresql+psycopg://app@127.0.0.1:{port}/postgres", server.pid
