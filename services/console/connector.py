"""One connector: what its bus, its module and the CSMS say of it, and how the page is told."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from msgspec import Struct

from console import window
from console.window import EMPTY, Sample, Statistics, Window
from contracts import can_frames
from contracts.backplane import LEASE_TIMEOUT_S
from contracts.can_frames import Current, Faults, Frame, ModuleState, Output, Status, Thermal

_SAME_CYCLE_S = 0.9

Key: TypeAlias = tuple[str, int]
Bus: TypeAlias = Literal["live", "silent", "lost", "none"]
"""live: readings come; silent: leased, no reading; lost: lease not renewed; none: never heard on CAN."""


class CsmsView(Struct, frozen=True, kw_only=True):
    """A connector as the CSMS knows it."""

    connected: bool
    enrolled: bool
    status: str | None
    error_code: str | None
    transaction_id: int | None
    scenario: str | None


class ConnectorView(Struct, frozen=True, kw_only=True):
    """A connector as the page is told of it; `samples` are the new (at_s, current_a, offered_a)."""

    charge_point_id: str
    connector: int
    bus: Bus
    bus_port: int | None
    statistics: Statistics
    module_state: str | None
    faults: list[str]
    voltage_v: float | None
    temperature_c: float | None
    soc_percent: float | None
    csms: CsmsView | None
    samples: list[tuple[float, float, float | None]]


@dataclass(frozen=True, slots=True)
class Connector:
    """Everything known of one connector."""

    charge_point_id: str
    connector: int
    window: Window = EMPTY
    leased_at_s: float | None = None
    bus_port: int | None = None
    output: Output | None = None
    output_at_s: float = 0.0
    module: Status | None = None
    thermal: Thermal | None = None
    csms: CsmsView | None = None

    def bus(self, now_s: float) -> Bus:
        """Return how it stands with its bus."""
        samples = self.window.samples
        if samples and now_s - samples[-1].at_s <= window.STALE_AFTER_S:
            return "live"
        if self.leased_at_s is None:
            return "none"
        return "silent" if now_s - self.leased_at_s <= LEASE_TIMEOUT_S else "lost"

    def view(self, now_s: float, samples: Iterable[Sample]) -> ConnectorView:
        """Return what the page is told, with these samples."""
        return ConnectorView(
            charge_point_id=self.charge_point_id,
            connector=self.connector,
            bus=self.bus(now_s),
            bus_port=self.bus_port,
            statistics=window.statistics(self.window, now_s),
            module_state=_STATE_WORDS[self.module.state] if self.module else None,
            faults=[_FAULT_WORDS[fault] for fault in self.module.faults] if self.module else [],
            voltage_v=self.output.voltage_v if self.output else None,
            temperature_c=self.thermal.temperature_c if self.thermal else None,
            soc_percent=self.thermal.soc_percent if self.thermal else None,
            csms=self.csms,
            samples=[(sample.at_s, sample.current_a, sample.offered_a) for sample in samples],
        )


_STATE_WORDS = {state: state.name.lower() for state in ModuleState}
_FAULT_WORDS = {fault: (fault.name or "").lower().replace("_", " ") for fault in Faults}


def with_frame(connector: Connector, frame: Frame, at_s: float) -> tuple[Connector, Sample | None]:
    """Return the connector after a frame of its module, and the sample that the frame completes."""
    match frame:
        case Current(current_a):
            sample = _sample(connector, current_a, at_s)
            return replace(connector, window=window.add(connector.window, sample)), sample
        case Output():
            return replace(connector, output=frame, output_at_s=at_s), None
        case Status():
            return replace(connector, module=frame), None
        case Thermal():
            return replace(connector, thermal=frame), None
    return connector, None


def _sample(connector: Connector, current_a: int, at_s: float) -> Sample:
    output = connector.output
    if output is None or abs(at_s - connector.output_at_s) > _SAME_CYCLE_S:
        return Sample(at_s, float(current_a))
    # 0x301 says it more precisely; where the two differ, what stands on 0x300 is what the bus says.
    precise = can_frames.reading(output.current_a).current_a == current_a
    return Sample(at_s, output.current_a if precise else float(current_a), output.offered_a)


def aged(connector: Connector, now_s: float) -> Connector:
    """Return the connector without the samples that left the window."""
    samples = window.recent(connector.window, now_s)
    return replace(connector, window=Window(samples, connector.window.dropped))
