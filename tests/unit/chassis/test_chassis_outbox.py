"""The outbox: numbers once and for ever, keeps until committed, bounded, one owner."""

import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from chassis.outbox import Outbox, OutboxUnavailable
from contracts import events
from contracts.events import Batch, SystemEvent

SOURCE = "csms:csms-1/events/07"
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def encoded(*names: str) -> list[bytes]:
    return [events.encode_event(SystemEvent(at=AT, service="csms", name=name)) for name in names]


def kept(outbox: Outbox, source: str = SOURCE, after_seq: int = 0) -> list[Batch]:
    batches = outbox.uncommitted(source, after_seq)
    decoded = [events.decode_batch(batch.payload) for batch in batches]
    assert [batch.last_seq for batch in batches] == [batch.last_seq for batch in decoded]
    return decoded


def names_by_seq(outbox: Outbox, source: str = SOURCE) -> dict[int, str]:
    return {
        batch.first_seq + i: event.name
        for batch in kept(outbox, source)
        for i, event in enumerate(batch.events)
        if isinstance(event, SystemEvent)
    }


def boot_of(outbox: Outbox, source: str = SOURCE) -> uuid.UUID:
    return kept(outbox, source)[0].boot


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    outbox = Outbox(path)
    yield outbox
    outbox.close()


def test_events_are_numbered_from_one_without_a_gap(outbox: Outbox) -> None:
    assert outbox.append(SOURCE, encoded("a", "b"))
    assert outbox.append(SOURCE, encoded("c"))
    assert names_by_seq(outbox) == {1: "a", 2: "b", 3: "c"}
    assert outbox.last_seq(SOURCE) == 3


def test_sources_are_numbered_apart(outbox: Outbox) -> None:
    outbox.append(SOURCE, encoded("a", "b"))
    outbox.append("csms:csms-1/events/08", encoded("c"))
    assert names_by_seq(outbox, "csms:csms-1/events/08") == {1: "c"}
    assert boot_of(outbox) != boot_of(outbox, "csms:csms-1/events/08")
    assert outbox.sources() == [SOURCE, "csms:csms-1/events/08"]


def test_unknown_source_has_nothing(outbox: Outbox) -> None:
    assert outbox.uncommitted("nobody/events/00") == []
    assert outbox.last_seq("nobody/events/00") == 0
    assert not outbox.committed("nobody/events/00", uuid.uuid4(), 1)
    assert outbox.sources() == []


def test_only_what_was_not_sent_is_asked_for(outbox: Outbox) -> None:
    for name in "abcd":
        outbox.append(SOURCE, encoded(name, name))
    assert [batch.last_seq for batch in outbox.uncommitted(SOURCE, after_seq=4)] == [6, 8]
    assert [batch.last_seq for batch in outbox.uncommitted(SOURCE, limit=3)] == [2, 4, 6]


def test_committed_events_are_forgotten(outbox: Outbox) -> None:
    for name in "abc":
        outbox.append(SOURCE, encoded(name))
    assert outbox.committed(SOURCE, boot_of(outbox), 2)
    assert names_by_seq(outbox) == {3: "c"}
    assert outbox.kept_bytes == len(encoded("c")[0])


def test_word_within_a_batch_keeps_the_whole_of_it(outbox: Outbox) -> None:
    outbox.append(SOURCE, encoded("a", "b", "c"))
    assert outbox.committed(SOURCE, boot_of(outbox), 2)
    [batch] = kept(outbox)
    assert (batch.first_seq, batch.last_seq, batch.committed) == (1, 3, 2)


def test_old_word_changes_nothing(outbox: Outbox) -> None:
    """Retained words come again at each connect; a restored MemoryBank says less than before."""
    for name in "abc":
        outbox.append(SOURCE, encoded(name))
    boot = boot_of(outbox)
    outbox.committed(SOURCE, boot, 2)
    assert outbox.committed(SOURCE, boot, 1)
    [batch] = kept(outbox)
    assert (batch.first_seq, batch.committed) == (3, 2)


