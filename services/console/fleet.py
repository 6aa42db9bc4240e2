"""The fleet from leases, frames, anomalies and what the CSMS knows; what changed is drained for the page.

Pure but not copied: the records are frozen, the index of them is not, because 1,000 charge points send 4,000
frames a second. Time is an argument everywhere (seconds since the epoch).
"""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

import msgspec
from msgspec import Struct

from console import window
from console.answers import ChargePoint
from console.connector import Bus, Connector, ConnectorView, CsmsView, Key, aged, with_frame
from console.window import Sample
from contracts.backplane import Lease
from contracts.can_frames import Frame, Status
from contracts.events import Anomaly

MAX_CONNECTORS = 4096
MAX_ANOMALIES = 2000
FORGET_AFTER_S = 600.0
"""A connector without a lease, or an anomaly after its end, is shown for so long."""


class Changes(Struct, frozen=True, kw_only=True):
    """What changed in the fleet since it was last asked."""

    connectors: list[ConnectorView]
    gone: list[Key]
    anomalies: list[Anomaly]


class Fleet:
    """All connectors and the anomalies that are open or recent."""

    def __init__(self) -> None:
        self._connectors: dict[Key, Connector] = {}
        self._told: dict[Key, Bus] = {}
        self._new_samples: dict[Key, list[Sample]] = {}
        self._gone: list[Key] = []
        self._anomalies: dict[UUID, tuple[Anomaly, float]] = {}
        self._new_anomalies: dict[UUID, Anomaly] = {}
        self.refused = 0
        """Leases beyond MAX_CONNECTORS."""

    def __len__(self) -> int:
        """Return how many connectors are known."""
        return len(self._connectors)

    def hear_lease(self, lease: Lease, at_s: float) -> Key | None:
        """Take a charge point's word that this bus is its connector's; None when there are too many."""
        key = (lease.charge_point_id, lease.connector)
        known = self._known(key)
        if known is None:
            return None
        if known.bus_port != lease.bus_port:
            self._changed(key)
        self._connectors[key] = replace(known, leased_at_s=at_s, bus_port=lease.bus_port)
        return key

    def hear_frame(self, key: Key, frame: Frame, at_s: float) -> None:
        """Take a frame from the bus of a connector."""
        connector = self._connectors.get(key)
        if connector is None:
            return
        self._connectors[key], sample = with_frame(connector, frame, at_s)
        if sample is not None:
            self._changed(key).append(sample)
        elif isinstance(frame, Status) and (
            connector.module is None or connector.module.state != frame.state
        ):
            self._changed(key)

    def know_charge_points(self, charge_points: Iterable[ChargePoint]) -> None:
        """Take what the CSMS knows, of all of its charge points."""
        known: dict[Key, CsmsView] = {}
        for charge_point in charge_points:
            statuses = {status.connector: status for status in charge_point.connectors}
            ours = {number for name, number in self._connectors if name == charge_point.charge_point_id}
            for number in (set(statuses) | ours or {1}) - {0}:
                status = statuses.get(number)
                known[charge_point.charge_point_id, number] = CsmsView(
                    connected=charge_point.connected,
                    enrolled=charge_point.enrolled,
                    status=status.status if status else None,
                    error_code=status.error_code if status else None,
                    transaction_id=status.transaction_id if status else None,
                    scenario=charge_point.scenario,
                )
        for key in known.keys() | self._connectors.keys():
            connector = self._known(key)
            if connector is not None and connector.csms != known.get(key):
                self._connectors[key] = replace(connector, csms=known.get(key))
                self._changed(key)

    def hear_anomaly(self, anomaly: Anomaly, at_s: float) -> None:
        """Take the MemoryBank's word on an anomaly; an older word on the same one is passed over."""
        known = self._anomalies.get(anomaly.id)
        if known is not None and _is_older(anomaly, known[0]):
            return
        self._anomalies[anomaly.id] = (anomaly, at_s)
        if known is None or known[0] != anomaly:
            self._new_anomalies[anomaly.id] = anomaly
        while len(self._anomalies) > MAX_ANOMALIES:
            oldest = next(iter(self._anomalies))
            del self._anomalies[oldest]

    def know_open_anomalies(self, anomalies: Iterable[Anomaly], asked_at_s: float) -> None:
        """Take the list of all open anomalies: whatever else was heard before it was asked for has ended."""
        listed = {anomaly.id: anomaly for anomaly in anomalies}
        for anomaly in listed.values():
            self.hear_anomaly(anomaly, asked_at_s)
        for known, heard_at_s in list(self._anomalies.values()):
            if known.phase != "closed" and known.id not in listed and heard_at_s < asked_at_s:
                ended = msgspec.structs.replace(known, phase="closed", ended_at=known.updated_at)
                self.hear_anomaly(ended, asked_at_s)

    def sweep(self, now_s: float) -> None:
        """Notice what happened by nothing happening; call it about once a second."""
        for key, connector in list(self._connectors.items()):
            bus = connector.bus(now_s)
            leased_at_s = connector.leased_at_s or 0.0
            if connector.csms is None and bus in ("lost", "none") and now_s - leased_at_s > FORGET_AFTER_S:
                self._forget(key)
            elif bus != self._told.get(key) or (bus != "live" and connector.window.samples):
                self._connectors[key] = aged(connector, now_s)
                self._changed(key)
        for known, heard_at_s in list(self._anomalies.values()):
            if known.phase == "closed" and now_s - heard_at_s > FORGET_AFTER_S:
                del self._anomalies[known.id]

    def drain(self, now_s: float) -> Changes:
        """Return what changed since the last call."""
        views = [self._connectors[key].view(now_s, samples) for key, samples in self._new_samples.items()]
        for view in views:
            self._told[view.charge_point_id, view.connector] = view.bus
        changes = Changes(connectors=views, gone=self._gone, anomalies=list(self._new_anomalies.values()))
        self._new_samples, self._gone, self._new_anomalies = {}, [], {}
        return changes

    def snapshot(self, now_s: float) -> Changes:
        """Return everything, as the changes from nothing; what `drain` returns is left as it is."""
        return Changes(
            connectors=[c.view(now_s, window.recent(c.window, now_s)) for c in self._connectors.values()],
            gone=[],
            anomalies=[anomaly for anomaly, _ in self._anomalies.values()],
        )

    def _known(self, key: Key) -> Connector | None:
        connector = self._connectors.get(key)
        if connector is None:
            if len(self._connectors) >= MAX_CONNECTORS:
                self.refused += 1
                return None
            connector = self._connectors[key] = Connector(*key)
            self._changed(key)
        return connector

    def _changed(self, key: Key) -> list[Sample]:
        return self._new_samples.setdefault(key, [])

    def _forget(self, key: Key) -> None:
        del self._connectors[key]
        self._told.pop(key, None)
        self._new_samples.pop(key, None)
        self._gone.append(key)


def _is_older(word: Anomaly, known: Anomaly) -> bool:
    # A close may carry the instant of the last update; the close is the later word.
    closed = known.phase == "closed" and word.phase != "closed"
    return word.updated_at < known.updated_at or (closed and word.updated_at == known.updated_at)
