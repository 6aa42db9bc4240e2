"""What a question is about: a charge point, a stretch of time, a kind, a severity."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from memorybank.errors import WrongQuestion

SEVERITIES = ("info", "warning", "critical")
_WORDS = {"charge_point_id": "charge point", "since": "time", "until": "time"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Only what fits all of these; None: whatever it is. `since` counts in, `until` does not; both are aware.

    Raises WrongQuestion for a time without an offset, a stretch that holds nothing and a severity that there
    is not: it would find nothing, and that would be taken for an answer.
    """

    charge_point_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    kind: str | None = None
    severity: str | None = None

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            at: datetime | None = getattr(self, name)
            if at is not None and at.tzinfo is None:
                raise WrongQuestion(f"`{name}` needs an offset from UTC")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise WrongQuestion("`since` is not before `until`")
        if self.severity is not None and self.severity not in SEVERITIES:
            raise WrongQuestion(f"there is no severity {self.severity!r:.40}: {', '.join(SEVERITIES)}")

    def narrowing(self, what: str, *names: str) -> dict[str, Any]:
        """Return the values of these filters, the only ones that `what` knows.

        Raises WrongQuestion where another one is set: to pass over it would answer another question.
        """
        for field in fields(self):
            if field.name not in names and getattr(self, field.name) is not None:
                raise WrongQuestion(f"{what} cannot be filtered by {_WORDS.get(field.name, field.name)}")
        return {name: getattr(self, name) for name in names}


EVERYTHING = Filters()
