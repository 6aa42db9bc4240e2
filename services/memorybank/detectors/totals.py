"""The summed power of a fleet, second by second."""

import cmath
import math
from array import array
from dataclasses import dataclass, field


def _numbers() -> "array[float]":
    return array("d")


@dataclass(slots=True)
class Totals:
    """The sums of the last minutes, the oldest first; changed in place."""

    keep: int = 260
    """Seconds: two of the longest periods."""
    at_s: "array[float]" = field(default_factory=_numbers)
    watts: "array[float]" = field(default_factory=_numbers)

    def add(self, at_s: float, watts: float) -> None:
        """Take the sum of an instant; who shares this gives it again."""
        if self.at_s and at_s == self.at_s[-1]:
            return
        self.at_s.append(at_s)
        self.watts.append(watts)
        if len(self.at_s) > self.keep:
            del self.at_s[0], self.watts[0]

    def before(self, at_s: float) -> float:
        """Return the last sum before an instant."""
        for index in range(len(self.at_s) - 1, -1, -1):
            if self.at_s[index] < at_s:
                return self.watts[index]
        return 0.0

    def line(self, period_s: float) -> tuple[float, float]:
        """Return peak to peak of the last whole periods, and the share of their variance at that period.

        The spectral line and its first two harmonics, since a square wave has them.
        """
        now_s = self.at_s[-1] if self.at_s else 0.0
        length_s = max(1, int(self.keep / 2 / period_s)) * period_s
        points = [
            (at_s, w) for at_s, w in zip(self.at_s, self.watts, strict=True) if 0 <= now_s - at_s < length_s
        ]
        if len(points) < 4:
            return 0.0, 0.0
        watts = [w for _, w in points]
        mean_w = sum(watts) / len(watts)
        variance = sum((w - mean_w) ** 2 for w in watts) / len(watts)
        if variance <= 0.0:
            return 0.0, 0.0
        power = 0.0
        for harmonic in (1, 2, 3):
            turn = -2j * math.pi * harmonic / period_s
            amplitude = sum((w - mean_w) * cmath.exp(turn * (at_s - now_s)) for at_s, w in points) / len(
                points
            )
            power += 2 * abs(amplitude) ** 2
        return max(watts) - min(watts), min(1.0, power / variance)
