"""What a real memory holds comes back as the events that it was told, in the order in which they happened."""

import asyncio
from datetime import timedelta
from operator import attrgetter

import pytest

from contracts.events import CommandSent, ScenarioLabel
from lab.replay import memory
from memorybank.errors import WrongQuestion
from memorybank.filters import EVERYTHING, Filters
from memorybank.reader import Reader
from memorybank_parts import START_AT, note, reading
from real_parts import Postgres
from remembered import remember

COMMAND = CommandSent(
    at=START_AT + timedelta(seconds=2.5),
    charge_point_id="CP-1",
    connector=1,
    command="SetChargingProfile",
    parameters={"connectorId": 1, "csChargingProfiles": {"stackLevel": 0}},
    outcome="Accepted",
)
HAPPENED = [
    reading(1, 10.0, soc_percent=41.5, transaction_id=7),
    reading(3, 12.0, origin="ocpp", commanded_a=100.0, acknowledged_a=None),
    COMMAND,  # late: it comes in its order
    note(4000),
    reading(5, 0.0, charge_point_id="CP-2"),
]


@pytest.fixture
def remembering(postgres: Postgres) -> Postgres:
    asyncio.run(remember(postgres.writer_url, HAPPENED))
    return postgres


def replayed(remembering: Postgres, filters: Filters = EVERYTHING) -> list[object]:
    with Reader(remembering.reader_url) as reader:
        return list(memory.events(reader, filters))


def test_everything_comes_back_as_it_was(remembering: Postgres) -> None:
    assert replayed(remembering) == sorted(HAPPENED, key=attrgetter("at"))


def test_a_charge_point_and_a_stretch_of_time(remembering: Postgres) -> None:
    until = START_AT + timedelta(seconds=3)
    found = replayed(remembering, Filters(charge_point_id="CP-1", until=until))
    assert found == [HAPPENED[0], COMMAND]


def test_what_it_cannot_be_narrowed_by_is_refused(remembering: Postgres) -> None:
    with pytest.raises(WrongQuestion, match="a replay cannot be filtered by kind"):
        replayed(remembering, Filters(kind="reading"))


def test_the_truth_does_not_come_back(remembering: Postgres) -> None:
    assert not [event for event in replayed(remembering) if isinstance(event, ScenarioLabel)]
