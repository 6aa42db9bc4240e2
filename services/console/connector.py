"""One connector: what its bus, its module and the CSMS say of it, and how the pages are told."""

from collections import deque
from typing import Literal, TypeAlias

from msgspec import Struct

from console.answers import TransactionFacts
from console.log_entry import FAULT_WORDS, STATE_WORDS
from console.window import SPAN_S, STALE_AFTER_S, Sample, Statistics, Window
from contracts import can_frames
from contracts.backplane import LEASE_TIMEOUT_S
from contracts.can_frames import Current, Frame, Output, SetLimit, Status, Thermal

_SAME_CYCLE_S = 0.9
_SPARKLINE_SAMPLES = 30
_MAX_STATUSES = 240
_OFFLINE = "Offline"

Key: TypeAlias = tuple[str, int]
Bus: TypeAlias = Literal["live", "silent", "lost", "none"]
"""live: readings come; silent: leased, no reading; lost: lease not renewed; none: never heard on CAN."""


class CsmsView(Struct, frozen=True, kw_only=True):
    """A connector as the CSMS knows it, for the fleet."""

    connected: bool
    enrolled: bool
    status: str | None
    error_code: str | None
    transaction_id: int | None
    scenario: str | None


class Knowledge(Struct, frozen=True, kw_only=True):
    """All that the CSMS knows of a connector."""

    view: CsmsView
    commanded_a: float | None = None
    acknowledged_a: float | None = None
    transaction: TransactionFacts | None = None


class Row(Struct, frozen=True, kw_only=True):
    """A connector in the fleet; `samples` are (at_s, current_a): all of them thinned, or the new ones."""

    charge_point_id: str
    connector: int
    bus: Bus
    bus_port: int | None
    present_a: float | None
    power_w: float | None
    stale: bool
    module_state: str | None
    csms: CsmsView | None
    samples: list[tuple[float, float]]


class Detail(Struct, frozen=True, kw_only=True):
    """Everything of one connector; `samples` are all of the span where it is the `whole`, else the new ones.

    `commanded_a` is the limit that the CSMS last sent, `acknowledged_a` the one last accepted, `bus_limit_a`
    what was last seen on the bus, `offered_a` what the module offers. `statuses` are (at_s, status).
    """

    now_s: float
    charge_point_id: str
    connector: int
    statistics: Statistics
    module_state: str | None
    faults: list[str]
    voltage_v: float | None
    power_w: float | None
    temperature_c: float | None
    soc_percent: float | None
    bus: Bus
    bus_port: int | None
    commanded_a: float | None
    acknowledged_a: float | None
    bus_limit_a: float | None
    offered_a: float | None
    transaction: TransactionFacts | None
    statuses: list[tuple[float, str]]
    samples: list[Sample]
    whole: bool


