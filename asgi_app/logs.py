"""Logs as JSON lines on stdout."""

from __future__ import annotations

from typing import Any

from pythonjsonlogger.json import JsonFormatter

CHARACTERS = 4000


class BoundedFormatter(JsonFormatter):
    """JSON in ASCII, and no field longer than CHARACTERS, whatever a client made us say."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Leaves out the middle of what is too long: a traceback says most at its end."""
        return {name: _cut(value) if isinstance(value, str) else value for name, value in log_data.items()}


def _cut(text: str) -> str:
    half = CHARACTERS // 2
    return text if len(text) <= CHARACTERS else f"{text[:half]} ... {text[-half:]}"


def config(level: str) -> dict[str, Any]:
    """A `logging.config.dictConfig` for the whole process; `level` is that of the root logger."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "asgi_app.logs.BoundedFormatter",
                "fmt": ["levelname", "name", "message"],
                "rename_fields": {"levelname": "level", "name": "logger"},
                "static_fields": {"service": "asgi"},
                "timestamp": "time",
            }
        },
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}
        },
        "root": {"level": level.upper(), "handlers": ["stdout"]},
    }
