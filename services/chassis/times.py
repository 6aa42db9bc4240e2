"""Instants as people type them."""

import re
from datetime import UTC, datetime, timedelta

TIMES = "2026-11-22, 2026-11-22T13:05:00Z, or ago: 15m, 2h, 3d"
"""Examples of what `instant` reads."""

_AGO = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def instant(text: str, now: datetime) -> datetime:
    """Return the instant that a text names: ISO 8601 (UTC where it has no offset), or ago, e.g. 15m, 2h, 3d.

    Raises ValueError and, for what is before all times, OverflowError.
    """
    if ago := _AGO.fullmatch(text.strip()):
        return now - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
    at = datetime.fromisoformat(text.strip())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
