"""Instants as OCPP wants them: UTC, ending in `Z` (some central systems refuse `+00:00`). Pure."""

from datetime import UTC, datetime

_FIRST_YEAR, _LAST_YEAR = 1990, 2190


def text(at: datetime) -> str:
    """Return an aware instant as `2026-01-31T12:00:00.000Z`."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse(value: str) -> datetime:
    """Return the aware instant in an ISO 8601 text; one without an offset is UTC.

    Raises ValueError for anything else, and for years in which sums would leave the calendar.
    """
    at = _aware(value)
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise ValueError(f"the year {at.year} is out of range")
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def parse_bound(value: str) -> datetime:
    """Return the instant at which something begins or ends to hold; raises ValueError for what is none.

    The year 9999 is many a central system's word for "never": what `parse` finds out of range is the last or
    the first instant in it.
    """
    at = _aware(value)
    if at.year > _LAST_YEAR:
        return datetime(_LAST_YEAR, 12, 31, tzinfo=UTC)
    return datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC) if at.year < _FIRST_YEAR else at.astimezone(UTC)


def _aware(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