def test_word_about_another_boot_is_not_for_us(outbox: Outbox) -> None:
    outbox.append(SOURCE, encoded("a"))
    assert not outbox.committed(SOURCE, uuid.uuid4(), 1)
    assert names_by_seq(outbox) == {1: "a"}


def test_batches_say_what_is_committed_now(outbox: Outbox) -> None:
    """Not what was when they were kept: a MemoryBank that lost its memory expects the number after that."""
    for name in "abc":
        outbox.append(SOURCE, encoded(name))
    assert [batch.committed for batch in kept(outbox)] == [0, 0, 0]
    outbox.committed(SOURCE, boot_of(outbox), 1)
    assert [(batch.first_seq, batch.committed) for batch in kept(outbox)] == [(2, 1), (3, 1)]


def test_reopened_outbox_goes_on_where_it_was(path: Path) -> None:
    first = Outbox(path)
    first.append(SOURCE, encoded("a", "b"))
    boot, kept_bytes = boot_of(first), first.kept_bytes
    first.close()
    second = Outbox(path)
    second.append(SOURCE, encoded("c"))
    assert names_by_seq(second) == {1: "a", 2: "b", 3: "c"}
    assert boot_of(second) == boot
    assert second.kept_bytes == kept_bytes + len(encoded("c")[0])
    second.close()


def test_deleted_outbox_numbers_under_a_new_boot(path: Path) -> None:
    """Or the MemoryBank would take new events for old ones."""
    first = Outbox(path)
    first.append(SOURCE, encoded("a"))
    boot = boot_of(first)
    first.close()
    path.unlink()
    second = Outbox(path)
    second.append(SOURCE, encoded("b"))
    assert boot_of(second) != boot
    assert not second.committed(SOURCE, boot, 1)
    second.close()


def test_full_outbox_refuses_and_counts(path: Path) -> None:
    outbox = Outbox(path, max_bytes=200)
    accepted = [outbox.append(SOURCE, encoded("a", "b")) for _ in range(5)]
    assert accepted == [True, True, False, False, False]
    assert outbox.dropped == 6
    outbox.committed(SOURCE, boot_of(outbox), 2)
    assert outbox.append(SOURCE, encoded("c"))
    assert sorted(names_by_seq(outbox)) == [3, 4, 5], "dropped events never had a number"
    outbox.close()


def test_word_ahead_of_the_file_is_numbered_on_from(path: Path, tmp_path: Path) -> None:
    """A power cut took the last transactions: their numbers are the MemoryBank's already."""
    outbox = Outbox(path)
    outbox.append(SOURCE, encoded("a", "b"))
    boot = boot_of(outbox)
    outbox.close()
    before_the_cut = path.read_bytes()
    outbox = Outbox(path)
    outbox.append(SOURCE, encoded("lost by us, stored by the MemoryBank"))
    outbox.close()
    path.write_bytes(before_the_cut)
    outbox = Outbox(path)
    outbox.append(SOURCE, encoded("c", "d"))
    outbox.append(SOURCE, encoded("e"))
    assert outbox.committed(SOURCE, boot, 3)
    assert names_by_seq(outbox) == {4: "c", 5: "d", 6: "e"}
    assert outbox.last_seq(SOURCE) == 6
    assert outbox.kept_bytes == sum(map(len, encoded("c", "d", "e"))) + 1
    assert outbox.committed(SOURCE, boot, 4)
    assert [batch.first_seq for batch in kept(outbox)] == [4, 6]
    outbox.close()


def test_word_ahead_is_noticed_although_new_numbers_passed_it(path: Path) -> None:
    """Events numbered before the first word was heard were never sent: it cannot be about them."""
    outbox = Outbox(path)
    outbox.append(SOURCE, encoded("a"))
    boot = boot_of(outbox)
    outbox.close()
    outbox = Outbox(path)
    outbox.append(SOURCE, encoded("b", "c", "d", "e"))
    assert outbox.committed(SOURCE, boot, 3)
    assert names_by_seq(outbox) == {4: "b", 5: "c", 6: "d", 7: "e"}
    outbox.close()


