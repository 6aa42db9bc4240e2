"""What every action is given besides its payload, and what it gives back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.events import AnyEvent, SystemEvent
from contracts.ocpp_messages import Payload
from csms.state import State


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, when, and what the CSMS knows; `state` is the only thing that an action changes."""

    charge_point_id: str
    now: datetime
    state: State
    heartbeat_interval_s: int = 60
    accept_unknown_tags: bool = False

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


@dataclass(frozen=True, slots=True)
class Answer:
    """The response's payload, and the events to publish."""

    payload: Payload
    events: tuple[AnyEvent, ...] = ()
