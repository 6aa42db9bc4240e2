"""When the last frames of one kind came."""

from array import array
from dataclasses import dataclass, field


@dataclass(slots=True)
class FrameTimes:
    """The instants of the last `count` frames, the oldest first; changed in place."""

    count: int
    at_s: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, at_s: float) -> None:
        """Take a frame's instant."""
        self.at_s.append(at_s)
        if len(self.at_s) > self.count:
            del self.at_s[0]

    def within(self, window_s: float, at_s: float) -> bool:
        """Return whether `count` of them lie within the window that ends at `at_s`."""
        return len(self.at_s) == self.count and at_s - self.at_s[0] <= window_s

    @property
    def span_s(self) -> float:
        """From the first to the last of them."""
        return self.at_s[-1] - self.at_s[0] if self.at_s else 0.0
