"""The bookkeeping of a source's numbers: what of a batch is new, what came before, what is missing.

Sources send go-back-N: in order, and again from the first uncommitted batch when the word does not come. So
one number per (source, boot), up to where everything is stored, is all that exactly-once needs.
"""

from msgspec import Struct


class Verdict(Struct, frozen=True, gc=False):
    """What to do with a batch: store its events from index `skip` on (all skipped: none), then count."""

    skip: int
    committed: int
    """Up to where everything is stored once this batch is."""
    duplicates: int = 0
    ahead: int = 0
    gap: int = 0
    """Numbers that the source knows to be stored and that we do not have."""


def judge(committed: int, claimed: int, first_seq: int, count: int) -> Verdict:
    """Return the verdict on a batch of `count` events from `first_seq`; all up to `committed` is stored.

    `claimed` is what the source knows to be committed. More than we have means that we were restored from an
    older backup: those events are gone from its outbox, so we say how many and go on after them.
    """
    gap = max(0, claimed - committed)
    committed += gap
    if first_seq > committed + 1:
        return Verdict(skip=count, committed=committed, ahead=count, gap=gap)
    duplicates = min(count, committed + 1 - first_seq)
    return Verdict(skip=duplicates, committed=committed + count - duplicates, duplicates=duplicates, gap=gap)
