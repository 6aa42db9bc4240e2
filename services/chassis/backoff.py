"""How long to wait before the next try."""

import random
from collections.abc import Iterator

_CHANCE = random.Random()


def delays_s(
    first_s: float = 0.5, longest_s: float = 30.0, rng: random.Random | None = None
) -> Iterator[float]:
    """Yield delays that double up to `longest_s`, each drawn between half and the whole of it.

    The jitter spreads a fleet that lost the same peer at the same moment.
    """
    rng = rng or _CHANCE
    delay_s = first_s
    while True:
        yield rng.uniform(delay_s / 2, delay_s)
        delay_s = min(delay_s * 2, longest_s)
