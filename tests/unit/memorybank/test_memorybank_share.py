"""Shares of the work: every partition in exactly one, whatever their number."""

import pytest

from contracts import topics
from memorybank import share
from memorybank.share import Share


@pytest.mark.parametrize("of", range(1, topics.PARTITIONS + 1))
def test_shares_are_all_and_apart(of: int) -> None:
    """Each of the partitions is in one share, and no share is empty."""
    shares = [Share(number, of) for number in range(1, of + 1)]
    assert sorted(partition for each in shares for partition in each.partitions) == list(range(16))
    assert all(each.partitions for each in shares)
    assert len({each.client_id for each in shares}) == of


def test_a_share_is_written_as_a_fraction() -> None:
    """Number and of how many."""
    assert Share.parse("2/4") == Share(2, 4)
    assert Share.parse("2/4").partitions == (1, 5, 9, 13)
    assert Share.parse("1/1").client_id == "memorybank"
    assert Share.parse("2/4").client_id == "memorybank-2-of-4"


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/17", "a/b", "1/2/3", "-1/2", "1/0", " 1/2"])
def test_what_is_no_share_is_refused(text: str) -> None:
    """With what was given and how it is written."""
    complaint = share.complaint(text)
    assert complaint is not None
    assert repr(text) in complaint
    assert "1/2" in complaint


def test_a_share_hears_its_partitions_on_both_channels() -> None:
    """Of every source; one share of all needs two filters only."""
    assert Share(16, 16).subscriptions == (
        ("chargebench/v1/events/15/+/+", 1),
        ("chargebench/v1/truth/15/+/+", 1),
    )
    assert Share().subscriptions == ((topics.ALL_EVENTS, 1), (topics.ALL_TRUTH, 1))
