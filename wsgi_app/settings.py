"""What can be set from outside: each field is an environment variable of the same name in capitals.

Where Redis is, and the key that signs tickets, are settings of the kit: corkboard/settings.py.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

import corkboard.settings
import traces
from corkboard.settings import KEY_CHARACTERS
from wsgi_app import capacity


def _split(value: str | tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    parts = (piece.strip() for piece in value.split(","))
    return () if value == "none" else tuple(part for part in parts if part)


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Place(BaseSettings):
    """Where this process listens. `docker compose` and `make up` set all of it."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    wsgi_bind: str = Field(default="0.0.0.0:8000", description="The address and port that Flask listens on.")
    wsgi_metrics_port: int = Field(
        default=9100,
        ge=1,
        le=65535,
        description="The port of Flask's /metrics, which nginx does not publish.",
    )
    socket_folder: Path | None = None
    session_key: SecretStr | None = Field(
        default=None,
        description="Signs the sessions of the demo's visitors; at least 32 characters. No other service "
        "has it.",
    )
    session_key_file: Path | None = Field(default=None, description="A file that holds that key.")


class Settings(Place):
    """The app's configuration, read once from the environment. An empty variable counts as absent."""

    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    public_topics: CommaSeparated = ("board:*",)
    otel_exporter_otlp_endpoint: Annotated[str, AfterValidator(traces.receiver)] | None = None
    otel_sdk_disabled: Annotated[Literal["true", "false"], BeforeValidator(str.lower)] = "false"
    wsgi_workers: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Processes. One per core is best: each then stays on its core. More only help "
        "while the cores are idle.",
    )
    wsgi_threads: int = Field(
        default=32,
        ge=1,
        le=256,
        description="Threads per process: how many requests it can hold. Three quarters of them may wait for "
        "Redis.",
    )

    max_boards: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Boards that the demo may have; more are refused with 507. One without notes gives "
        "way, and its history is forgotten.",
    )
    max_notes_per_board: int = Field(
        default=100_000,
        ge=1,
        le=10_000_000,
        description="Notes that a board of the demo may hold; a further one is refused with 507.",
    )

    def traces_to(self) -> str | None:
        """The address that traces are sent to; None: nothing is traced."""
        return self.otel_exporter_otlp_endpoint if self.otel_sdk_disabled == "false" else None

    def redis_connections(self) -> int:
        """How many of a process' threads may wait for Redis. The others answer what needs no Redis."""
        return max(1, self.wsgi_threads * 3 // 4)

    def keys(self) -> list[str]:
        """The keys of sessions: the first signs, all are accepted.

        Raises:
            ValueError: there is no key, or one is too short to be safe.
        """
        found = self._session_key().split()
        if not found or min(map(len, found)) < KEY_CHARACTERS:
            raise ValueError(
                f"SESSION_KEY is invalid: expected a key of at least {KEY_CHARACTERS} characters, "
                "in the variable or in SESSION_KEY_FILE"
            )
        return found

    def _session_key(self) -> str:
        if self.session_key or not self.session_key_file:
            return self.session_key.get_secret_value() if self.session_key else ""
        try:
            return self.session_key_file.read_text()
        except OSError as error:
            reason = f"{self.session_key_file} cannot: {error.strerror}"
            raise ValueError(
                f"SESSION_KEY_FILE is invalid: expected a file that can be read, but {reason}"
            ) from None


@cache
def load() -> Settings:
    """The settings of this process. Those of the kit are checked as well.

    Raises:
        SystemExit: a variable is missing or invalid; one line names it.
    """
    try:
        settings = Settings()
        settings.keys()
        capacity.check(settings.wsgi_workers, settings.wsgi_threads)
        corkboard.settings.load().signing_key  # noqa: B018
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]).upper()
        problem = first["msg"].removeprefix("Value error, ").replace("Input should", "it should")
        raise SystemExit(f"{name} is invalid: {problem} (see .env.example)") from None
    except (ValueError, corkboard.NotConfigured) as error:
        raise SystemExit(f"{error} (see .env.example)") from None
    return settings
