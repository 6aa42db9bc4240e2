"""When to tell of what lasts: at once, and then again every ten seconds until it was calm for a minute."""

from dataclasses import dataclass
from datetime import UTC, datetime

_AGAIN_S = 10.0
_CALM_S = 60.0


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
