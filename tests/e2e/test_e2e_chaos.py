"""A minute of 500 events/s from real outboxes while MemoryBank, broker and PostgreSQL are killed."""

import os

import pytest

from bench import chaos

SECONDS = 60
SEED = int(os.environ.get("CHAOS_SEED", "1"))


@pytest.mark.timeout(300)
async def test_a_minute_of_random_deaths_loses_nothing_and_stores_nothing_twice() -> None:
    """Each is killed several times; the moments are the same for the same seed."""
    outcome = await chaos.run(SECONDS, SEED)
    print(f"seed {SEED}: {outcome}")
    assert outcome.told > 0.8 * chaos.EVENTS_PER_S * SECONDS
    assert min(outcome.kills.values()) >= 2
    assert (outcome.lost, outcome.duplicated) == (0, 0)
    assert outcome.wrong_sums == []
    assert outcome.crashes == []
