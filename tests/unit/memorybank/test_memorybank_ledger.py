"""The bookkeeping of numbers: exactly once, in order, whatever a broker does to the batches."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memorybank.ledger import Verdict, judge


@pytest.mark.parametrize(
    ("committed", "claimed", "first_seq", "count", "verdict"),
    [
        (0, 0, 1, 5, Verdict(skip=0, committed=5)),
        (5, 0, 6, 2, Verdict(skip=0, committed=7)),
        (5, 0, 1, 5, Verdict(skip=5, committed=5, duplicates=5)),
        (5, 0, 3, 5, Verdict(skip=3, committed=7, duplicates=3)),
        (5, 0, 7, 2, Verdict(skip=2, committed=5, ahead=2)),
        (5, 9, 10, 2, Verdict(skip=0, committed=11, gap=4)),
        (5, 9, 12, 2, Verdict(skip=2, committed=9, ahead=2, gap=4)),
        (5, 9, 8, 4, Verdict(skip=2, committed=11, duplicates=2, gap=4)),
    ],
)
def test_the_verdict_on_a_batch(
    committed: int, claimed: int, first_seq: int, count: int, verdict: Verdict
) -> None:
    """What continues is stored, what overlaps in part, what comes early not, what is missing is counted."""
    assert judge(committed, claimed, first_seq, count) == verdict


@dataclass
class Link:
    """A source, a broker that loses, doubles and shuffles, and a MemoryBank, as numbers."""

    sizes: list[int]
    stored: list[int] = field(default_factory=list)
    committed: int = 0

    @property
    def batches(self) -> list[tuple[int, int]]:
        first_seq, batches = 1, []
        for size in self.sizes:
            batches.append((first_seq, size))
            first_seq += size
        return batches

    def deliver(self, index: int) -> None:
        first_seq, count = self.batches[index]
        verdict = judge(self.committed, 0, first_seq, count)
        self.stored += range(first_seq + verdict.skip, first_seq + count)
        self.committed = verdict.committed
        assert verdict.gap == 0


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.data())
def test_every_number_once_and_in_order(sizes: list[int], data: st.DataObject) -> None:
    """After any disorder, one pass in order (go-back-N's promise) leaves every number exactly once."""
    link = Link(sizes)
    for index in data.draw(st.lists(st.integers(0, len(sizes) - 1), max_size=30)):
        link.deliver(index)
    assert link.stored == list(range(1, link.committed + 1))
    for index in range(len(sizes)):
        link.deliver(index)
    assert link.stored == list(range(1, sum(sizes) + 1))


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 60), st.integers(1, 20))
def test_nothing_is_stored_twice_or_out_of_nothing(
    committed: int, claimed: int, first_seq: int, count: int
) -> None:
    """What is stored begins right after what was, gaps included, and every event is counted once."""
    verdict = judge(committed, claimed, first_seq, count)
    new = count - verdict.skip
    assert verdict.committed == committed + verdict.gap + new
    assert new + verdict.duplicates + verdict.ahead == count
    if new:
        assert first_seq + verdict.skip == committed + verdict.gap + 1