class Connector:
    """Everything known of one connector. Changed in place: 1,000 of them hear 4,000 frames a second."""

    __slots__ = (
        "_output",
        "_output_at_s",
        "_statuses",
        "_thermal",
        "awaited_since_s",
        "bus_limit_a",
        "bus_port",
        "charge_point_id",
        "connector",
        "knowledge",
        "leased_at_s",
        "module",
        "told",
        "told_bus",
        "window",
    )

    def __init__(self, charge_point_id: str, connector: int) -> None:
        self.charge_point_id = charge_point_id
        self.connector = connector
        self.window = Window()
        self.leased_at_s: float | None = None
        self.bus_port: int | None = None
        self.module: Status | None = None
        self.bus_limit_a: float | None = None
        self.knowledge: Knowledge | None = None
        self.told = 0
        """How many samples of its window the pages were told of."""
        self.told_bus: Bus | None = None
        self.awaited_since_s = 0.0
        """Since when frames are listened for; infinity: they are not, and their absence says nothing."""
        self._output: Output | None = None
        self._output_at_s = 0.0
        self._thermal: Thermal | None = None
        self._statuses: deque[tuple[float, str]] = deque(maxlen=_MAX_STATUSES)

    def hear(self, frame: Frame, at_s: float) -> bool:
        """Take a frame from its bus; return whether that changes its row."""
        match frame:
            case Current(current_a):
                self.window.add(self._sample(current_a, at_s))
                return True
            case Output():
                self._output, self._output_at_s = frame, at_s
            case Status(state):
                changed = self.module is None or self.module.state is not state
                self.module = frame
                return changed
            case Thermal():
                self._thermal = frame
            case SetLimit(limit_a):
                self.bus_limit_a = float(limit_a)
        return False

    def _sample(self, current_a: int, at_s: float) -> Sample:
        output, thermal, known = self._output, self._thermal, self.knowledge
        temperature_c = thermal.temperature_c if thermal else None
        commanded_a = known.commanded_a if known else None
        if output is None or not -_SAME_CYCLE_S <= at_s - self._output_at_s <= _SAME_CYCLE_S:
            return Sample(
                at_s, float(current_a), None, self.bus_limit_a, commanded_a, None, None, temperature_c
            )
        # 0x301 says it more precisely; where the two differ, what stands on 0x300 is what the bus says.
        precise = can_frames.reading(output.current_a).current_a == current_a
        precise_a = output.current_a if precise else float(current_a)
        return Sample(
            at_s,
            precise_a,
            output.offered_a,
            self.bus_limit_a,
            commanded_a,
            output.voltage_v,
            round(precise_a * output.voltage_v, 1),
            temperature_c,
        )

    def know(self, knowledge: Knowledge | None, at_s: float) -> bool:
        """Take what the CSMS knows; return whether that changes its row."""
        before, self.knowledge = self.knowledge, knowledge
        if knowledge is not None and knowledge.view.status is not None:
            # The CSMS remembers what a charge point said last, also of one that is gone.
            status = knowledge.view.status if knowledge.view.connected else _OFFLINE
            self.hear_status(status, at_s, at_s)
        return (before.view if before else None) != (knowledge.view if knowledge else None)

    def hear_status(self, status: str, at_s: float, now_s: float) -> None:
        """Take its status; the same again, or one from before the latest, changes nothing.

        `at_s` is by the charge point's clock: what is ahead of ours is now.
        """
        at_s = min(at_s, now_s)
        # It is our clock that was set back: what it calls the future goes, or it would hold up what follows.
        while self._statuses and self._statuses[-1][0] > now_s:
            self._statuses.pop()
        if not self._statuses or (self._statuses[-1][1] != status and self._statuses[-1][0] <= at_s):
            self._statuses.append((at_s, status))

    def statuses(self, now_s: float) -> list[tuple[float, str]]:
        """Return the statuses of the last SPAN_S, with the one that held when it began."""
        begin_s = now_s - SPAN_S
        before = [status for at_s, status in self._statuses if at_s <= begin_s]
        within = [(at_s, status) for at_s, status in self._statuses if at_s > begin_s]
        return [(begin_s, before[-1]), *within] if before else within

    def bus(self, now_s: float) -> Bus:
        """Return how it stands with its bus."""
        if not self.window.is_stale(now_s):
            return "live"
        if self.leased_at_s is None:
            return "none"
        if now_s - self.leased_at_s > LEASE_TIMEOUT_S:
            return "lost"
        return "silent" if now_s - self.awaited_since_s > STALE_AFTER_S else "live"

    def row(self, now_s: float, samples: list[Sample]) -> Row:
        """Return its row in the fleet, with these samples."""
        newest, module, known = self.window.newest, self.module, self.knowledge
        return Row(
            charge_point_id=self.charge_point_id,
            connector=self.connector,
            bus=self.bus(now_s),
            bus_port=self.bus_port,
            present_a=newest.current_a if newest else None,
            power_w=newest.power_w if newest else None,
            stale=self.window.is_stale(now_s),
            module_state=STATE_WORDS[module.state] if module else None,
            csms=known.view if known else None,
            samples=[sample[:2] for sample in samples],
        )

    def new_row(self, now_s: float) -> Row:
        """Return its row with the samples that no row had yet."""
        row = self.row(now_s, self.window.since(self.told))
        self.told, self.told_bus = self.window.added, row.bus
        return row

    def whole_row(self, now_s: float) -> Row:
        """Return its row with its window, thinned."""
        return self.row(now_s, self.window.thinned(now_s, _SPARKLINE_SAMPLES))

    def detail(self, now_s: float, told: int | None) -> Detail:
        """Return everything of it, with the samples after `told` of its window; None: the whole window."""
        module, output, known = self.module, self._output, self.knowledge
        newest = self.window.newest
        return Detail(
            now_s=now_s,
            charge_point_id=self.charge_point_id,
            connector=self.connector,
            statistics=self.window.statistics(now_s),
            module_state=STATE_WORDS[module.state] if module else None,
            faults=[FAULT_WORDS[fault] for fault in module.faults] if module else [],
            voltage_v=output.voltage_v if output else None,
            power_w=newest.power_w if newest else None,
            temperature_c=self._thermal.temperature_c if self._thermal else None,
            soc_percent=self._thermal.soc_percent if self._thermal else None,
            bus=self.bus(now_s),
            bus_port=self.bus_port,
            commanded_a=known.commanded_a if known else None,
            acknowledged_a=known.acknowledged_a if known else None,
            bus_limit_a=self.bus_limit_a,
            offered_a=output.offered_a if output else None,
            transaction=known.transaction if known else None,
            statuses=self.statuses(now_s),
            samples=self.window.recent(now_s) if told is None else self.window.since(told),
            whole=told is None,
        )
