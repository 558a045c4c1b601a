"""Flask without what this app has no use for, and what Flask would do for each request."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Flask, Request
from werkzeug.exceptions import BadHost
from werkzeug.routing import MapAdapter
from werkzeug.sansio.utils import get_host


class App(Flask):
    """Flask for functions that are no coroutines, at addresses that differ in their paths only."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: Flask would look at every view and hook, in every request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the view. Flask's knows subdomains and WebSockets, and takes as long as the search."""
        if request is None:
            return None
        request.host, server = _hosts(request.scheme, request.environ.get("HTTP_HOST"), request.server)
        query = request.query_string.decode(errors="replace")
        root, path = request.root_path or "/", request.path
        return MapAdapter(self.url_map, server, root, "", request.scheme, path, request.method, query)


# Most clients name the same host.
@lru_cache(256)
def _hosts(scheme: str, given: str | None, server: tuple[str, int | None] | None) -> tuple[str, str]:
    """The host that was asked for, and the same as redirects write it; both with the port.

    Raises:
        SecurityError, BadHost: it is none.
    """
    host = get_host(scheme, given, server)
    name, colon, port = host.lower().partition(":")
    try:
        return host, f"{name.encode('idna').decode()}{colon}{port}"
    except UnicodeError:
        raise BadHost from None
