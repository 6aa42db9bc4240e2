"""What the console told, put together: its snapshot and the updates since. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias
from uuid import UUID

from console.top.messages import Key, Message, Row, Service
from contracts.events import Anomaly

MAX_CONNECTORS = 10_000
MAX_ANOMALIES = 2000
MAX_SAMPLES = 1200
SPAN_S = 60.0
_SLACK_S = 5.0
"""Samples are kept a little longer than they are shown, so that the graph's left edge is no gap."""

Sample: TypeAlias = tuple[float, float]
"""Seconds since the epoch, amperes."""


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector as it was told last, and its course."""

    row: Row
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that the console told. `messages` counts what came; `refused` what was beyond the bounds."""

    now_s: float = 0.0
    span_s: float = SPAN_S
    connectors: Mapping[Key, Connector] = field(default_factory=dict)
    anomalies: Mapping[UUID, Anomaly] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    messages: int = 0
    refused: int = 0


def take(picture: Picture, kind: str, message: Message) -> Picture:
    """Return the picture after a message of the stream; other kinds than the three change nothing."""
    if kind == "snapshot":
        picture = Picture(messages=picture.messages, refused=picture.refused)
    elif kind not in ("update", "heartbeat"):
        return picture
    span_s = message.span_s or picture.span_s
    connectors, refused = _with_rows(picture, message, span_s)
    return replace(
        picture,
        now_s=message.now_s,
        span_s=span_s,
        connectors=connectors,
        anomalies=_with_anomalies(picture, message),
        services={**picture.services, **message.services} if message.services else picture.services,
        messages=picture.messages + 1,
        refused=refused,
    )


def _with_rows(picture: Picture, message: Message, span_s: float) -> tuple[Mapping[Key, Connector], int]:
    if not message.connectors and not message.gone:
        return picture.connectors, picture.refused
    connectors, refused = dict(picture.connectors), picture.refused
    oldest_s = message.now_s - span_s - _SLACK_S
    for row in message.connectors:
        key = (row.charge_point_id, row.connector)
        known = connectors.get(key)
        if known is None and len(connectors) >= MAX_CONNECTORS:
            refused += 1
            continue
        told = ((sample[0], sample[1]) for sample in row.samples)
        new = [(at_s, current_a) for at_s, current_a in told if at_s is not None and current_a is not None]
        course = [*(known.samples if known else ()), *new]
        if any(later < earlier for (earlier, _), (later, _) in pairwise(course)):
            course.sort()
        kept = tuple(sample for sample in course if sample[0] > oldest_s)[-MAX_SAMPLES:]
        connectors[key] = Connector(row, kept)
    for key in message.gone:
        connectors.pop(key, None)
    return connectors, refused


def _with_anomalies(picture: Picture, message: Message) -> Mapping[UUID, Anomaly]:
    if not message.anomalies:
        return picture.anomalies
    anomalies = dict(picture.anomalies)
    for anomaly in message.anomalies:
        known = anomalies.get(anomaly.id)
        if known is None or known.updated_at <= anomaly.updated_at:
            anomalies[anomaly.id] = anomaly
    if len(anomalies) > MAX_ANOMALIES:  # closed ones first, then the oldest
        by_worth = sorted(anomalies.values(), key=lambda one: (one.phase != "closed", one.updated_at))
        anomalies = {anomaly.id: anomaly for anomaly in by_worth[-MAX_ANOMALIES:]}
    return anomalies


def open_anomalies(picture: Picture) -> list[Anomaly]:
    """Return what is open, newest first."""
    found = [anomaly for anomaly in picture.anomalies.values() if anomaly.phase != "closed"]
    return sorted(found, key=lambda anomaly: anomaly.started_at, reverse=True)


def by_connector(picture: Picture) -> dict[Key, list[Anomaly]]:
    """Return the open anomalies of each connector that has any; those of connector 0 are all connectors'."""
    found: dict[Key, list[Anomaly]] = {}
    stations: dict[str, list[Anomaly]] = {}
    for anomaly in open_anomalies(picture):
        if anomaly.connector == 0:
            stations.setdefault(anomaly.charge_point_id, []).append(anomaly)
        else:
            found.setdefault((anomaly.charge_point_id, anomaly.connector), []).append(anomaly)
    for key in picture.connectors if stations else ():
        if key[0] in stations:
            found.setdefault(key, []).extend(stations[key[0]])
    return found


def away(picture: Picture) -> dict[str, str]:
    """Return the services that do not work, each with what that means."""
    return {name: service.text for name, service in picture.services.items() if not service.working}


def status_of(picture: Picture, connector: Connector) -> str:
    """Return a connector's status in words: from the CSMS, or where that knows nothing, from its module."""
    csms = connector.row.csms
    if csms is None:
        return f"module {connector.row.module_state}" if connector.row.module_state else "unknown"
    status = (csms.status or "Connected") if csms.connected else "Offline"
    return f"{status} (last known)" if "csms" in away(picture) else status


def present_a(connector: Connector) -> float | None:
    """Return the current that flows now; None where nothing is heard."""
    return None if connector.row.stale or connector.row.bus != "live" else connector.row.present_a


def name_of(picture: Picture, key: Key) -> str:
    """Return a connector's name: its charge point, and its number where that is not the only one."""
    charge_point_id, connector = key
    others = any((charge_point_id, n) in picture.connectors for n in range(1, 5) if n != connector)
    return f"{charge_point_id} · {connector}" if others or connector != 1 else charge_point_id


_DIGITS = re.compile(r"(\d{1,18})")


def counting_order(key: Key) -> tuple[list[tuple[int, str]], str, int]:
    """Return what sorts connectors as people count: CP-2 before CP-10."""
    parts = [
        (int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in _DIGITS.split(key[0])
    ]
    return parts, key[0], key[1]
