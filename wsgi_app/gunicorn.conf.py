"""Gunicorn's settings: https://docs.gunicorn.org/en/stable/settings.html"""

from __future__ import annotations

import logging.config
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

# The workers' metrics meet in files of this run. The library looks for the folder when it is imported.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_dir = tempfile.mkdtemp(prefix="corkboard-metrics-")

# Gunicorn reads this file before it puts the app's folder on the path.
sys.path.insert(0, str(Path(__file__).parent.parent))

from gunicorn import glogging, util
from gunicorn.http import wsgi
from prometheus_client import multiprocess

from wsgi_app import cores, draining, logs, refusals, sending, settings
from wsgi_app.notes import store

configured = settings.load()
util.write_error = refusals.write
wsgi.Response = sending.Response
load_app = util.import_app


def import_app(address: str) -> Any:
    """Loads the app. Of a RuntimeError Gunicorn would show one line, and not where it comes from."""
    try:
        return load_app(address)
    except RuntimeError:
        traceback.print_exc()
        sys.exit(1)


util.import_app = import_app


class Logger(glogging.Logger):
    """Gunicorn's own, without an access log: nginx writes one."""

    def access(self, *_fields: object) -> None:
        """Nothing. Gunicorn would put the fields of a line together even where none is written."""


host = configured.wsgi_bind.rpartition(":")[0]
bind = [
    draining.listen_beside(address)
    for address in (configured.wsgi_bind, f"{host}:{configured.wsgi_metrics_port}")
]
backlog = 4096
if configured.socket_folder:
    bind.append(draining.listen_for_nginx(configured.socket_folder, backlog, configured.wsgi_bind))
# Whoever asks over a Unix socket would be a proxy that Gunicorn believes. The app knows how many there are.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
workers = configured.wsgi_workers
threads = configured.wsgi_threads
worker_class = draining.Worker
# A version that cannot be loaded ends before it listens, and gets no request. Hot reload needs it later.
preload_app = "--reload" not in sys.argv
# Nginx closes idle upstream connections after 30 s: it, not we, must be the one that closes,
# or a request meets a closing connection and becomes a 502.
keepalive = 75
# The heartbeat of a worker, not of a request: a gthread worker that is stuck as a whole is replaced.
timeout = 30
# Shorter than `stop_grace_period`, so that requests in flight end before SIGKILL.
graceful_timeout = 20
# A heartbeat file on a disk can block on that disk.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
# It would be written under $HOME, and the root is read-only.
control_socket_disable = True
# Workers are replaced now and then, not all at once: a slow leak never becomes an outage.
max_requests = 200_000
max_requests_jitter = 20_000
# Nginx has bounded the request's head; what it let through is answered by the app, in the app's own words.
limit_request_line = 0
limit_request_fields = 32_768
logconfig_dict = logs.config(configured.log_level)
logger_class = Logger


def when_ready(_server: object) -> None:
    """In the master, before any worker."""
    draining.watch()


def pre_fork(server: Any, worker: Any) -> None:
    """In the master, before each worker. One that replaces another gets its core."""
    worker.core = cores.choose(server.num_workers, [other.core for other in server.WORKERS.values()])


def post_fork(_server: object, worker: Any) -> None:
    """In each worker, before it starts a thread."""
    cores.stay_on(worker.core)


def child_exit(_server: object, worker: Any) -> None:
    """Forgets the gauges of a worker that is gone."""
    multiprocess.mark_process_dead(worker.pid)


def on_exit(_server: object) -> None:
    """In the master, at the very end."""
    shutil.rmtree(metrics_dir, ignore_errors=True)


def on_starting(_server: object) -> None:
    """In the master, before any worker: a broken function library stops the start with one line."""
    logging.config.dictConfig(logconfig_dict)
    store.check(configured)
