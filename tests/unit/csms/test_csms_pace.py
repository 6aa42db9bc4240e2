"""The token bucket."""

from hypothesis import given
from hypothesis import strategies as st

from csms import pace


def test_a_burst_passes_at_once_and_the_rest_waits():
    bucket = pace.full(rate_per_s=10, burst=3, now_s=0)
    waits = []
    for _ in range(5):
        bucket, wait_s = pace.take(bucket, 0)
        waits.append(wait_s)
    assert waits == [0, 0, 0, 0.1, 0.2]


@given(st.lists(st.floats(min_value=0, max_value=10), max_size=50))
def test_who_waits_as_told_never_exceeds_the_rate(pauses):
    """In any order of arrivals, n messages take at least (n - burst) / rate seconds."""
    now_s, bucket = 0.0, pace.full(rate_per_s=5, burst=2, now_s=0)
    for number, pause in enumerate(pauses, 1):
        now_s += pause
        bucket, wait_s = pace.take(bucket, now_s)
        now_s += wait_s
        assert now_s >= (number - 2) / 5 - 1e-6
