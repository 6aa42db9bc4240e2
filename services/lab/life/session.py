"""What a driver does at a connector, from the plug to leaving."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from charger.vehicle import Vehicle

Kind: TypeAlias = Literal["dc", "ac"]


@dataclass(frozen=True, slots=True)
class LimitChange:
    """Load management: the CSMS limits the charge point to `limit_a`; None: lifts that limit again."""

    after_s: float
    """Since the plug."""
    limit_a: float | None


@dataclass(frozen=True, slots=True)
class Pause:
    """The driver stops with the tag, and starts with it again `lasts_s` later; the cable stays plugged."""

    after_s: float
    """Since the plug."""
    lasts_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A car that comes, charges and leaves; instants in seconds since the begin of what is lived.

    It is plugged at `plug_s`, the driver shows the tag `tag_after_s` later, and again when `energy_wh` flowed
    (None: never enough) or at `stop_s`. The cable is unplugged at `leave_s`.
    """

    plug_s: float
    leave_s: float
    stop_s: float
    vehicle: Vehicle | None
    """None: the car that stood there before, as it left (replugged by its driver)."""
    id_tag: str
    connector: int = 1
    tag_after_s: float = 5.0
    energy_wh: float | None = None
    kind: Kind = "dc"
    limits: tuple[LimitChange, ...] = ()
    """In order of time, before `stop_s`; with the charging they end, too."""
    pauses: tuple[Pause, ...] = ()
