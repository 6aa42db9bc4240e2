"""Instants as OCPP wants them: UTC, ending in `Z` (some central systems refuse `+00:00`). Pure."""

from datetime import UTC, datetime


def text(at: datetime) -> str:
    """Return an aware instant as `2026-01-31T12:00:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse(value: str) -> datetime:
    """Return the aware instant in an ISO 8601 text; one without an offset is UTC.

    Raises ValueError for anything else, and for years in which sums would leave the calendar.
    """
    at = datetime.fromisoformat(value)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    if not 1990 <= at.year <= 2190:
        raise ValueError(f"the year {at.year} is out of range")
    return at.astimezone(UTC)
