"""What every action is given besides its payload, and what it gives back."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from contracts.events import AnyEvent, SystemEvent
from contracts.ocpp_messages import Payload
from csms.authorisation import IdTag
from csms.limits import Limits
from csms.state import State
from csms.transaction import Transaction


class Context(Struct, frozen=True):
    """Who asks, when, and what the CSMS knows; `state` is the only thing that an action changes."""

    charge_point_id: str
    now: datetime
    state: State
    heartbeat_interval_s: int = 60
    accept_unknown_tags: bool = False

    @property
    def limits(self) -> Limits:
        """What this charge point was told to keep to."""
        return self.state.limits.get(self.charge_point_id)

    def tag(self, id_tag: str) -> IdTag | None:
        """Return a tag of the list, or one that a scenario shows here while it runs; else None."""
        known = self.state.id_tags.get(id_tag)
        if known is not None:
            return known
        intervention = self.state.runs.intervention(self.charge_point_id)
        is_scenarios = intervention is not None and intervention.starts_with(id_tag)
        return IdTag(id_tag=id_tag) if is_scenarios else None

    def transaction_at(self, connector: int, transaction_id: int | None) -> Transaction | None:
        """Return the transaction that a message names, or else the connector's newest active one."""
        if transaction_id is None:
            return next(reversed(self.state.transactions.active(self.charge_point_id, connector)), None)
        named = self.state.transactions.get(transaction_id)
        return named if named is not None and named.charge_point_id == self.charge_point_id else None

    def noted(self, name: str, connector: int | None = None, **detail: Any) -> SystemEvent:
        """Return the event that something worth remembering happened at this charge point."""
        return SystemEvent(
            at=self.now,
            charge_point_id=self.charge_point_id,
            connector=connector,
            service="csms",
            name=name,
            detail=detail,
        )


class Answer(Struct, frozen=True):
    """The response's payload, and the events to publish."""

    payload: Payload
    events: tuple[AnyEvent, ...] = ()
