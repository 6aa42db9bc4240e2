"""Exact intervals: of a share (Clopper and Pearson 1934) and of a rate (Garwood 1936). 95 % each."""

from typing import Any

CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2


def of_share(found: int, of: int) -> tuple[float, float]:
    """Return the interval of a probability of which `found` of `of` independent tries came true."""
    if not 0 <= found <= of:
        raise ValueError(f"{found} of {of} is no share")
    if of == 0:
        return 0.0, 1.0
    special = _special()
    low = 0.0 if found == 0 else float(special.betaincinv(found, of - found + 1, _TAIL))
    high = 1.0 if found == of else float(special.betaincinv(found + 1, of - found, 1 - _TAIL))
    return low, high


def of_rate(count: int, exposure: float) -> tuple[float, float]:
    """Return the interval of a Poisson rate, per unit of `exposure`, of which `count` were seen.

    None seen bounds it from above by 3.0 (one-sided 95 %) or 3.7 (two-sided, as here) per exposure.
    """
    if count < 0 or exposure <= 0:
        raise ValueError(f"{count} in {exposure:g} is no rate")
    special = _special()
    low = 0.0 if count == 0 else float(special.gammaincinv(count, _TAIL))
    high = float(special.gammaincinv(count + 1, 1 - _TAIL))
    return low / exposure, high / exposure


def _special() -> Any:
    from scipy import special  # noqa: PLC0415 - its extra is for scores alone; scipy.stats takes seconds

    return special
