"""The id tags that the CSMS knows."""

import sqlite3

from csms.authorisation import IdTag
from csms.state.instants import from_text, to_text

_COLUMNS = "id_tag, status, expires_at, parent_id_tag, one_transaction"


class IdTagStore:
    """Table id_tags; a tag is the same in upper and lower case."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, id_tag: str) -> IdTag | None:
        """Return a tag, or None where it is not in the list."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM id_tags WHERE id_tag = ?", (id_tag,)).fetchone()  # noqa: S608 - a constant
        return _tag(row) if row else None

    def all(self) -> list[IdTag]:
        """Return the whole list in order."""
        return [_tag(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM id_tags ORDER BY id_tag")]  # noqa: S608 - a constant

    def put(self, tag: IdTag) -> None:
        """Add a tag or replace it."""
        self._db.execute(
            f"INSERT OR REPLACE INTO id_tags ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608 - a constant
            (tag.id_tag, tag.status, to_text(tag.expires_at), tag.parent_id_tag, tag.one_transaction),
        )

    def delete(self, id_tag: str) -> bool:
        """Take a tag out of the list; False where it was not in it."""
        return self._db.execute("DELETE FROM id_tags WHERE id_tag = ?", (id_tag,)).rowcount > 0


def _tag(row: tuple[str, str, str | None, str | None, int]) -> IdTag:
    id_tag, status, expires_at, parent_id_tag, one_transaction = row
    return IdTag(
        id_tag=id_tag,
        status=status,  # type: ignore[arg-type]  # only `put` writes it
        expires_at=from_text(expires_at),
        parent_id_tag=parent_id_tag,
        one_transaction=bool(one_transaction),
    )
