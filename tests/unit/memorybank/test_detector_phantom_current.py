"""Currents that no transaction accounts for, and those that one does."""

from collections.abc import Iterator

from tests.detector_parts import at, reading, told

from contracts.events import Event, SystemEvent
from memorybank.detectors.phantom_current import DETECTOR


def flow(since_s: int, until_s: int, current_a: float = 60.0, number: int | None = None) -> Iterator[Event]:
    for second in range(since_s, until_s):
        yield reading(second, current_a, voltage_v=400.0, transaction_id=number)


def word(second: float, name: str) -> SystemEvent:
    return SystemEvent(at=at(second), charge_point_id="CP-1", service="chargepoint", name=name)


def test_a_current_without_a_transaction_is_told_after_eight_seconds_and_again() -> None:
    signs = told(DETECTOR, [word(-30.0, "csms_connected"), *flow(0, 10, 0.0), *flow(10, 40)])
    assert [one.second for one in signs] == [18.0, 28.0, 38.0]
    assert signs[0].sign.since == at(10.0)
    assert signs[0].sign.explanation == (
        "60 A flow and have for 8 s, 53 Wh so far, with no transaction at the connector"
    )
    assert [one.sign.severity for one in signs] == ["warning", "critical", "critical"]


def test_who_joins_midway_does_not_know_whether_transactions_have_numbers() -> None:
    """Nor does who reads a CAN log. One that had a number is enough."""
    assert not told(DETECTOR, flow(0, 60))
    assert told(DETECTOR, [*flow(0, 5, number=7), *flow(5, 60)])


def test_a_transaction_accounts_for_its_current() -> None:
    assert not told(DETECTOR, flow(0, 60, number=7))


def test_a_number_may_come_late() -> None:
    assert not told(DETECTOR, [word(-30.0, "csms_connected"), *flow(0, 7), *flow(7, 60, number=7)])


def test_what_comes_down_after_a_transaction_is_its_end() -> None:
    for amperes_per_s in (1.0, 8.0, 16.0):
        falling = [reading(10.0 + second, max(0.0, 280.0 - amperes_per_s * second)) for second in range(300)]
        assert not told(DETECTOR, [*flow(0, 10, 280.0, 7), *falling])


def test_noise_is_no_current() -> None:
    assert not told(DETECTOR, [word(-30.0, "csms_connected"), *flow(0, 60, 1.4)])


def test_while_the_csms_is_away_no_transaction_has_a_number() -> None:
    away = [word(5.0, "csms_lost"), *flow(6, 60), word(60.0, "csms_connected"), *flow(61, 70)]
    assert not told(DETECTOR, away)
    assert told(DETECTOR, [*away, *flow(70, 90)])
