"""The settings that concern the processes as a whole; the apps check their own."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values
from pydantic import BaseModel, Field, ValidationError

from local.errors import LocalError

ROOT = Path(__file__).resolve().parent.parent


class _Checked(BaseModel):
    http_port: int = Field(8080, ge=1, le=65535)
    asgi_replicas: int = Field(2, ge=1, le=32)
    rate_limit: int = Field(100, ge=0, le=100_000)


@dataclass(frozen=True)
class Settings:
    """`environment` is what the apps get: the caller's own variables, and below them those of `.env`."""

    http_port: int
    asgi_replicas: int
    rate_limit: int
    environment: dict[str, str]


def load(env_file: Path = ROOT / ".env") -> Settings:
    """The settings of this run; an empty variable counts as absent.

    Raises:
        LocalError: a value makes no sense. One line, with the variable's name and what is allowed.
    """
    given = {**dotenv_values(env_file, interpolate=False), **os.environ}
    environment = {name: value for name, value in given.items() if value}
    try:
        checked = _Checked.model_validate(
            {name: environment[name.upper()] for name in _Checked.model_fields if name.upper() in environment}
        )
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        lowest, highest = (getattr(rule, edge) for rule, edge in _edges(name))
        raise LocalError(
            f"{name.upper()}={environment[name.upper()]!r} makes no sense: it must be a whole number "
            f"from {lowest} to {highest} (see .env.example)",
            code=2,
        ) from None
    return Settings(checked.http_port, checked.asgi_replicas, checked.rate_limit, environment)


def _edges(name: str) -> list[tuple[object, str]]:
    rules = _Checked.model_fields[name].metadata
    return [(rule, edge) for edge in ("ge", "le") for rule in rules if hasattr(rule, edge)]


def documented() -> frozenset[str]:
    """The names of all settings, as `.env.example` lists them."""
    text = (ROOT / ".env.example").read_text()
    return frozenset(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))
