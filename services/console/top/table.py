"""The fleet as a table: which columns fit, and a line for each connector. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from chassis.terminal import plural, printable, sparkline
from console.top.course import course, scale_of
from console.top.line import cell, line
from console.top.messages import Key
from console.top.picture import Connector, Picture, name_of, present_a, status_of
from console.top.words import BUS_WORDS, SEVERITY_STYLES, amperes, kind, power, since, status_style
from contracts.events import SEVERITIES, Anomaly

_NAME_CELLS, _NARROW_NAME_CELLS, _MOST_NAME_CELLS = 12, 8, 24
_NARROW = 60
_CURRENT_CELLS = 9
_STATUS_CELLS, _POWER_CELLS, _BAR_CELLS, _COURSE_CELLS = 14, 10, 10, 20
_MOST_COURSE_CELLS = 60
_ANOMALY_CELLS = 24
_BAR, _HALF_BAR = "━╸"


@dataclass(frozen=True, slots=True)
class Columns:
    """How many cells each column has; 0: it is left out."""

    name: int
    status: int = 0
    course: int = 0
    bar: int = 0
    power: int = 0
    anomaly: int = 1


def columns(width: int, longest_name: int) -> Columns:
    """Return what fits into a width: the name and the current always, the rest by its worth."""
    least = _NAME_CELLS if width >= _NARROW else _NARROW_NAME_CELLS
    name = max(least, min(longest_name, _MOST_NAME_CELLS))
    left = width - 2 - name - 1 - _CURRENT_CELLS - 2
    found: dict[str, int] = {}
    for column, cells in (
        ("status", _STATUS_CELLS),
        ("course", _COURSE_CELLS),
        ("power", _POWER_CELLS),
        ("bar", _BAR_CELLS),
    ):
        if left > cells:
            found[column] = cells
            left -= cells + 1
    anomaly = 1 + left if left + 1 >= _ANOMALY_CELLS else 1
    if anomaly > 2 * _ANOMALY_CELLS and "course" in found:
        more = min(anomaly - 2 * _ANOMALY_CELLS, _MOST_COURSE_CELLS - _COURSE_CELLS)
        found["course"] += more
        anomaly -= more
    return Columns(name, anomaly=anomaly, **found)


def table(
    picture: Picture,
    keys: Sequence[Key],
    chosen: Key | None,
    anomalies: Mapping[Key, Sequence[Anomaly]],
    *,
    now_s: float,
    width: int,
    height: int,
) -> list[Text]:
    """Return headings and the connectors around the chosen one, in at most `height` lines."""
    room = height - 1
    if room < 1:
        return []
    at = keys.index(chosen) if chosen in keys else 0
    first = max(0, min(at - room // 2, len(keys) - room))
    visible = keys[first : first + room]
    names = [name_of(picture, key) for key in visible]
    fits = columns(width, max((cell_len(printable(name)) for name in names), default=0))
    highest = _scale(picture, visible)
    lines = [_headings(fits, highest, width)]
    for key, name in zip(visible, names, strict=True):
        connector = picture.connectors[key]
        pieces = _pieces(picture, connector, name, anomalies.get(key, ()), fits, highest, now_s)
        shown = line("▸ " if key == chosen else "  ", *pieces, width=width)
        if key == chosen:
            shown.stylize("bold")
            shown.stylize("reverse", 0, 2 + len(pieces[0]))
        lines.append(shown)
    return lines


def _scale(picture: Picture, visible: Sequence[Key]) -> float:
    """Return the top of the scale that all bars and courses share."""
    seen = [value for key in visible for _, value in picture.connectors[key].samples]
    return scale_of(max([*seen, *(present_a(one) or 0.0 for one in picture.connectors.values()), 1.0]))


def _headings(fits: Columns, highest: float, width: int) -> Text:
    cells = [cell("charge point", fits.name), cell("current", _CURRENT_CELLS, right=True)]
    if fits.status:
        cells.insert(1, cell("status", fits.status))
    if fits.bar:
        cells.append(cell(f"0 to {highest:,g} A", fits.bar))
    if fits.course:
        cells.append(cell("last minute", fits.course))
    if fits.power:
        cells.append(cell("power", fits.power, right=True))
    if fits.anomaly > 1:
        cells.append("open anomaly")
    return line(("  " + " ".join(cells), "bold"), width=width)


def _pieces(
    picture: Picture,
    connector: Connector,
    name: str,
    anomalies: Sequence[Anomaly],
    fits: Columns,
    highest: float,
    now_s: float,
) -> list[str | tuple[str, str]]:
    now_a = present_a(connector)
    pieces: list[str | tuple[str, str]] = [cell(name, fits.name), " "]
    if fits.status:
        status = status_of(picture, connector)
        pieces += [(cell(status, fits.status), status_style(status)), " "]
    pieces.append(cell(amperes(now_a), _CURRENT_CELLS, right=True))
    if fits.bar:
        halves = min(2 * fits.bar, round(max(0.0, now_a or 0.0) / highest * 2 * fits.bar))
        pieces += [" ", (cell(_BAR * (halves // 2) + _HALF_BAR * (halves % 2), fits.bar), "cyan")]
    if fits.course:
        values = course(connector.samples, now_s, picture.span_s, fits.course)
        drawn = sparkline(values, highest)
        missing = BUS_WORDS.get(connector.row.bus)
        pieces += [" ", (cell(drawn if drawn.strip() or not missing else missing, fits.course), "cyan")]
    if fits.power:
        pieces += [" ", cell(power(connector.row.power_w), fits.power, right=True)]
    if anomalies:
        pieces += [" ", _anomaly(anomalies, fits.anomaly, now_s)]
    return pieces


def _anomaly(anomalies: Sequence[Anomaly], cells: int, now_s: float) -> tuple[str, str]:
    worst = max(anomalies, key=lambda anomaly: SEVERITIES.index(anomaly.severity))
    style = SEVERITY_STYLES[worst.severity]
    if cells < 2:
        return "▲", style
    more = f", {plural(len(anomalies) - 1, 'other')}" if len(anomalies) > 1 else ""
    said = f"▲ {worst.severity}, {since(worst.started_at, now_s)}{more}: {kind(worst.kind)}"
    return cell(said, cells), style
