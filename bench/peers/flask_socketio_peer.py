"""Flask-SocketIO under gevent, with Redis as its message queue.

Run as: python -m bench.peers.flask_socketio_peer, with `PORT` and `REDIS_URL` set.
"""

from gevent import monkey  # type: ignore[import-untyped]

monkey.patch_all()

import os  # noqa: E402

from flask import Flask  # noqa: E402
from flask_socketio import SocketIO  # type: ignore[import-untyped]  # noqa: E402

app = Flask(__name__)
socketio = SocketIO(
    app,
    async_mode="gevent",
    message_queue=os.environ["REDIS_URL"],
    cors_allowed_origins="*",
    # A busy client must not be disconnected in the middle of a measurement.
    ping_interval=60,
    ping_timeout=60,
)


@socketio.on("connect")  # type: ignore[untyped-decorator]
def connected() -> None:
    """Accepts: an emit without a room reaches every client."""


if __name__ == "__main__":
    socketio.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_output=False)