def test_word_about_what_was_sent_is_not_ahead(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append(SOURCE, encoded("a"))
    boot = boot_of(outbox)
    outbox.close()
    outbox = Outbox(path)
    outbox.append(SOURCE, encoded("b"))
    outbox.append(SOURCE, encoded("c"))
    assert [batch.last_seq for batch in outbox.uncommitted(SOURCE, limit=2)] == [1, 2]
    assert outbox.committed(SOURCE, boot, 2)
    assert names_by_seq(outbox) == {3: "c"}
    outbox.close()


def test_full_disk_numbers_nothing_and_heals(outbox: Outbox) -> None:
    """SQLite says of a page limit what it says of a full disk."""
    outbox.append(SOURCE, encoded("a"))
    (pages,) = outbox._db.execute("PRAGMA page_count").fetchone()
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    kept_bytes = outbox.kept_bytes
    for _ in range(2):
        with pytest.raises(OutboxUnavailable, match="full"):
            outbox.append(SOURCE, encoded(*["b" * 255] * 100))
    assert (outbox.last_seq(SOURCE), outbox.kept_bytes) == (1, kept_bytes)
    outbox._db.execute("PRAGMA max_page_count = 1000000")
    assert outbox.append(SOURCE, encoded("d"))
    assert names_by_seq(outbox) == {1: "a", 2: "d"}


def test_second_owner_is_refused(outbox: Outbox, path: Path) -> None:
    """Two would number different events alike."""
    outbox.append(SOURCE, encoded("a"))
    with pytest.raises(OutboxUnavailable, match="locked"):
        Outbox(path, wait_for_owner_s=0)


def test_owner_keeps_the_file_before_it_numbered_anything(outbox: Outbox, path: Path) -> None:
    with pytest.raises(OutboxUnavailable, match="locked"):
        Outbox(path, wait_for_owner_s=0)


def test_reopened_file_is_owned_at_once(path: Path) -> None:
    Outbox(path).close()
    owner = Outbox(path)
    with pytest.raises(OutboxUnavailable, match="locked"):
        Outbox(path, wait_for_owner_s=0)
    owner.close()


@pytest.mark.parametrize("remains", [b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_broken_file_is_put_aside(path: Path, remains: bytes) -> None:
    """Rather than not to charge; the remains are there to be looked at."""
    path.parent.mkdir()
    path.write_bytes(remains)
    outbox = Outbox(path)
    assert outbox.append(SOURCE, encoded("a"))
    outbox.close()
    assert (path.parent / "outbox.sqlite.broken").read_bytes() == remains


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxUnavailable, match="file/outbox"):
        Outbox(tmp_path / "file" / "outbox.sqlite")


def test_file_of_another_program_is_not_written_to(path: Path) -> None:
    """A folder given twice by mistake: the name is taken by a database that is not ours."""
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE sources (name TEXT)")
    other.close()
    with pytest.raises(OutboxUnavailable, match=r"outbox\.sqlite"):
        Outbox(path)


moves = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 4)),
        st.tuples(st.just("commit"), st.integers(0, 30)),
        st.tuples(st.just("reopen"), st.just(0)),
    ),
    max_size=12,
)


@given(moves=moves)
@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_event_is_committed_or_kept_under_its_number(
    moves: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is appended, committed and reopened, in any order."""
    path = tmp_path_factory.mktemp("outbox") / "outbox.sqlite"
    outbox = Outbox(path)
    outbox.append(SOURCE, encoded("n1"))
    boot, numbered, committed = boot_of(outbox), 1, 0
    for move, count in moves:
        if move == "append":
            outbox.append(SOURCE, encoded(*(f"n{numbered + i + 1}" for i in range(count))))
            numbered += count
        elif move == "commit":
            kept(outbox)  # sent
            committed = max(committed, min(count, numbered))
            assert outbox.committed(SOURCE, boot, committed)
        else:
            outbox.close()
            outbox = Outbox(path)
    names = names_by_seq(outbox)
    assert set(range(committed + 1, numbered + 1)) <= names.keys()
    assert all(name == f"n{seq}" for seq, name in names.items())
    assert outbox.last_seq(SOURCE) == numbered
    outbox.close()
