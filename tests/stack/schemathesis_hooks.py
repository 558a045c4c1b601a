"""What generated requests need to know that a description of single requests cannot say."""

from __future__ import annotations

import re
import secrets
from typing import Any

import schemathesis


@schemathesis.hook
def before_call(_context: object, case: Any, _kwargs: Any) -> None:
    """Each request is a new one: with the key of another, a valid body would be refused."""
    if re.fullmatch("[!-~]{1,255}", case.headers.get("Idempotency-Key", "")):
        case.headers["Idempotency-Key"] = secrets.token_hex(8)
