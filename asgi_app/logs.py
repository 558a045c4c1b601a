"""Logs as JSON lines on stdout."""

from __future__ import annotations

from typing import Any


def config(level: str) -> dict[str, Any]:
    """A `logging.config.dictConfig` for the whole process; `level` is that of the root logger."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
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
