"""Cursors and filters, without a database."""

import base64
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memorybank.errors import WrongQuestion
from memorybank.filters import Filters
from memorybank.paging import Instant, Order, Page

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ORDER = Order("things", at=Instant, name=str, id=uuid.UUID, number=int)

facts = st.fixed_dictionaries(
    {
        "at": st.datetimes(timezones=st.just(UTC)),
        "name": st.text(st.characters(exclude_categories=["Cs"])),
        "id": st.uuids(),
        "number": st.integers(-(2**63), 2**63 - 1),
        "more": st.floats(),
    }
)


@given(fact=facts)
def test_a_cursor_names_the_last_row(fact: dict[str, object]) -> None:
    """What goes in comes out, in a text that needs no escaping in a URL."""
    cursor = ORDER.page([fact, fact], 1).next
    assert cursor is not None
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    keys = ("at", "name", "id", "number")
    assert ORDER.after(cursor) == {f"after_{key}": fact[key] for key in keys}


def test_no_cursor_is_the_beginning() -> None:
    assert ORDER.after(None) == dict.fromkeys(["after_at", "after_name", "after_id", "after_number"])


def test_the_end_has_no_cursor() -> None:
    """Only a row more than asked for says that something follows."""
    assert ORDER.page([], 1).next is None
    assert ORDER.page([{"at": NOON}], 1).next is None


def test_a_page_is_its_items() -> None:
    page = Page([{"a": 1}, {"a": 2}], "x")
    assert (len(page), page[0], page[1:], list(page)) == (2, {"a": 1}, [{"a": 2}], page.items)


@given(text=st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_other_text_is_refused(text: str) -> None:
    """Nothing but WrongQuestion, whatever somebody made up."""
    with pytest.raises(WrongQuestion, match="no cursor of things"):
        ORDER.after(text)


@pytest.mark.parametrize(
    "inside",
    [
        b'["things","2026-07-01T12:00:00","a","00000000-0000-0000-0000-000000000000",1]',  # no offset
        b'["things","2026-07-01T12:00:00Z","a","00000000-0000-0000-0000-000000000000"]',
        b'["things",1,"a","00000000-0000-0000-0000-000000000000",1]',
        b"[]",
        b"{}",
    ],
)
def test_a_cursor_of_other_values_is_refused(inside: bytes) -> None:
    with pytest.raises(WrongQuestion):
        ORDER.after(base64.urlsafe_b64encode(inside).decode())


def test_the_cursor_of_another_list_is_refused() -> None:
    """Though its values would do."""
    cursor = Order("others", at=Instant).page([{"at": NOON}, {"at": NOON}], 1).next
    with pytest.raises(WrongQuestion, match="a cursor of others, not of things"):
        Order("things", at=Instant).after(cursor)


def test_a_stretch_needs_offsets_and_an_extent() -> None:
    """A time without an offset would be somebody's guess; an empty stretch is a slip."""
    with pytest.raises(WrongQuestion, match="`since` needs an offset"):
        Filters(since=datetime(2026, 7, 1))  # noqa: DTZ001 - the point
    with pytest.raises(WrongQuestion, match="`since` is not before `until`"):
        Filters(since=NOON, until=NOON)
    elsewhere = NOON.astimezone(timezone(timedelta(hours=2)))
    assert Filters(since=elsewhere, until=NOON + timedelta(seconds=1)).since == NOON


def test_a_filter_that_a_list_lacks_is_refused() -> None:
    """It is not passed over."""
    filters = Filters(charge_point_id="CP-1", kind="status_changed")
    assert filters.narrowing("events", "charge_point_id", "since", "kind") == {
        "charge_point_id": "CP-1", "since": None, "kind": "status_changed",
    }  # fmt: skip
    with pytest.raises(WrongQuestion, match="sessions cannot be filtered by kind"):
        filters.narrowing("sessions", "charge_point_id", "since", "until")
    with pytest.raises(WrongQuestion, match="gaps cannot be filtered by charge point"):
        filters.narrowing("gaps", "kind")


@pytest.mark.parametrize("kind", ["rumour", "reading", "scenario_label"])
def test_a_kind_of_event_that_there_is_not_is_refused(kind: str) -> None:
    """With those that there are; anomalies have kinds of their own."""
    filters = Filters(kind=kind)
    with pytest.raises(WrongQuestion, match=f"no kind '{kind}' of events: can_frame_seen, .*system_event$"):
        filters.narrowing("events", "kind")
    assert filters.narrowing("anomalies", "kind") == {"kind": kind}
