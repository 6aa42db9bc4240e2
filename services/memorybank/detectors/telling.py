"""When to tell of what lasts: at once, and then again every ten seconds until it was calm for a minute."""

from dataclasses import dataclass
from datetime import UTC, datetime

from memorybank.detector import Sign

_AGAIN_S = 10.0
_CALM_S = 60.0
_STANDS_S = 75.0
"""MeterValues come once a minute at most, and some late."""


@dataclass(slots=True)
class Telling:
    """Since when something lasts and when it was told; changed in place."""

    since_s: float = 0.0
    shown_s: float = float("-inf")
    told_s: float = float("-inf")

    def is_due(self, at_s: float, since_s: float) -> bool:
        """Take note that it shows, as it has since `since_s`; return whether it must be told now."""
        if not 0.0 <= at_s - self.shown_s <= _CALM_S:
            self.since_s, self.told_s = since_s, float("-inf")
        self.shown_s = at_s
        if at_s - self.told_s < _AGAIN_S:
            return False
        self.told_s = at_s
        return True

    @property
    def since(self) -> datetime:
        """Since when it lasts."""
        return datetime.fromtimestamp(self.since_s, UTC)


@dataclass(slots=True)
class Standing:
    """What messages that come once a minute showed last: it stands until the next; changed in place."""

    sign: Sign | None = None
    shown_s: float = float("-inf")
    told_s: float = float("-inf")

    def show(self, at_s: float, sign: Sign | None) -> Sign | None:
        """Take what a message shows; return it if it is to be told now."""
        self.sign, self.shown_s = sign, at_s
        if sign is None or 0.0 <= at_s - self.told_s < _AGAIN_S:
            return None
        self.told_s = at_s
        return sign

    def again(self, now: datetime) -> Sign | None:
        """Return what stands, if it is to be told again now."""
        if self.sign is None:
            return None
        now_s = now.timestamp()
        if now_s - self.told_s < _AGAIN_S or now_s - self.shown_s > _STANDS_S:
            return None
        self.told_s = now_s
        return self.sign
