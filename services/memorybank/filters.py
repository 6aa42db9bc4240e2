"""What a question is about: a charge point, a stretch of time, a kind, a severity, a pattern."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from contracts.events import SEVERITIES, AnyEvent, Reading, ScenarioLabel
from memorybank.errors import WrongQuestion

EVENT_KINDS = tuple(
    str(event.__struct_config__.tag)
    for event in get_args(AnyEvent)
    if event not in (Reading, ScenarioLabel)  # in tables of their own
)
_KINDS = {"events": EVENT_KINDS, "followed events": EVENT_KINDS}
"""Of what has no others; anomalies have as many as there are detectors."""
_WORDS = {"charge_point_id": "charge point", "since": "time", "until": "time", "pattern_id": "pattern"}


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
    pattern_id: UUID | None = None

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

        Raises WrongQuestion where another one is set: to pass over it would answer another question. Also for
        a kind of event that there is not.
        """
        for field in fields(self):
            if field.name not in names and getattr(self, field.name) is not None:
                raise WrongQuestion(f"{what} cannot be filtered by {_WORDS.get(field.name, field.name)}")
        kinds = _KINDS.get(what)
        if self.kind is not None and kinds is not None and self.kind not in kinds:
            raise WrongQuestion(f"there is no kind {self.kind!r:.40} of events: {', '.join(kinds)}")
        return {name: getattr(self, name) for name in names}


EVERYTHING = Filters()
