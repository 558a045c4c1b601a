"""Everything that can be set from outside; `.env.example` documents each variable."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, RedisDsn, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

KEY_CHARACTERS = 32


def _without_password(url: RedisDsn) -> RedisDsn:
    if url.password or url.username:
        raise ValueError("must hold no user or password; put the password into REDIS_PASSWORD_FILE")
    return url


def _split(value: str | tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return tuple(part for part in (piece.strip() for piece in value.split(",")) if part)


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Place(BaseSettings):
    """Where this process listens and where Redis is. `docker compose` and `make up` set all of it."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    redis_url: Annotated[RedisDsn, AfterValidator(_without_password)] = RedisDsn("redis://127.0.0.1:6379/0")
    redis_password: SecretStr | None = None
    redis_password_file: Path | None = None
    wsgi_bind: str = Field(default="0.0.0.0:8000", description="The address and port that Flask listens on.")
    wsgi_metrics_port: int = Field(
        default=9100,
        ge=1,
        le=65535,
        description="The port of Flask's /metrics, which nginx does not publish.",
    )


class Settings(Place):
    """The app's configuration, read once from the environment. An empty variable counts as absent."""

    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    secret_key: SecretStr | None = None
    secret_key_file: Path | None = None
    public_topics: CommaSeparated = ("board:*",)
    functions_file: Path = Path(__file__).parent.parent / "corkboard" / "functions.lua"
    wsgi_workers: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Processes. About one per core; more only help while the cores are idle.",
    )
    wsgi_threads: int = Field(
        default=8,
        ge=1,
        le=256,
        description="Threads per process: how many requests it can hold while they wait for Redis.",
    )
    ticket_seconds: int = Field(
        default=3600,
        ge=10,
        le=30 * 24 * 3600,
        description="Seconds that a ticket is valid. A socket ends with its ticket and comes back with a "
        "new one.",
    )
    history_length: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Events kept per topic: how long a client may be away and still get all it missed. Each "
        "costs about as much memory as its JSON.",
    )

    def redis_secret(self) -> str | None:
        """The password of the Redis user `wsgi`: from its file when there is one, else the variable.

        Raises:
            ValueError: the file cannot be read.
        """
        return _secret("REDIS_PASSWORD", self.redis_password, self.redis_password_file)

    def keys(self) -> list[str]:
        """The keys that sign sessions and tickets: the first signs, all are accepted.

        One a line. To rotate: put the new one first, restart, and drop the old one a day later.

        Raises:
            ValueError: there is none, or one is too short to be safe.
        """
        found = (_secret("SECRET_KEY", self.secret_key, self.secret_key_file) or "").split()
        if not found or min(map(len, found)) < KEY_CHARACTERS:
            raise ValueError(f"SECRET_KEY or SECRET_KEY_FILE must hold a key of {KEY_CHARACTERS} characters")
        return found


def _secret(name: str, value: SecretStr | None, file: Path | None) -> str | None:
    if value or not file:
        return value.get_secret_value() if value else None
    try:
        return file.read_text().strip()
    except OSError as error:
        raise ValueError(f"{name}_FILE: cannot read {file}: {error.strerror}") from None


@cache
def load() -> Settings:
    """The settings of this process.

    Raises:
        SystemExit: with one line that names the variable that is invalid.
    """
    try:
        settings = Settings()
        settings.redis_secret()
        settings.keys()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]).upper()
        problem = first["msg"].removeprefix("Value error, ").replace("Input should", "it should")
        raise SystemExit(f"{name} is invalid: {problem} (see .env.example)") from None
    except ValueError as error:
        raise SystemExit(f"{error} (see .env.example)") from None
    return settings
