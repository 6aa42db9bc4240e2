"""Randomness as a value: a seeded generator whose every draw returns its successor."""

from statistics import NormalDist

from msgspec import Struct

_MASK = 2**64 - 1
_GAMMA = 0x9E3779B97F4A7C15
_STANDARD = NormalDist()


class Noise(Struct, frozen=True):
    """The state of SplitMix64 (Steele, Lea, Flood 2014)."""

    state: int


def seeded(*parts: int) -> Noise:
    """Return the generator of these numbers: its draws are the same each time, and different for others."""
    state = 0
    for part in parts:
        state = _mixed((state + _GAMMA + part) & _MASK)
    return Noise(state)


def uniform(noise: Noise) -> tuple[float, Noise]:
    """Return a number of 0 < x < 1 and the successor."""
    state = (noise.state + _GAMMA) & _MASK
    return ((_mixed(state) >> 12) + 0.5) * 2.0**-52, Noise(state)


def normal(noise: Noise) -> tuple[float, Noise]:
    """Return a standard normal number and the successor."""
    share, successor = uniform(noise)
    return _STANDARD.inv_cdf(share), successor


def _mixed(bits: int) -> int:
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)
