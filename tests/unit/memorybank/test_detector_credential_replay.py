"""One id tag at several charge points: cloned, carried from one to the next, or used from afar."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detector_parts import Told, at, command, reading, started, told

from contracts.events import FLEET, CommandSent, Event, SystemEvent, TransactionStarted
from memorybank.detector import Place
from memorybank.detectors.credential_replay import DETECTOR
from memorybank.viewer.pseudonyms import Pseudonyms


def shown(second: float, charge_point_id: str, id_tag: str = "CARD-1") -> SystemEvent:
    detail = {"id_tag": id_tag, "status": "Accepted"}
    return SystemEvent(
        at=at(second), charge_point_id=charge_point_id, service="csms", name="id_tag_shown", detail=detail
    )


def used(second: float, charge_point_id: str, id_tag: str = "CARD-1") -> TransactionStarted:
    return started(second, 1, id_tag=id_tag, charge_point_id=charge_point_id)


def asked_for(second: float, charge_point_id: str, id_tag: str = "CARD-1") -> CommandSent:
    return command(second, "RemoteStartTransaction", charge_point_id, idTag=id_tag, connectorId=1)


def seen(*events: Event) -> list[Told]:
    """Return the signs over these events, as they arrive, beside a reading a second: time passes by them."""
    readings = (reading(second + 0.5, 0.0) for second in range(400))
    return told(DETECTOR, sorted(chain(readings, events), key=lambda event: event.at), Place(FLEET, 0))


def test_a_tag_at_three_charge_points_at_once_is_told_of_with_them() -> None:
    signs = seen(shown(20.0, "CP-1"), shown(20.4, "CP-3"), used(21.2, "CP-2", "card-1"))
    assert (signs[0].sign.kind, signs[0].sign.severity) == ("credential-replay", "warning")
    assert signs[0].second <= 24.5
    sign = signs[-1].sign
    assert (sign.severity, sign.since) == ("critical", at(20.0))
    assert sign.explanation == (
        'id tag: "card-1" was shown at 3 charge points within 1.2 s (CP-1, CP-3, CP-2)'
    )
    assert sign.pattern == {"places": 3.0, "span_s": 1.2}


def test_two_charge_points_are_enough_and_many_are_named_in_part() -> None:
    assert seen(shown(20.0, "CP-1"), shown(24.0, "CP-2"))[0].sign.severity == "warning"
    many = seen(*(shown(20.0 + number / 10, f"CP-{number}") for number in range(8)))
    assert many[-1].sign.explanation.endswith(
        "8 charge points within 0.7 s (CP-0, CP-1, CP-2, CP-3, CP-4, …)"
    )


def test_the_tag_is_taken_out_of_the_sentence_with_pseudonyms() -> None:
    said = seen(shown(20.0, "CP-1"), shown(20.4, "CP-2"))[0].sign.explanation
    hidden = Pseudonyms(b"key").replace(said)
    assert "card-1" in said
    assert "card-1" not in hidden
    assert "shown at 2 charge points" in hidden


SILENT = {
    "carried to the next one": (shown(20.0, "CP-1"), shown(25.5, "CP-2"), shown(31.0, "CP-3")),
    "shown twice at one": (shown(20.0, "CP-1"), used(20.1, "CP-1"), shown(22.0, "CP-1")),
    "two drivers": (shown(20.0, "CP-1", "A"), shown(20.0, "CP-2", "B")),
    "started from afar": (
        *(asked_for(20.0, f"CP-{number}", "BENCH") for number in range(5)),
        *(shown(20.1, f"CP-{number}", "BENCH") for number in range(5)),
        *(used(20.2, f"CP-{number}", "BENCH") for number in range(5)),
    ),
    "told of afterwards that it was started from afar": (
        used(20.0, "CP-1"),
        used(20.0, "CP-2"),
        asked_for(20.5, "CP-1"),
        asked_for(22.0, "CP-2"),
    ),
    "started from afar, and plugged much later": (
        asked_for(20.0, "CP-1"),
        asked_for(60.0, "CP-2"),
        used(110.0, "CP-1"),
        used(110.0, "CP-2"),
    ),
    "no tag was told": (
        SystemEvent(at=at(20), charge_point_id="CP-1", service="csms", name="id_tag_shown", detail={}),
    ),
    "another fact": (SystemEvent(at=at(20), charge_point_id="CP-1", service="csms", name="id_tag_refused"),),
}


@pytest.mark.parametrize("events", SILENT.values(), ids=SILENT.keys())
def test_silent(events: tuple[Event, ...]) -> None:
    assert seen(*events) == []


def test_one_start_from_afar_excuses_no_card_elsewhere() -> None:
    clone = [shown(20.3, "CP-2"), shown(20.3, "CP-3")]
    signs = seen(asked_for(20.0, "CP-1"), used(20.2, "CP-1"), *clone)
    assert [sign.sign.pattern["places"] for sign in signs] == [2.0]


@given(st.lists(st.tuples(st.floats(10, 100), st.integers(1, 4)), max_size=8))
def test_it_is_told_just_when_two_charge_points_saw_it_within_a_walk(
    shows: list[tuple[float, int]],
) -> None:
    shows = [(round(second, 2), place) for second, place in shows]
    gaps_s = [abs(second - other_s) for second, place in shows for other_s, other in shows if place != other]
    nearest_s = min(gaps_s, default=float("inf"))
    signs = seen(*(shown(second, f"CP-{place}") for second, place in shows))
    if abs(nearest_s - DETECTOR.walk_s) > 0.01:
        assert bool(signs) is (nearest_s < DETECTOR.walk_s)
