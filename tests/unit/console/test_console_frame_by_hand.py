"""How many frames a person may send."""

from console.frame_by_hand import Allowance


def test_an_allowance_is_used_up_and_comes_back() -> None:
    """So many at once, then so many a second, and never more than at once after a rest."""
    allowance = Allowance(burst=3, per_s=2.0)
    assert [allowance.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [allowance.take(10.5), allowance.take(10.5)] == [True, False]
    assert [allowance.take(100.0) for _ in range(4)] == [True, True, True, False]
