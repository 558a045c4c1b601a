"""`python -m asgi_app`: one process. More of them, not more workers, is how it scales."""

from __future__ import annotations

from asgi_app.server import guardian


def main() -> None:
    """Runs until SIGTERM."""
    guardian.start()
    # Only now: the guardian has no use for them, and shall not take their memory.
    from asgi_app import settings
    from asgi_app.app import Sidecar
    from asgi_app.server import run

    configured = settings.load()
    sidecar = Sidecar(configured)
    run.until_stopped(sidecar, sidecar.door, sidecar.queue, configured)


if __name__ == "__main__":
    main()
