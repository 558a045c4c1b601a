"""All settings, read from the classes that hold them; `.env.example` and the reference are written from here.

A setting is one field in one class, with its type, default, bounds and description. A setting without a
description is described by the other app, which has it too.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel

import asgi_app.settings
import wsgi_app.settings
from corkboard.settings import NUMBERS, WORDS
from local.settings import ROOT, Docker, Stack, expected

ENV_EXAMPLE = ROOT / ".env.example"
REFERENCE = ROOT / "docs" / "reference" / "settings.md"
COLUMNS = 108

APPS: tuple[type[BaseModel], ...] = (wsgi_app.settings.Settings, asgi_app.settings.Settings)
PLACES: tuple[type[BaseModel], ...] = (wsgi_app.settings.Place, asgi_app.settings.Place)
GROUPS: dict[str, tuple[type[BaseModel], ...]] = {
    "The stack": (Stack,),
    "Both apps": APPS,
    "The demo's Flask app (wsgi)": (wsgi_app.settings.Settings,),
    "The sidecar (asgi)": (asgi_app.settings.Settings,),
    "Docker only": (Docker,),
    "Set by `docker compose` and `make up`": PLACES,
}
KIT = "Set by `app.env`, for the app that imports the kit"
EXAMPLE_HEAD = """\
# Every setting, with its default. Copy this file to `.env` and uncomment what you change: `docker compose`
# and `make up` read it. A variable in the environment wins over the file; an empty one counts as absent. An
# invalid value stops the start with one line that names the variable.
#
# In production: HTTPS (docs/how-to/tls.md: COMPOSE_FILE, SITE_NAME, HTTP_PORT=80), or TRUSTED_PROXIES where
# something in front has the certificate. Put SECRET_KEY into a file, and keep RATE_LIMIT on.
#
# Written by `make settings` from the classes that local/table.py names.
"""
REFERENCE_HEAD = """\
# Settings

They come from the environment or from `.env` beside `docker-compose.yml`; [.env.example](../../.env.example)
is a file to start from. A variable in the environment wins over the file; an empty one counts as absent. An
invalid value stops the start with one line that names the variable. `make up` warns of names and lines in
`.env` that mean nothing. The last two groups have no place in `.env`.

This page is written by `make settings`.
"""


class Setting(NamedTuple):
    """One line of the table."""

    name: str
    default: str
    values: str
    description: str


def groups() -> dict[str, list[Setting]]:
    """All settings under the headings of the reference, in its order."""
    kit = [Setting(name, "", "", description) for name, description in WORDS.items()]
    for name, number in NUMBERS.items():
        short = name.removeprefix("CORKBOARD_")
        kit.append(
            Setting(name, str(number.default), "", f"The same as {short}, for an app without app.env.")
        )
    return {**{heading: list(_settings(heading)) for heading in GROUPS}, KIT: kit}


def documented() -> frozenset[str]:
    """The names of all settings."""
    return frozenset(setting.name for settings in groups().values() for setting in settings)


def env_example() -> str:
    """The text of `.env.example`."""
    parts = [EXAMPLE_HEAD]
    for heading, settings in groups().items():
        parts.append(f"# --- {heading} ".ljust(COLUMNS, "-") + "\n")
        for name, default, values, description in settings:
            lines = textwrap.wrap(description, COLUMNS - 2)
            if values:
                lines.append(f"{values[0].upper()}{values[1:]}.")
            parts.append("".join(f"# {line}\n" for line in lines) + f"#{name}={default}\n")
    return "\n".join(parts)


def reference() -> str:
    """The text of docs/reference/settings.md."""
    parts = [REFERENCE_HEAD]
    for heading, settings in groups().items():
        parts.append(f"\n## {heading}\n\n| variable | default | expected | |\n|---|---|---|---|\n")
        for name, default, values, description in settings:
            parts.append(f"| `{name}` | {default and f'`{default}`'} | {values} | {description} |\n")
    return "".join(parts)


def write() -> None:
    """Writes both files."""
    ENV_EXAMPLE.write_text(env_example())
    REFERENCE.write_text(reference())


def _settings(heading: str) -> Iterator[Setting]:
    # Own fields only: what a class inherits belongs to the heading of its base.
    shared = set.intersection(*(set(app.__annotations__) for app in APPS))
    for found in GROUPS[heading]:
        for name in found.__annotations__:
            field = found.model_fields.get(name)
            if field and field.description and (name in shared) == (GROUPS[heading] is APPS):
                yield Setting(name.upper(), _text(field.default), expected(field), field.description)


def _text(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    return "" if default is None else str(default)
