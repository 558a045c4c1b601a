"""What generated requests need to know that a description of single requests cannot say."""

from __future__ import annotations

import re
import secrets
from typing import Any

import schemathesis
from schemathesis.openapi.checks import UseAfterFree

# Notes whose last deletion was taken back.
restored: set[str] = set()


@schemathesis.hook
def before_call(_context: object, case: Any, _kwargs: Any) -> None:
    """Each request is a new one: with the key of another, a valid body would be refused."""
    if re.fullmatch("[!-~]{1,255}", case.headers.get("Idempotency-Key", "")):
        case.headers["Idempotency-Key"] = secrets.token_hex(8)


@schemathesis.hook
def after_call(_context: object, case: Any, response: Any) -> None:
    """Remembers which notes are there again."""
    if response.status_code != 200:
        return
    if case.method == "DELETE":
        restored.discard(case.path_parameters["note_id"])
    elif case.path.endswith("/restore"):
        restored.add(case.path_parameters["note_id"])


@schemathesis.hook
def filter_failure(_context: object, failure: Exception, case: Any, _response: object) -> bool:
    """False: the check does not know that a note is there again because its deletion was taken back."""
    return not (isinstance(failure, UseAfterFree) and case.path_parameters["note_id"] in restored)
