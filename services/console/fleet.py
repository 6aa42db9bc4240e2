"""The fleet from leases, frames and what the CSMS knows; what changed is drained for the pages.

Changed in place: 1,000 charge points send 4,000 frames a second. Time is an argument everywhere (seconds
since the epoch).
"""

from collections.abc import Iterable

from console.answers import ChargePoint
from console.connector import Connector, CsmsView, Key, Knowledge, Row
from contracts.backplane import Lease
from contracts.can_frames import Frame
from contracts.events import StatusChanged

MAX_CONNECTORS = 4096
FORGET_AFTER_S = 600.0
"""A connector without a lease is shown for so long."""


class Fleet:
    """All connectors."""

    def __init__(self) -> None:
        self._connectors: dict[Key, Connector] = {}
        self._changed: set[Key] = set()
        self._gone: list[Key] = []
        self._awaited_since_s = 0.0
        self.refused = 0
        """Leases beyond MAX_CONNECTORS."""

    def __len__(self) -> int:
        """Return how many connectors are known."""
        return len(self._connectors)

    def get(self, key: Key) -> Connector | None:
        """Return a connector, None where it is not known."""
        return self._connectors.get(key)

    def hear_lease(self, lease: Lease, at_s: float) -> Key | None:
        """Take a charge point's word that this bus is its connector's; None when there are too many."""
        key = (lease.charge_point_id, lease.connector)
        connector = self._connectors.get(key) or self._added(key)
        if connector is None:
            return None
        if connector.bus_port != lease.bus_port:
            connector.bus_port = lease.bus_port
            self._changed.add(key)
        connector.leased_at_s = at_s
        return key

    def hear_frame(self, key: Key, frame: Frame, at_s: float) -> None:
        """Take a frame from the bus of a connector."""
        connector = self._connectors.get(key)
        if connector is not None and connector.hear(frame, at_s):
            self._changed.add(key)

    def await_frames(self, since_s: float) -> None:
        """Take note since when all buses are listened to; infinity: from now on they are not."""
        self._awaited_since_s = since_s
        for connector in self._connectors.values():
            connector.awaited_since_s = since_s

    def hear_status(self, event: StatusChanged, now_s: float) -> None:
        """Take a connector's status at the instant of its change; the CSMS is asked only now and then."""
        connector = self._connectors.get((event.charge_point_id or "", event.connector or 0))
        if connector is not None:
            connector.hear_status(event.status, event.at.timestamp(), now_s)

    def know_charge_points(self, charge_points: Iterable[ChargePoint], at_s: float) -> None:
        """Take what the CSMS knows, of all of its charge points."""
        ours: dict[str, set[int]] = {}
        for name, number in self._connectors:
            ours.setdefault(name, set()).add(number)
        known: dict[Key, Knowledge] = {}
        for charge_point in charge_points:
            known |= _knowledge(charge_point, ours.get(charge_point.charge_point_id, set()))
        for key in known.keys() | self._connectors.keys():
            self._know(key, known.get(key), at_s)

    def know_charge_point(self, charge_point: ChargePoint, at_s: float) -> None:
        """Take what the CSMS knows of one charge point."""
        ours = {number for name, number in self._connectors if name == charge_point.charge_point_id}
        for key, knowledge in _knowledge(charge_point, ours).items():
            self._know(key, knowledge, at_s)

    def _know(self, key: Key, knowledge: Knowledge | None, at_s: float) -> None:
        connector = self._connectors.get(key) or self._added(key)
        if connector is not None and connector.know(knowledge, at_s):
            self._changed.add(key)

    def sweep(self, now_s: float) -> None:
        """Notice what happened by nothing happening; call it about once a second."""
        for key, connector in list(self._connectors.items()):
            bus = connector.bus(now_s)
            leased_at_s = connector.leased_at_s or 0.0
            is_lost = connector.knowledge is None and bus in ("lost", "none")
            if is_lost and now_s - leased_at_s > FORGET_AFTER_S:
                self._forget(key)
            elif bus != connector.told_bus or (bus != "live" and len(connector.window)):
                connector.window.forget(now_s)
                self._changed.add(key)

    def drain(self, now_s: float) -> tuple[list[Row], list[Key]]:
        """Return the rows that changed since the last call, and the connectors that are gone."""
        rows = [self._connectors[key].new_row(now_s) for key in self._changed]
        gone = self._gone
        self._changed, self._gone = set(), []
        return rows, gone

    def forget_gone(self) -> None:
        """Have `drain` not return the connectors that are gone by now: nobody was shown them."""
        self._gone.clear()

    def snapshot(self, now_s: float) -> list[Row]:
        """Return all rows; what `drain` returns is left as it is."""
        return [connector.whole_row(now_s) for connector in self._connectors.values()]

    def _added(self, key: Key) -> Connector | None:
        if len(self._connectors) >= MAX_CONNECTORS:
            self.refused += 1
            return None
        connector = self._connectors[key] = Connector(*key)
        connector.awaited_since_s = self._awaited_since_s
        self._changed.add(key)
        return connector

    def _forget(self, key: Key) -> None:
        del self._connectors[key]
        self._changed.discard(key)
        self._gone.append(key)


def _knowledge(charge_point: ChargePoint, ours: set[int]) -> dict[Key, Knowledge]:
    """Return what the CSMS knows of each connector of a charge point; `ours` are those heard on CAN."""
    statuses = {status.connector: status for status in charge_point.connectors}
    known: dict[Key, Knowledge] = {}
    for number in (statuses.keys() | ours or {1}) - {0}:
        status = statuses.get(number)
        view = CsmsView(
            connected=charge_point.connected,
            enrolled=charge_point.enrolled,
            status=status.status if status else None,
            error_code=status.error_code if status else None,
            transaction_id=status.transaction_id if status else None,
            scenario=charge_point.scenario,
        )
        known[charge_point.charge_point_id, number] = Knowledge(
            view=view,
            commanded_a=status.commanded_a if status else None,
            acknowledged_a=status.acknowledged_a if status else None,
            transaction=status.transaction if status else None,
        )
    return known
