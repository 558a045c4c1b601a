"""Logs as JSON lines on stdout."""

from __future__ import annotations

import logging
from typing import Any


class Tidy(logging.Filter):
    """Drops Uvicorn's line for every handshake: it holds the query, and the query may hold a ticket."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keeps everything else, without Uvicorn's second copy of it for coloured terminals."""
        record.__dict__.pop("color_message", None)
        return not str(record.msg).startswith('%s - "WebSocket')


def config(level: str) -> dict[str, Any]:
    """A `logging.config.dictConfig` for the whole process, Uvicorn's own loggers included."""
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
        "filters": {"tidy": {"()": Tidy}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "json",
                "filters": ["tidy"],
            }
        },
        # At "debug" websockets writes down every request with all its headers, through Uvicorn's logger.
        "loggers": {"uvicorn.error": {"level": "INFO" if level == "debug" else level.upper()}},
        "root": {"level": level.upper(), "handlers": ["stdout"]},
    }
