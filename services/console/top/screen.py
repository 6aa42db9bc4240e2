"""Everything that stands on the terminal, as lines, for any size of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from chassis.terminal import plural
from console.top.course import course, graph, scale_of
from console.top.line import line
from console.top.messages import Key
from console.top.picture import (
    Connector,
    Picture,
    away,
    by_connector,
    name_of,
    open_anomalies,
    present_a,
    status_of,
)
from console.top.table import table
from console.top.view import View, listed, selected
from console.top.words import (
    BUS_WORDS,
    NONE,
    SERVICES,
    SEVERITY_STYLES,
    amperes,
    kind,
    power,
    rate,
    since,
    span,
)
from contracts.events import FLEET, Anomaly

_LABEL_CELLS = 9
_LEAST_TABLE = 4
_USUAL_DETAIL, _MOST_DETAIL = 9, 16
"""Lines for the chosen connector; the most only where the table leaves them."""
_MOST_LISTED = 5
_HELP = (
    ("↑ ↓  j k", "choose a charge point; Page Up, Page Down, Home, End"),
    ("/", "search by identity or status; Enter keeps it, Escape ends it"),
    ("s", "order: by name, current, power, status, anomalies"),
    ("a", "only those with an open anomaly; Escape shows all again"),
    ("?", "this page; any key leaves it"),
    ("q  Ctrl-C", "end"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How fast things go; None: not known."""

    updates_per_s: float | None = None
    frames_per_s: float | None = None
    events_per_s: float | None = None
    lag_s: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """Where the console is, without its password, and what is wrong with the way there."""

    url: str
    problem: str | None = None


