"""The picture once, as a plain table for programs and for a look: no colour, nothing cut off. Pure."""

from collections.abc import Sequence

from rich.cells import cell_len

from chassis.terminal import plural, printable
from console.top.line import cell
from console.top.picture import (
    Picture,
    away,
    by_connector,
    counting_order,
    name_of,
    open_anomalies,
    present_a,
    status_of,
)
from console.top.words import BUS_WORDS, NONE, SERVICES, amperes, kind, power, since

_HEADINGS = ("charge point", "status", "current", "power", "bus", "scenario", "open anomalies")
_RIGHT = {"current", "power"}


def table(picture: Picture) -> list[str]:
    """Return the fleet, then the open anomalies, a line each."""
    anomalies = by_connector(picture)
    rows = [_HEADINGS]
    for key in sorted(picture.connectors, key=counting_order):
        connector = picture.connectors[key]
        csms = connector.row.csms
        rows.append(
            (
                name_of(picture, key),
                status_of(picture, connector),
                amperes(present_a(connector)),
                power(connector.row.power_w),
                BUS_WORDS.get(connector.row.bus, connector.row.bus),
                (csms.scenario if csms else None) or NONE,
                ", ".join(f"{one.severity}: {kind(one.kind)}" for one in anomalies.get(key, ())) or NONE,
            )
        )
    stations = {charge_point_id for charge_point_id, _ in picture.connectors}
    opened = open_anomalies(picture)
    summary = (
        f"{plural(len(stations), 'charge point')}, {plural(len(opened), 'open anomaly', 'open anomalies')}"
    )
    told = [
        f"{one.charge_point_id} {one.severity} for {since(one.started_at, picture.now_s)}: {one.explanation}"
        for one in opened
    ]
    return [*_aligned(rows), "", summary, *map(printable, told)]


def absences(picture: Picture) -> list[str]:
    """Return a line for each service that is away."""
    return [printable(text or f"{SERVICES.get(name, name)} is away") for name, text in away(picture).items()]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(cell_len(printable(content)) for content in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell(content, width, right=heading in _RIGHT)
            for heading, content, width in zip(_HEADINGS, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
