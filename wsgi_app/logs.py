"""Logs as JSON lines on stdout, each with the id of the request that caused it."""

from __future__ import annotations

import logging
from typing import Any

from flask import g, has_request_context

MESSAGE_CHARACTERS = 2000


class Context(logging.Filter):
    """Adds `request_id` to every record made while a request is served, and cuts what a client made long."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record."""
        message = record.getMessage()
        if len(message) > MESSAGE_CHARACTERS:
            record.msg, record.args = message[:MESSAGE_CHARACTERS] + "…", ()
        if has_request_context() and "request_id" in g:
            record.request_id = g.request_id
        return True


def config(level: str) -> dict[str, Any]:
    """A `logging.config.dictConfig` for the whole process, Gunicorn's own loggers included."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": ["levelname", "name", "message"],
                "rename_fields": {"levelname": "level", "name": "logger"},
                "static_fields": {"service": "wsgi"},
                "timestamp": "time",
            }
        },
        "filters": {"context": {"()": Context}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "json",
                "filters": ["context"],
            }
        },
        "root": {"level": level.upper(), "handlers": ["stdout"]},
        "loggers": {
            # Gunicorn gives its loggers handlers of their own; root's is enough.
            "gunicorn.error": {"level": level.upper(), "handlers": [], "propagate": True},
        },
    }
