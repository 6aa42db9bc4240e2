"""When rollups are due, just after each 10 s of the clock, and whose turn it is."""

from collections.abc import Sequence

import pytest

from memorybank import rollup


@pytest.mark.parametrize(
    ("now_s", "due_s"),
    [(1_700_000_000.0, 1.5), (1_700_000_001.4, 0.1), (1_700_000_001.5, 10.0), (1_700_000_009.0, 2.5)],
)
def test_rollups_are_due_when_a_stretch_is_over_and_has_arrived(now_s: float, due_s: float) -> None:
    """Never at once: what was rolled up a moment ago waits for the next stretch."""
    assert rollup.due_in_s(now_s) == pytest.approx(due_s, abs=1e-6)


@pytest.mark.parametrize("partitions", [range(16), range(3), [7]])
def test_everybody_has_a_turn_in_a_round(partitions: Sequence[int]) -> None:
    """With one partition a turn is a round; what a turn left stands until its next."""
    turns = rollup.Turns(partitions)
    for left in (5, 0):
        seen: list[int] = []
        over = False
        while not over:
            seen += turns.partitions
            over = turns.taken(left)
        assert sorted(seen) == list(partitions)
        assert turns.left == left * len(turns)
