"""Which readings change the latest of a connector: the rule of save_readings, without a database."""

from datetime import timedelta

import pytest

from contracts.events import Reading
from memorybank.latest import Latest, news
from memorybank_parts import START_AT, reading

KEY = ("CP-1", 1)


def told(*readings: Reading) -> dict[tuple[str, int, str], Reading]:
    return {(*KEY, one.origin): one for one in readings}


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (None, (0, "can"), True),
        (None, (0, "ocpp"), True),
        ((5, "can"), (5, "can"), True),
        ((5, "can"), (4.9, "can"), False),
        ((5, "ocpp"), (5, "can"), True),
        ((5, "ocpp"), (4.9, "can"), False),
        ((5, "ocpp"), (5, "ocpp"), True),
        ((5, "ocpp"), (4.9, "ocpp"), False),
        ((5, "can"), (15, "ocpp"), False),
        ((5, "can"), (15.000001, "ocpp"), True),
    ],
)
def test_the_newest_stands_and_can_counts_for_ten_seconds(
    before: tuple[float, str] | None, after: tuple[float, str], changes: bool
) -> None:
    """What OCPP reports replaces CAN's only after ten seconds; of one instant the later word stands."""
    latest: Latest = {} if before is None else {KEY: (START_AT + timedelta(seconds=before[0]), before[1])}
    one = reading(after[0], 10.0, origin=after[1])
    lists = ([one], []) if after[1] == "can" else ([], [one])
    assert news(latest, told(one)) == ((*lists, {KEY: (one.at, one.origin)}) if changes else ([], [], {}))


def test_of_one_transaction_can_goes_first() -> None:
    """Both origins in one transaction: CAN's reading counts already; another connector's does not."""
    can, ocpp = reading(0, 10.0), reading(3, 11.0, origin="ocpp")
    assert news({}, told(ocpp, can)) == ([can], [], {KEY: (can.at, "can")})
    late = reading(10.5, 11.0, origin="ocpp")
    assert news({}, told(late, can)) == ([can], [late], {KEY: (late.at, "ocpp")})
    other = {("CP-1", 2): (can.at, "can")}
    assert news(other, told(ocpp)) == ([], [ocpp], {KEY: (ocpp.at, "ocpp")})
