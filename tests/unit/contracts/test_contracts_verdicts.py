"""A verdict of a foreign detector: taken whole, or refused with the place of what is wrong."""

import json
from datetime import UTC, datetime

import pytest

from contracts import topics
from contracts.errors import MalformedTopic, MalformedVerdict
from contracts.verdicts import MAX_EXPLANATION, MAX_VERDICT_BYTES, Verdict, decode_verdict, on_topic

SOUND = {
    "detector": "swings",
    "kind": "repeated-current-fluctuation",
    "charge_point_id": "CP-1",
    "connector": 1,
    "at": "2026-11-28T10:00:00Z",
}


def told(**changes: object) -> bytes:
    return json.dumps({**SOUND, **changes}).encode()


def test_what_is_needed_is_enough() -> None:
    assert decode_verdict(told()) == Verdict(
        detector="swings",
        kind="repeated-current-fluctuation",
        charge_point_id="CP-1",
        connector=1,
        at=datetime(2026, 11, 28, 10, tzinfo=UTC),
    )


def test_the_longest_explanation_fits() -> None:
    verdict = decode_verdict(told(explanation="\N{HIGH VOLTAGE SIGN}" * MAX_EXPLANATION, score=1e12))
    assert len(verdict.explanation) == MAX_EXPLANATION


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"detector": "a/b"}, "$.detector"),
        ({"detector": "swings\n"}, "$.detector"),
        ({"detector": "x" * 65}, "$.detector"),
        ({"kind": ""}, "$.kind"),
        ({"kind": "Swings\N{BELL}"}, "$.kind"),
        ({"charge_point_id": ""}, "$.charge_point_id"),
        ({"charge_point_id": "CP\0"}, "NUL"),
        ({"connector": -1}, "$.connector"),
        ({"connector": 256}, "$.connector"),
        ({"at": "2026-11-28T10:00:00"}, "$.at"),
        ({"at": "1980-11-28T10:00:00Z"}, "$.at"),
        ({"ended_at": "2026-11-28T09:59:59Z"}, "$.ended_at"),
        ({"ended_at": "2099-11-28T09:59:59Z"}, "$.ended_at"),
        ({"score": 1e300}, "$.score"),
        ({"score": "high"}, "$.score"),
        ({"explanation": "x" * (MAX_EXPLANATION + 1)}, "$.explanation"),
        ({"run_id": "mine"}, "run_id"),
    ],
)
def test_nonsense_is_refused_with_its_place(changes: dict[str, object], place: str) -> None:
    with pytest.raises(MalformedVerdict) as refused:
        decode_verdict(told(**changes))
    assert place in str(refused.value)


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[" * 2000, b'{"kind":"x"}', b" " * MAX_VERDICT_BYTES + told()]
)
def test_what_is_no_verdict_at_all_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedVerdict):
        decode_verdict(payload)


def test_nobody_speaks_for_another_or_about_another() -> None:
    """The access list goes by topics: what the message says must be what the topic says."""
    assert on_topic(topics.verdicts_topic("swings", "CP-1"), told()).detector == "swings"
    for topic in (topics.verdicts_topic("other", "CP-1"), topics.verdicts_topic("swings", "CP-2")):
        with pytest.raises(MalformedVerdict):
            on_topic(topic, told())


def test_a_topic_is_read_in_our_spelling_only() -> None:
    assert topics.verdict_from_topic(topics.verdicts_topic("a", "CP/1")) == ("a", "CP/1")
    for topic in ("chargebench/v1/verdicts/a", "chargebench/v1/verdicts/%61/CP-1", "x"):
        with pytest.raises(MalformedTopic):
            topics.verdict_from_topic(topic)
