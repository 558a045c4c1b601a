"""`python -m corkboard doctor`: what is missing, in plain words."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from redis.exceptions import AuthenticationError, ResponseError

from corkboard import settings, store
from corkboard.cluster import is_cluster
from corkboard.publish import position, publish
from corkboard.sentinels import SCHEME
from corkboard.tickets import sign

TOPIC = "corkboard:doctor"
SECONDS = 5
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "Y29ya2JvYXJkIGRvY3Rvcg==",
}


class Trouble(Exception):
    """What is wrong, and what to do about it."""


class Answer(NamedTuple):
    """What a site answered."""

    status: int
    body: str
    cookies: list[str]


def examine(site: str = "") -> Iterator[str]:
    """Checks one thing after the other, and says of each that it works.

    Args:
        site: where browsers find the app, such as https://example.com; nothing of it is checked when empty.

    Raises:
        Trouble: something does not work.
    """
    try:
        loaded = settings.load()
        yield f"the settings come from {loaded.source}"
        if loaded.off:
            yield "CORKBOARD_URL is off: nothing is sent, which is right for tests only"
            return
        _need(loaded.signing_key, "")
        before, event = _published(loaded)
    except settings.NotConfigured as error:
        raise Trouble(str(error)) from None
    yield "Redis answers, the functions are loaded, an event was published"
    if site:
        yield from _site(site.rstrip("/"), loaded.source, before, event)
    else:
        yield "not checked: what browsers see. Say where, as in --site http://localhost:8080"


def _place(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == SCHEME:
        return f"the master that {parts.netloc.rpartition('@')[2]} know"
    if is_cluster(url):
        return f"the cluster of {parts.netloc.rpartition('@')[2]}"
    return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path


def _published(loaded: settings.Settings) -> tuple[str, str]:
    """The cursor before an event that was published just now, and the event's id."""
    where = f"Redis at {_place(loaded.url)}"
    try:
        store.Store(loaded.url).load()
        return position(TOPIC), publish(TOPIC, "doctor")
    except store.StoreUnavailable as error:
        if isinstance(error.__cause__, AuthenticationError):
            advice = (
                f"the password in {loaded.source} is another Corkboard's, or old: `make up` writes it anew"
            )
        else:
            advice = (
                "is Corkboard running (`make status`)? Inside a container, 127.0.0.1 is the container "
                "itself; the host is `corkboard-redis` there"
            )
        raise Trouble(f"{where}: {error}; {advice}") from None
    except (store.LibraryBroken, ResponseError) as error:
        advice = "it must be Redis 7.4 or Valkey 9 at least, and the user the `app` of redis/users.acl"
        raise Trouble(f"{where}: {error}; {advice}") from None


def _site(site: str, source: str, before: str, event: str) -> Iterator[str]:
    ready = _get(site, "/ws/readyz")
    _need(ready.status != 503, f"{site} answers, but its sidecar is not ready: {ready.body}")
    _need(
        ready.status == 200,
        f"{site}/ws/readyz answers {ready.status} instead of 200: a proxy must pass /ws and all below "
        "it to Corkboard",
    )
    yield f"the sidecar is ready at {site}/ws"

    poll = f"/ws/poll?topic={TOPIC}&since={before}&timeout=1"
    ticket = {"Authorization": f"Bearer {sign('', [TOPIC]).token}"}
    polled = _get(site, poll, ticket)
    _need(
        polled.status not in (401, 403),
        f"the sidecar refuses this app's tickets: the key in {source} is not its SECRET_KEY, or the "
        "two clocks differ",
    )
    _need(
        polled.status == 200 and event in [each["id"] for each in json.loads(polled.body)["events"]],
        f"the event did not arrive ({polled.status}): the sidecar reads another Redis than {source} names",
    )
    yield "an event arrives, and the ticket for it is accepted"

    _need(
        _get(site, poll, {**ticket, "Origin": site}).status != 403,
        f"the sidecar refuses pages of {site}: set ALLOWED_ORIGINS={site}, or have the proxy in front of "
        "it pass on the header Host",
    )
    status = _get(site, f"/ws?topic={TOPIC}", {**ticket, **UPGRADE, "Origin": site}).status
    _need(
        status == 101,
        f"no WebSocket ({status} instead of 101): the proxy in front must pass on the headers Upgrade and "
        "Connection; until then pages use event streams",
    )
    yield "pages of the site may open WebSockets"

    page = _get(site, "/")
    _need(page.status not in (502, 503, 504), f"{site} answers {page.status}: is the app itself running?")
    _need(
        not site.startswith("https:") or all("secure" in cookie.lower() for cookie in page.cookies),
        "the app sets a cookie without `Secure` although the site is https: name the proxy that ends TLS in "
        "TRUSTED_PROXIES, and have the app believe X-Forwarded-Proto",
    )
    yield f"the app answers at {site}"


def _need(good: object, problem: str) -> None:
    if not good:
        raise Trouble(problem)


def _get(site: str, path: str, headers: dict[str, str] | None = None) -> Answer:
    parts = urlsplit(site)
    valid = parts.scheme in ("http", "https") and parts.hostname
    _need(valid, f"--site {site} is invalid: expected an address such as http://localhost:8080")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request("GET", parts.path + path, headers=headers or {})
        found = connection.getresponse()
        body = b"" if found.status == 101 else found.read(100_000)
        return Answer(found.status, body.decode(errors="replace"), found.headers.get_all("Set-Cookie", []))
    except ssl.SSLError as error:
        raise Trouble(f"{site} has no certificate that this machine trusts: {error}") from None
    except (OSError, HTTPException) as error:
        raise Trouble(
            f"{site} does not answer ({error or type(error).__name__}): is the port right?"
        ) from None
    finally:
        connection.close()
