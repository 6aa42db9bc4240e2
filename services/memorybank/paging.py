"""Lists a page at a time.

A cursor names the last row seen, not how many were: what is added meanwhile repeats and hides nothing.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeAlias, overload

import msgspec

from memorybank.errors import WrongQuestion

Fact: TypeAlias = dict[str, Any]
Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True)
class Page(Sequence[Fact]):
    """A part of a list; `next` is the cursor of what follows, None at the end."""

    items: list[Fact]
    next: str | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> Fact: ...
    @overload
    def __getitem__(self, index: slice) -> list[Fact]: ...
    def __getitem__(self, index: int | slice) -> Fact | list[Fact]:
        return self.items[index]


class Order:
    """How a list is sorted: by which fields of its rows, unique together, and their types."""

    def __init__(self, what: str, **keys: Any) -> None:
        self._what = what
        self._keys = tuple(keys)
        self._decoder = msgspec.json.Decoder(tuple[(str, *keys.values())])  # type: ignore[misc]

    def page(self, rows: list[Fact], limit: int) -> Page:
        """Return at most `limit` of the rows; one more than that says that something follows."""
        if len(rows) <= limit:
            return Page(rows)
        last = rows[limit - 1]
        cursor = msgspec.json.encode((self._what, *(last[key] for key in self._keys)))
        return Page(rows[:limit], base64.urlsafe_b64encode(cursor).rstrip(b"=").decode())

    def after(self, cursor: str | None) -> Fact:
        """Return what the cursor names as `after_<key>`, each None at the beginning. Raises WrongQuestion."""
        if cursor is None:
            return {f"after_{key}": None for key in self._keys}
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            what, *values = self._decoder.decode(base64.b64decode(padded, altchars="-_", validate=True))
        except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
            raise WrongQuestion(f"this is no cursor of {self._what}") from error
        if what != self._what:
            raise WrongQuestion(f"this is a cursor of {what}, not of {self._what}")
        return {f"after_{key}": value for key, value in zip(self._keys, values, strict=True)}
