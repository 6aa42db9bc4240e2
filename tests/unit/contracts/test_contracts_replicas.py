"""Which CSMS replica holds a charge point."""

from collections import Counter

from contracts.replicas import address_for, holder_of

IDS = [f"CP-{number}" for number in range(1, 2001)]


def test_the_holder_never_changes():
    """Stations are configured by it, and what is stored at a replica stays there: a golden value."""
    assert [holder_of(name, 4) for name in ("CP-1", "CP-2", "CP-3", "north/7", "Säule")] == [1, 0, 3, 1, 1]


def test_each_replica_holds_about_the_same():
    """A quarter each, within six standard deviations of a fair draw (19 of 2,000)."""
    counts = Counter(holder_of(name, 4) for name in IDS)
    assert sorted(counts) == [0, 1, 2, 3]
    assert all(abs(count - 500) < 6 * 19.4 for count in counts.values())


def test_a_further_replica_takes_its_own_and_moves_no_other():
    """So that growing from 4 to 5 cuts the transactions of a fifth, not of nearly all."""
    moved = [name for name in IDS if holder_of(name, 4) != holder_of(name, 5)]
    assert 0 < len(moved) < 2000 / 5 * 1.4
    assert {holder_of(name, 5) for name in moved} == {4}


def test_the_address_of_the_holder():
    """Only `{replica}` is replaced; an address without it is everybody's."""
    assert address_for("ws://csms-{replica}.csms:9000", "CP-1", 1) == "ws://csms-0.csms:9000"
    assert address_for("ws://csms:9000", "CP-1", 4) == "ws://csms:9000"
