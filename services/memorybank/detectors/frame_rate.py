"""How densely frames come: a bucket that each one fills and time empties."""

from dataclasses import dataclass

_LONG_S = 60.0


@dataclass(slots=True)
class FrameRate:
    """Changed in place. `leak_per_s`: so many frames a second are usual and let the bucket run empty."""

    level: float = 0.0
    at_s: float = float("-inf")
    """When the last one came."""
    gap_s: float = 1.0
    """The mean of the last gaps between them, fading."""

    def add(self, at_s: float, leak_per_s: float, most: float) -> None:
        """Take a frame; the bucket holds `most`, so that it is soon empty when too many come no more."""
        gap_s = at_s - self.at_s
        self.at_s = at_s
        level = self.level - gap_s * leak_per_s + 1.0
        if level <= 1.0 or gap_s < 0.0:
            level = 1.0
        elif level > most:
            level = most
        self.level = level
        if 0.0 <= gap_s < _LONG_S:
            self.gap_s += (gap_s - self.gap_s) * 0.2

    def exceeds(self, level: float, at_s: float, leak_per_s: float) -> bool:
        """Return whether the bucket is fuller than that at an instant."""
        return self.level > level and self.level - (at_s - self.at_s) * leak_per_s > level
