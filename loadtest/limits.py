"""Thresholds of percentiles, as they are written in locust.conf."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError

LIMIT = re.compile(r"(.+)=\s*(\d+(?:\.\d+)?)")


def limits(text: str) -> dict[str, float]:
    """Reads `GET=200, fan-out=250`: milliseconds by request type, or by the name of one line.

    Raises:
        ArgumentTypeError: it does not look like that.
    """
    found = [LIMIT.fullmatch(part.strip()) for part in text.split(",") if part.strip()]
    if not all(found):
        raise ArgumentTypeError(f"{text!r} makes no sense: write milliseconds, as in GET=200, fan-out=250")
    return {match[1].strip(): float(match[2]) for match in found if match}