def page_of(height: int) -> int:
    """Return by how many connectors a page moves."""
    return max(1, height // 2)


def lines(
    picture: Picture, view: View, rates: Rates, link: Link, *, now_s: float, width: int, height: int
) -> list[Text]:
    """Return what stands on a terminal of this size: never more or wider lines than it has."""
    keys = listed(picture, view)
    chosen = selected(view, keys)
    footer = [_footer(view, width)] if height > 1 else []
    head = _head(picture, rates, link, now_s, width)[: max(1, height - len(footer) - _LEAST_TABLE)]
    room = height - len(head) - len(footer)
    if view.help:
        body = [line((f"  {key:<10}", "bold"), said, width=width) for key, said in _HELP][:room]
        return [*head, *body, *_blank(room - len(body)), *footer][:height]
    detail: list[Text] = []
    if chosen is not None and room >= 2 * _LEAST_TABLE + 4:
        spare = room - len(keys) - 1 - _MOST_LISTED
        detail_lines = max(min(room // 2 - 2, _USUAL_DETAIL), min(spare, _MOST_DETAIL))
        detail = _detail(picture, chosen, now_s, width, detail_lines)
    list_room = min(_MOST_LISTED, (room - len(detail)) // 3) if detail else 0
    anomalies = _anomalies(picture, now_s, width, list_room)
    room -= len(detail) + len(anomalies)
    fleet = table(picture, keys, chosen, by_connector(picture), now_s=now_s, width=width, height=room) or [
        _nothing(picture, view, link, width)
    ]
    if not keys:
        fleet.append(_nothing(picture, view, link, width))
    fleet = fleet[: max(0, room)]
    return [*head, *fleet, *_blank(room - len(fleet)), *detail, *anomalies, *footer][:height]


def _blank(count: int) -> list[Text]:
    return [Text() for _ in range(count)]


def _head(picture: Picture, rates: Rates, link: Link, now_s: float, width: int) -> list[Text]:
    missing = away(picture)
    services: list[str | tuple[str, str]] = []
    for name in sorted(picture.services, key=[*SERVICES, *picture.services].index):
        word = SERVICES.get(name, name)
        services += ["  ", (f"✗ {word} away", "bold red") if name in missing else (f"● {word}", "green")]
    heads = [line(("ChargeBench top", "bold"), *services, f"  {link.url}", width=width)]
    if link.problem is not None:
        age = f" What is shown is {span(now_s - picture.now_s)} old." if picture.messages else ""
        heads.append(line((f"✗ {link.problem}{age}", "bold red"), width=width))
    heads += [
        line((f"✗ {text or SERVICES.get(name, name)}", "red"), width=width) for name, text in missing.items()
    ]
    heads.insert(1, line(_counts(picture), width=width))
    heads.insert(2, line(_rates(rates), width=width))
    return heads


def _counts(picture: Picture) -> str:
    stations = {charge_point_id for charge_point_id, _ in picture.connectors}
    flowing = sum((present_a(one) or 0.0) > 0.5 for one in picture.connectors.values())
    total_w = sum(one.row.power_w or 0.0 for one in picture.connectors.values() if one.row.bus == "live")
    opened = len(open_anomalies(picture))
    return " · ".join(
        (
            plural(len(stations), "charge point"),
            f"{flowing:,} giving current",
            power(total_w),
            plural(opened, "open anomaly", "open anomalies"),
        )
    )


def _rates(rates: Rates) -> str:
    stored = [rate(rates.events_per_s, "events/s stored")] if rates.events_per_s is not None else []
    lag = [f"lag {rates.lag_s:.1f} s"] if rates.lag_s is not None else []
    heard = f"CAN {rate(rates.frames_per_s, 'frames/s')}"
    return " · ".join((heard, rate(rates.updates_per_s, "updates/s"), *stored, *lag))


def _nothing(picture: Picture, view: View, link: Link, width: int) -> Text:
    if not picture.messages:
        said = "waiting for the console" if link.problem else "asking the console"
    elif view.search:
        said = f"nothing is called {view.search!r}"
    elif view.only_anomalies and picture.connectors:
        said = "no anomaly is open"
    else:
        said = "no charge point is heard on CAN or known to the CSMS yet"
    return line(("  " + said, "dim"), width=width)


def _detail(picture: Picture, key: Key, now_s: float, width: int, height: int) -> list[Text]:
    """Return the chosen connector's course, large, and what is known of it, in at most `height` lines."""
    connector = picture.connectors[key]
    title = line((name_of(picture, key), "bold"), f"  {_facts(picture, connector)}", width=width)
    rows = height - 3
    columns = width - _LABEL_CELLS
    if rows < 1 or columns < 8:
        return [Text(), title][:height]
    values = course(connector.samples, now_s, picture.span_s, columns)
    highest = scale_of(max([value for value in values if value is not None] + [1.0]))
    drawn = graph(values, highest, rows)
    labels = [""] * rows
    labels[-1] = "0 A"
    labels[0] = f"{highest:,g} A"
    body = [
        line(f"{label:>{_LABEL_CELLS - 2}} │", (part, "cyan"), width=width)
        for label, part in zip(labels, drawn, strict=True)
    ]
    begin = f"{picture.span_s:g} s ago"
    axis = line((" " * _LABEL_CELLS + begin + "now".rjust(max(4, columns - len(begin))), "dim"), width=width)
    return [Text(), title, *body, axis]


def _facts(picture: Picture, connector: Connector) -> str:
    row = connector.row
    said = [status_of(picture, connector), amperes(present_a(connector)), power(row.power_w)]
    if values := [value for _, value in connector.samples]:
        mean = sum(values) / len(values)
        said.append(f"lowest {min(values):,.1f}, mean {mean:,.1f}, highest {max(values):,.1f} A")
    if row.bus in BUS_WORDS:
        said.append(BUS_WORDS[row.bus])
    if row.csms is not None and row.csms.scenario:
        said.append(f"scenario {row.csms.scenario}")
    if row.csms is not None and row.csms.transaction_id is not None:
        said.append(f"transaction {row.csms.transaction_id}")
    if row.bus_port is not None:
        said.append(f"CAN port {row.bus_port}")
    return " · ".join(part for part in said if part != NONE)


def _anomalies(picture: Picture, now_s: float, width: int, height: int) -> list[Text]:
    found: Sequence[Anomaly] = open_anomalies(picture)
    if not found or height < 2:
        return []
    shown = found[: height - 1]
    more = f" (the newest {len(shown)} of {len(found):,})" if len(found) > len(shown) else ""
    lines = [line((f"Open anomalies{more}", "bold"), width=width)]
    for anomaly in shown:
        style = SEVERITY_STYLES[anomaly.severity]
        place = "fleet" if anomaly.charge_point_id == FLEET else anomaly.charge_point_id
        named = f"{place} {kind(anomaly.kind)}"
        ago = f" for {since(anomaly.started_at, now_s)}: {anomaly.explanation}"
        lines.append(line((f"▲ {anomaly.severity:<8} ", style), (named, "bold"), ago, width=width))
    return lines


def _footer(view: View, width: int) -> Text:
    if view.typing:
        return line(("search: ", "bold"), view.search, ("▏", "bold"), "  Enter, Escape", width=width)
    chosen = [f"order: {view.sort.value}"]
    if view.search:
        chosen.append(f"search: {view.search}")
    if view.only_anomalies:
        chosen.append("only anomalies")
    keys = "↑↓ choose  / search  s order  a anomalies  ? help  q end"
    return line((f"{keys}   {' · '.join(chosen)}", "dim"), width=width)
