"""How fast a peer may go: a token bucket."""

from msgspec import Struct


class Pace(Struct, frozen=True):
    """A bucket of `burst` that fills at `rate_per_s`; `tokens` were in it at `at_s`, negative: owed."""

    rate_per_s: float
    burst: float
    tokens: float
    at_s: float


def full(rate_per_s: float, burst: float, now_s: float) -> Pace:
    """Return a full bucket."""
    return Pace(rate_per_s, burst, burst, now_s)


def take(pace: Pace, now_s: float) -> tuple[Pace, float]:
    """Return the bucket with one token less, and for how many seconds to wait until it is paid for."""
    tokens = min(pace.burst, pace.tokens + (now_s - pace.at_s) * pace.rate_per_s) - 1
    return Pace(pace.rate_per_s, pace.burst, tokens, now_s), max(0.0, -tokens / pace.rate_per_s)
