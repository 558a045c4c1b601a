"""What can be set from outside: each field is an environment variable of the same name in capitals."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, RedisDsn, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

import traces
from asgi_app import capacity, limits

SENTINELS = re.compile(
    r"redis\+sentinel://((?:[A-Za-z0-9._-]+:[0-9]{1,5}(?:,(?=[^/])|(?=/)))+)/([A-Za-z0-9._-]+)"
)
CLUSTER = re.compile(r"redis\+cluster://([A-Za-z0-9._-]+:[0-9]{1,5}(?:,[A-Za-z0-9._-]+:[0-9]{1,5})*)")
_plain: TypeAdapter[RedisDsn] = TypeAdapter(RedisDsn)


def _redis(url: str) -> str:
    if "@" in url:
        raise ValueError("no user and no password; put the password into REDIS_PASSWORD_FILE")
    if SENTINELS.fullmatch(url) or CLUSTER.fullmatch(url):
        return url
    try:
        return str(_plain.validate_python(url))
    except ValidationError:
        raise ValueError(
            "redis://HOST:PORT/0, redis+sentinel://HOST:PORT,HOST:PORT/NAME, or redis+cluster://HOST:PORT,HOST:PORT"
        ) from None


def _split(value: str | tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return tuple(part for part in (piece.strip() for piece in value.split(",")) if part)


def _split_or_none(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return () if value == "none" else _split(value)


KEY_CHARACTERS = 32

CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
CommaSeparatedOrNone = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_or_none)]


class Place(BaseSettings):
    """Where this process listens and where Redis is. `docker compose` and `make up` set all of it."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    redis_url: Annotated[str, AfterValidator(_redis)] = Field(
        default="redis://127.0.0.1:6379/0",
        description="The address of Redis, or that of Sentinels: redis+sentinel://HOST:PORT,HOST:PORT/NAME; "
        "or some of a Redis Cluster: redis+cluster://HOST:PORT,HOST:PORT. Holds no user and no password.",
    )
    redis_password: SecretStr | None = Field(
        default=None, description="The password of the app's own Redis user."
    )
    redis_password_file: Path | None = Field(default=None, description="A file that holds the password.")
    asgi_host: str = Field(default="0.0.0.0", description="The address that the sidecar listens on.")
    asgi_port: int = Field(
        default=8001,
        ge=1,
        le=65535,
        description="The port that the sidecar listens on; /metrics is there too.",
    )
    socket_folder: Path | None = Field(
        default=None,
        description="The folder of the Unix socket that nginx, on the same machine, asks.",
    )
    socket_slots: int = Field(
        default=1,
        ge=1,
        le=32,
        description="How many such sockets nginx asks. A process beyond that waits for one to become free.",
    )


class Settings(Place):
    """The sidecar's configuration, read once from the environment. An empty variable counts as absent."""

    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        default="info",
        description="The least severe messages to log. debug also shows what each connection does.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Signs tickets; made at the first start when absent. At least 32 characters. Set it "
        "when something else issues tickets too. Of several keys, one per line, the first signs and all are "
        "accepted. To rotate: put the new key on a line before the old one, restart, and drop the old one "
        "when its tickets have expired.",
    )
    secret_key_file: Path | None = Field(
        default=None,
        description="A file that holds SECRET_KEY, which keeps it out of the process list and of `docker "
        "inspect`.",
    )
    public_topics: CommaSeparatedOrNone = Field(
        default=("board:*",),
        description="Globs of the topics that anybody may subscribe to, or `none`. All others need a ticket. "
        "In front of an app of your own the default is `none`.",
    )
    whisper_topics: CommaSeparatedOrNone = Field(
        default=("board:*",),
        description="Globs of the topics whose subscribers may whisper to each other and learn who is there, "
        "or `none`. In front of an app of your own the default is `none`.",
    )
    allowed_origins: CommaSeparated = Field(
        default=(),
        description="Origins whose pages may open sockets, as in "
        "https://example.com,https://www.example.com. Once set, no other may, the site's own included. "
        "Empty: only pages of the origin that was asked for (scheme, host and port).",
    )
    max_sockets: int = Field(
        default=8000,
        ge=1,
        le=100_000,
        description="Sockets, event streams and polls that one process holds; more are refused with 503.",
    )
    max_sockets_per_client: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="How many of them one client address may hold in one process; more are refused with 429. "
        "Behind a proxy that hides addresses all clients count as one.",
    )
    otel_exporter_otlp_endpoint: Annotated[str, AfterValidator(traces.receiver)] | None = Field(
        default=None,
        description="Where OpenTelemetry traces go: an OTLP receiver for HTTP, as in http://collector:4318. "
        "Unset: nothing is traced.",
    )
    otel_sdk_disabled: Annotated[Literal["true", "false"], BeforeValidator(str.lower)] = Field(
        default="false",
        description="true: nothing is traced, although OTEL_EXPORTER_OTLP_ENDPOINT is set for all programs.",
    )
    drain_seconds: float = Field(
        default=8,
        ge=0,
        le=limits.DRAIN_SECONDS,
        description="Seconds over which a process that is told to stop sends its clients away.",
    )
    websocket_writer: Literal["direct", "plain"] = Field(
        default="direct",
        description="direct writes prepared frames straight to the transport; plain goes through the ASGI "
        "server, which is slower and works with any server.",
    )

    def traces_to(self) -> str | None:
        """The address that traces are sent to; None: nothing is traced."""
        return self.otel_exporter_otlp_endpoint if self.otel_sdk_disabled == "false" else None

    def redis_secret(self) -> str | None:
        """The password of the Redis user `asgi`: REDIS_PASSWORD, else the content of REDIS_PASSWORD_FILE.

        Raises:
            ValueError: the file cannot be read.
        """
        return _secret("REDIS_PASSWORD", self.redis_password, self.redis_password_file)

    def keys(self) -> list[str]:
        """The keys that tickets may be signed with.

        Raises:
            ValueError: there is no key, or one is too short to be safe.
        """
        found = (_secret("SECRET_KEY", self.secret_key, self.secret_key_file) or "").split()
        if not found or min(map(len, found)) < KEY_CHARACTERS:
            raise ValueError(
                f"SECRET_KEY is invalid: expected a key of at least {KEY_CHARACTERS} characters, "
                "in the variable or in SECRET_KEY_FILE"
            )
        return found


def _secret(name: str, value: SecretStr | None, file: Path | None) -> str | None:
    if value or not file:
        return value.get_secret_value() if value else None
    try:
        return file.read_text().strip()
    except OSError as error:
        reason = f"expected a file that can be read, but {file} cannot: {error.strerror}"
        raise ValueError(f"{name}_FILE is invalid: {reason}") from None


@cache
def load() -> Settings:
    """The settings of this process.

    Raises:
        SystemExit: a variable is invalid; one line names it and says what was expected.
    """
    try:
        settings = Settings()
        settings.redis_secret()
        settings.keys()
        capacity.check(settings.max_sockets)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        expected = _expected(Settings.model_fields[name], first["msg"])
        raise SystemExit(f"{name.upper()} is invalid: expected {expected} (see .env.example)") from None
    except ValueError as error:
        raise SystemExit(f"{error} (see .env.example)") from None
    return settings


def _expected(field: FieldInfo, message: str) -> str:
    bounds = [getattr(rule, edge) for edge in ("ge", "le") for rule in field.metadata if hasattr(rule, edge)]
    if bounds:
        kind = "a whole number" if field.annotation is int else "a number"
        return f"{kind} from {bounds[0]} to {bounds[1]}"
    return message.removeprefix("Value error, ").removeprefix("Input should be ").replace(" should be", "")
