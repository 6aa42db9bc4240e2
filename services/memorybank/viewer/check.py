"""The recount: every number of every source against what the books say."""

from chassis.screen import Column, Screen
from chassis.terminal import plural
from memorybank.reader import Reader
from memorybank.sql import queries

_QUERIES = queries("view.sql")
_COLUMNS = (
    Column("source", "source", folds=True),
    Column("stored up to", "committed_seq", 0),
    Column("there", "rows", 0),
    Column("forgotten", "forgotten", 0, drop=2),
    Column("lost", "lost", 0),
    Column("missing", "missing", 0),
    Column("twice", "twice", 0),
    Column("beyond", "beyond", 0, drop=1),
    Column("refused again", "duplicates", 0, drop=3),
)
_WRONG = ("lost", "missing", "twice", "beyond")


def check(reader: Reader, screen: Screen) -> bool:
    """Show what the recount found; return whether every number is there exactly once.

    Reads everything: some seconds for a million events. Raises StoreUnavailable.
    """
    with reader.connection() as connection:
        counted = connection.execute(_QUERIES["recount"]).fetchall()
    screen.table("Every number, counted", _COLUMNS, counted)
    wrong = {name: sum(row[name] for row in counted) for name in _WRONG}
    is_sound = not any(wrong.values())
    if screen.is_for_people:
        numbers = plural(sum(row["committed_seq"] for row in counted), "number")
        found = ", ".join(f"{count:,} {name}" for name, count in wrong.items() if count)
        told = "each is there once" if is_sound else found
        screen.line(f"{numbers} of {plural(len(counted), 'source')}: {told}.")
    return is_sound
