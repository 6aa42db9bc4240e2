"""Instants as the state file keeps them: texts of one length in UTC, so that they sort as they happened."""

from datetime import UTC, datetime
from typing import overload


@overload
def to_text(at: datetime) -> str: ...
@overload
def to_text(at: None) -> None: ...
def to_text(at: datetime | None) -> str | None:
    """Return the text of an instant."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")


@overload
def from_text(text: str) -> datetime: ...
@overload
def from_text(text: None) -> None: ...
def from_text(text: str | None) -> datetime | None:
    """Return the instant of a text that `to_text` made."""
    return None if text is None else datetime.fromisoformat(text)
