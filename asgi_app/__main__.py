"""`python -m asgi_app`: one Uvicorn process. More of them, not more workers, is how it scales."""

from __future__ import annotations

import gc
from contextlib import suppress

import uvicorn

from asgi_app import limits, logs, settings
from asgi_app.app import Entrance, create_app
from asgi_app.server.direct import DirectProtocol
from asgi_app.server.draining import DrainingServer
from asgi_app.server.upgrade import UpgradingProtocol

MESSAGE_BYTES = 64 * 1024

# What lives as long as the process is not looked at again, and a thousand clients that come at once
# are no reason to look at everything else.
GC_THRESHOLD = 50_000


def main() -> None:
    """Runs until SIGTERM."""
    configured = settings.load()
    app = create_app(configured)
    config = uvicorn.Config(
        Entrance(app),
        host=configured.asgi_host,
        port=configured.asgi_port,
        log_config=logs.config(configured.log_level),
        access_log=False,
        server_header=False,
        backlog=4096,
        http=UpgradingProtocol,
        ws=DirectProtocol if configured.websocket_writer == "direct" else "websockets-sansio",
        ws_max_size=MESSAGE_BYTES,
        # 14 KiB a connection instead of 64: https://websockets.readthedocs.io/en/stable/topics/memory.html
        ws_per_message_deflate=False,
        # Who vanishes without a word is gone within 40 s: `direct` spreads the pings over 15 to 25 s.
        ws_ping_interval=20,
        ws_ping_timeout=15,
        # Longer than nginx keeps an idle connection, so that nginx is the one that closes.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=limits.LAST_SECONDS,
        # `door` takes nginx's word for the client's address; Uvicorn would take anybody's.
        proxy_headers=False,
    )
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    # Uvicorn drains on Ctrl-C too, and passes it on when it is done.
    with suppress(KeyboardInterrupt):
        DrainingServer(config, app, configured.drain_seconds).run()


if __name__ == "__main__":
    main()
