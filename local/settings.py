"""The settings that concern the stack as a whole; each app has its own, and checks them itself."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from corkboard.settings import NUMBERS
from local.errors import LocalError

ROOT = Path(__file__).resolve().parent.parent


def _address(value: str) -> str:
    found = re.fullmatch(
        r"(https?)://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?(/.*)?", value, re.IGNORECASE
    )
    if not found or not 0 < int(found[3] or 80) < 65536:
        hint = "as in http://127.0.0.1:5000"
    elif found[1].lower() == "https":
        hint = "because TLS ends in front of nginx: start the app without it"
    elif (found[4] or "/") != "/":
        hint = "because the app gets every path but /ws"
    else:
        return f"http://{found[2]}:{found[3] or 80}"
    raise ValueError(f"expected http://HOST:PORT, {hint}; not {value!r}")


def _number(default: int | None, least: int, most: int, description: str) -> Any:
    return Field(default, ge=least, le=most, description=description)


class Stack(BaseModel):
    """What concerns no process alone."""

    app: Annotated[str, AfterValidator(_address)] = Field(
        "",
        description="Your own app that runs already, as in http://127.0.0.1:5000. `make up` puts nginx, the "
        "sidecar and Redis around it instead of the demo, always as local processes.",
    )
    http_port: int = _number(
        8080, 1, 65535, "The one port that is open to others. Each clone on a machine needs its own."
    )
    asgi_replicas: int = _number(
        2, 1, 32, "Sidecar processes. Each uses one core and carries some thousands of sockets."
    )
    rate_limit: int = _number(
        100, 0, 100_000,
        "Writes per second that one client address may make in the demo, after a burst of four times as "
        "many; more are answered with 429. It may read ten times as often, and search or get QR codes a "
        "tenth as often. 0 turns all three off, which is right for load tests and where all clients share "
        "one address.",
    )  # fmt: skip
    max_requests_per_client: int = _number(
        500, 0, 60_000,
        "Requests that one client address may have open at once, sockets, streams and polls aside; more are "
        "answered with 429. 0 turns the limit off, which is right where all clients share one address.",
    )  # fmt: skip
    log_addresses: Literal["full", "short"] = Field(
        "full", description="short logs 192.0.2.0 and 2001:db8:1:: instead of the addresses of clients."
    )
    # These reach the app through app.env.
    history_length: int = _number(*NUMBERS["CORKBOARD_HISTORY_LENGTH"])
    ticket_seconds: int = _number(*NUMBERS["CORKBOARD_TICKET_SECONDS"])
    refresh_rate: int = _number(*NUMBERS["CORKBOARD_REFRESH_RATE"])
    wait_replicas: int = _number(*NUMBERS["CORKBOARD_WAIT_REPLICAS"])
    nginx_workers: int | None = _number(
        None,
        1,
        64,
        "Processes of nginx. Unset: one per core that it may use, at most eight, and no fewer than "
        "the connections need.",
    )
    upstream_sockets: Literal["unix", "tcp"] = Field(
        "unix",
        description="How nginx asks the apps. unix is faster; tcp is for an nginx on another machine.",
    )
    trusted_proxies: str | None = Field(
        None,
        description="Addresses or networks of the proxies in front, as in 10.0.0.0/8,192.168.0.7. What they "
        "say about the client's address, https and host is believed; what others say is overwritten.",
    )
    site_name: str | None = Field(
        None,
        description="The site's name, as in example.com; of several, separated by commas, the first is where "
        "visitors are sent. With docker-compose.tls.yml a certificate is fetched for it.",
    )
    allowed_hosts: str | None = Field(
        None,
        description="More names that the site may be asked for, as in *.example.com,shop.internal; * for "
        "any. It always answers to localhost, IP addresses and SITE_NAME; in front of an app of your own to "
        "any name as long as both are unset.",
    )
    tls_cert_file: Path | None = Field(
        None,
        description="The site's certificate with its chain, in PEM format. A new one in its place is used "
        "within a second.",
    )
    tls_key_file: Path | None = Field(None, description="The certificate's private key, in PEM format.")
    https_port: int = _number(443, 1, 65535, "The port of HTTPS; HTTP_PORT leads to it.")
    max_body: str = Field(
        "16m",
        description="The largest request body that an app of your own gets, as in 512k or 1g; 0 for any. "
        "The demo has a limit of its own.",
    )


class Docker(BaseModel):
    """What only containers need; `make up` without Docker ignores it."""

    app_server: str | None = Field(
        None,
        description="The address of an app of your own, as in web:8000. It takes the place of the demo, "
        "whose container stays off.",
    )
    registry: str | None = Field(
        None,
        description="Where a Docker Swarm has its images from, as in registry.example.com/corkboard.",
    )
    wsgi_replicas: int = _number(
        2, 1, 32, "Containers of the demo's Flask app in a Docker Swarm. Elsewhere there is one."
    )
    open_files: int = _number(
        20_000, 1024, 1_000_000, "Files and sockets that a container may open; nginx needs two per WebSocket."
    )
    acme_server: str | None = Field(
        None,
        description="The directory of the ACME server that certificates come from, when there is no "
        "TLS_CERT_FILE. Unset: Let's Encrypt's, whose terms you accept with it.",
    )
    acme_email: str | None = Field(None, description="Whom the ACME server may write to.")
    loadtest_port: int = _number(8089, 1, 65535, "The web page of the load tests, on this machine only.")
    prometheus_port: int = _number(9090, 1, 65535, "Prometheus, when you start it, on this machine only.")
    grafana_port: int = _number(3000, 1, 65535, "Grafana, when you start it, on this machine only.")
    ca_bundle: Path | None = Field(
        None, description="A bundle of CA certificates for builds behind a proxy that intercepts TLS."
    )


class Settings(Stack):
    """What one run goes by. `environment` is the caller's own variables, and below them those of `.env`."""

    environment: dict[str, str]


def load(env_file: Path = ROOT / ".env") -> Settings:
    """The settings of this run; an empty variable counts as absent.

    Raises:
        LocalError: a value is invalid. One line, with the variable's name and what is expected.
    """
    logging.getLogger("dotenv").setLevel(logging.ERROR)  # local/check.awk warns of such lines
    given = {**dotenv_values(env_file, interpolate=False), **os.environ}
    environment = {name: value for name, value in given.items() if value}
    values = {name: environment[name.upper()] for name in Stack.model_fields if name.upper() in environment}
    try:
        return Settings.model_validate({**values, "environment": environment})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        rule = expected(Stack.model_fields[name])
        problem = f"expected {rule}, not {values[name]!r}" if rule else str(first["ctx"]["error"])
        raise LocalError(f"{name.upper()} is invalid: {problem} (see .env.example)", code=2) from None


def expected(field: FieldInfo) -> str:
    """What values the field takes, in words; empty when its description says it all."""
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(get_args(field.annotation))}"
    if get_origin(field.annotation) is tuple:
        return "a comma-separated list"
    bounds = {
        edge: getattr(rule, edge) for rule in field.metadata for edge in ("ge", "le") if hasattr(rule, edge)
    }
    if not bounds:
        return ""
    whole = int in (field.annotation, *get_args(field.annotation))
    return f"a {'whole ' if whole else ''}number from {bounds['ge']} to {bounds['le']}"
