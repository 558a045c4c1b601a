"""Configures Uvicorn, and runs it."""

from __future__ import annotations

import gc
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from asgi_app import limits, logs
from asgi_app.door import Door
from asgi_app.leaving import Queue
from asgi_app.server.arrival import ArrivingProtocol
from asgi_app.server.direct import DirectProtocol
from asgi_app.server.draining import DrainingServer
from asgi_app.server.flood import MeteredProtocol
from asgi_app.settings import Settings
from slots import Slots


def until_stopped(app: ASGIApp, door: Door, queue: Queue, settings: Settings) -> None:
    """Serves `app` until SIGTERM; then its listeners are sent away over the drain window."""
    log_config = logs.config(settings.log_level)
    # Its line for every handshake, at "info", holds the query, and the query may hold a ticket.
    level = "warning" if settings.log_level in ("debug", "info") else settings.log_level
    # Without a level of its own, Uvicorn would trace each connection, in vain.
    log_config["loggers"] = {"uvicorn.error": {"level": level.upper()}}
    config = uvicorn.Config(
        app,
        host=settings.asgi_host,
        port=settings.asgi_port,
        log_config=log_config,
        access_log=False,
        server_header=False,
        backlog=limits.BACKLOG_CONNECTIONS,
        http=ArrivingProtocol,
        ws=DirectProtocol if settings.websocket_writer == "direct" else MeteredProtocol,
        ws_max_size=limits.MESSAGE_BYTES,
        # 14 KiB per connection instead of 64: https://websockets.readthedocs.io/en/stable/topics/memory.html
        ws_per_message_deflate=False,
        ws_ping_interval=limits.PING_SECONDS,
        ws_ping_timeout=limits.PONG_SECONDS,
        timeout_keep_alive=limits.KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=limits.LAST_SECONDS,
        # `door` takes nginx's word for the client's address; Uvicorn would take anybody's.
        proxy_headers=False,
    )
    slots = Slots(settings.socket_folder, settings.socket_slots) if settings.socket_folder else None
    # What lives as long as the process is not looked at again, and a thousand clients that come at once are
    # no reason to look at everything else.
    gc.freeze()
    gc.set_threshold(limits.GARBAGE_OBJECTS)
    # Uvicorn drains on Ctrl-C too, and passes it on when it is done.
    with suppress(KeyboardInterrupt):
        DrainingServer(config, door, settings.drain_seconds, queue, slots).run()
