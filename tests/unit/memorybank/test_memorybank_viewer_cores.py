"""The viewer's pure parts: times, pseudonyms, sparklines, which columns fit."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.screen import Column, fitting
from chassis.terminal import sparkline
from chassis.times import instant
from memorybank.viewer.pseudonyms import Pseudonyms

NOW = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("15m", NOW - timedelta(minutes=15)),
        ("1.5h", NOW - timedelta(hours=1.5)),
        ("3d", NOW - timedelta(days=3)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T12:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22 12:00:00.5Z", datetime(2026, 11, 22, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-22T12:00+02:00", datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_times(text: str, at: datetime) -> None:
    """Ago counts from now; without an offset it is UTC."""
    assert instant(text, NOW) == at


@given(st.text(max_size=20))
def test_no_text_is_a_time_by_accident(text: str) -> None:
    """It is an aware instant, or refused."""
    with contextlib.suppress(ValueError, OverflowError):
        assert instant(text, NOW).tzinfo is not None


def test_pseudonyms_replace_tags_wherever_they_stand() -> None:
    """In fields, in lists, in texts that hold JSON, in what quotes a message; the rest is as it was."""
    names = Pseudonyms(b"key")
    name = names.of("BENCH")
    message = {
        "action": "StartTransaction",
        "payload": {"idTag": "BENCH", "meterStart": 5, "connectorId": 1},
        "list": [{"idTagInfo": {"parentIdTag": "BENCH", "status": "Accepted"}}],
        "id_tag": "BENCH",
        "data": '{"idTag": "BENCH", "n": 1}',
        "errorDescription": "'BENCH' is too long",
        "reason": "Local",
        "nothing": None,
    }
    assert names.replace(message) == {
        "action": "StartTransaction",
        "payload": {"idTag": name, "meterStart": 5, "connectorId": 1},
        "list": [{"idTagInfo": {"parentIdTag": name, "status": "Accepted"}}],
        "id_tag": name,
        "data": f'{{"idTag": "{name}", "n": 1}}',
        "errorDescription": '"…" is too long',
        "reason": "Local",
        "nothing": None,
    }
    assert names.replace(r"{\"idTag\": \"BENCH\"}") == rf"{{\"idTag\": \"{name}\"}}"


@pytest.mark.parametrize(
    "message",
    [
        {"idTag": 1234567},
        {"idTag": ["1234567"]},
        {"idTag": {"value": "1234567"}},
        {"id-tag": "1234567"},
        {"errorDescription": "idTag 1234567 is too long"},
        {"errorDescription": "can't take '1234567'"},
        {"errorDescription": """Payload '{"idTag": "1234567"""},
        {"errorDetails": {"cause": "Payload {'idTag': '1234567'} is not valid"}},
        {"errorDetails": {"idTag": "1234567"}},
        {"errorDetails": [{"idTag": 1234567}]},
        {"data": '{"idTag": 1234567}'},
        {"data": '{"idTag": ["1234567"]}'},
        {"data": "{'idTag': '1234567'}"},
        {"data": "idTag=1234567&connector=1"},
        {"data": "<idTag>1234567</idTag>"},
        {"data": '{"idTag": "x\\"1234567"'},
    ],
)
def test_pseudonyms_replace_what_is_no_proper_tag(message: dict[str, object]) -> None:
    """A peer may send any JSON and quote it as it likes: as a number, cut off, as Python or XML has it."""
    assert "1234567" not in json.dumps(Pseudonyms(b"key").replace(message))


def test_pseudonyms_leave_other_texts() -> None:
    """Also such as speak of tags."""
    message = {
        "idTagInfo": {"status": "Accepted"},
        "data": '{"idTagInfo":{"status":"Blocked"}}',
        "tag": "Rfid",
    }
    assert Pseudonyms(b"key").replace(message) == message


@given(st.text(min_size=1, max_size=20), st.binary(min_size=1), st.binary(min_size=1))
def test_a_pseudonym_depends_on_tag_and_key(tag: str, key: bytes, other: bytes) -> None:
    """The same for the same key, as long as OCPP allows, and another for another key."""
    name = Pseudonyms(key).of(tag)
    assert name == Pseudonyms(key).of(tag)
    assert len(name) == 20
    # HMAC fills short keys with zeros.
    assert (name == Pseudonyms(other).of(tag)) == (key.rstrip(b"\0") == other.rstrip(b"\0")) or len(key) > 64


def test_a_pseudonym_is_the_same_in_capitals() -> None:
    """As OCPP's id tags are."""
    names = Pseudonyms(b"key")
    assert names.of("Tag") == names.of("TAG") != names.of("TAG2")


def test_sparkline() -> None:
    """From 0 to the highest of all; what is beyond is cut off, what is not there is blank."""
    assert sparkline([0, 50, 100, None, 200, -1], 100) == "▁▅█ █▁"
    assert sparkline([0.0, None], 0.0) == "▁ "


def test_columns_fit_by_leaving_out_the_least_important() -> None:
    """In the order of `drop`; what has none stays, however narrow it is."""
    a, b, c = Column("a", "a"), Column("b", "b", drop=2), Column("c", "c", drop=1)
    widths = {a: 10, b: 10, c: 10}
    assert fitting(widths, 40) == ([a, b, c], [])
    assert fitting(widths, 39) == ([a, c], [b])
    assert fitting(widths, 20) == ([a], [b, c])
    assert fitting(widths, 1) == ([a], [b, c])
