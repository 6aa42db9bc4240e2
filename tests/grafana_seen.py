"""What stands on a page that `grafana_render.draw` drew, and what is missing from it.

`read` looks at the page as a person does: titles, words, numbers, headings, rows, and the colours of pixels.
`differences` works out from the dashboard and the frames, without Grafana's code, what must be there.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page

from grafana_frames import Json
from grafana_render import NOT_PUBLISHED

_FAR = 60
"""So far apart may be a series' colour and the nearest pixel (of 441): lines one pixel wide are blended."""
_TOLERANCE = 0.06
"""Numbers are shown with about three digits, or with the decimals that the panel sets."""
_LABEL = re.compile(r"\$\{__field\.labels\.(\w+)\}")
_NUMBER = re.compile(r"(-?[\d.]+) ?(.*)")
_PREFIXES = {"n": 1e-9, "µ": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_TIMES_S = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "mins": 60, "hour": 3600, "hours": 3600}
_DAYS_S = {"day": 86_400, "days": 86_400, "week": 604_800, "weeks": 604_800}
_BYTES = {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
_SUFFIXES = {"watt": "W", "watth": "Wh", "amp": "A", "volt": "V", "celsius": "°C", "percent": "%"}
_VALUES_IN = {"ms": 1e-3, "kwatth": 1e3, "percentunit": 100}
"""Grafana's units whose values count something else than the unit shown without a prefix."""

_READ = """
() => [...document.querySelectorAll("[data-panel]")].map((panel) => {
  const texts = (selector) => [...panel.querySelectorAll(selector)].map((one) => one.innerText.trim());
  const pixels = [...panel.querySelectorAll("canvas")].map(
    (one) => one.getContext("2d").getImageData(0, 0, one.width, one.height).data
  );
  const nearest = ([red, green, blue]) => {
    let least = 442;
    for (const data of pixels) {
      for (let i = 0; i < data.length; i += 4) {
        least = Math.min(least, Math.hypot(data[i] - red, data[i + 1] - green, data[i + 2] - blue));
      }
    }
    return least;
  };
  return {
    id: Number(panel.dataset.panel),
    title: panel.querySelector("h2").innerText,
    text: panel.querySelector("[data-testid*='panel content']").innerText,
    words: texts(".words"),
    series: Object.fromEntries(
      [...panel.querySelectorAll("[data-testid=series-icon]")].map((icon) => {
        const name = icon.closest("tr, li").querySelector("button").title;
        const [, ...color] = icon.getAttribute("style").match(/rgb\\((\\d+), (\\d+), (\\d+)\\)/);
        return [name, nearest(color.map(Number))];
      })
    ),
    headings: texts("[role=columnheader]"),
    rows: panel.querySelectorAll("[role=row]").length,
    cells: texts("[role=gridcell]"),
    bars: texts("[data-testid*='Bar gauge value']"),
  };
})
"""


@dataclass(frozen=True)
class Seen:
    """One panel as it stands on the page; `series`: how far the nearest pixel is from the colour of each."""

    id: int
    title: str
    text: str
    words: list[str]
    series: dict[str, float]
    headings: list[str]
    rows: int
    cells: list[str]
    bars: list[str]


async def read(page: Page) -> dict[int, Seen]:
    """Return the panels of the page by their ids."""
    return {one["id"]: Seen(**one) for one in await page.evaluate(_READ)}


def differences(picture: Json, seen: dict[int, Seen]) -> list[str]:
    """Return what is not on the page and should be, by panel; empty: all is there."""
    found = []
    for panel in picture["dashboard"]["panels"]:
        missing = _missing(panel, _fields(picture["panels"][panel["id"]]["frame"]), seen[panel["id"]])
        found += [f"{panel['title']!r}: {words}" for words in missing]
    return found


def _fields(frame: Json) -> list[Json]:
    return [
        field | {"values": values}
        for field, values in zip(frame["schema"]["fields"], frame["data"]["values"], strict=True)
    ]


def _missing(panel: Json, fields: list[Json], seen: Seen) -> list[str]:
    if seen.title != panel["title"]:
        return [f"titled {seen.title!r}"]
    kind = panel["type"]
    if kind in NOT_PUBLISHED:
        wanted = f"not drawn here: {kind.replace('-', ' ')}"
        return [] if seen.words == [wanted] else [f"{seen.words} where {wanted!r} must stand"]
    if not fields:
        no_value = panel["fieldConfig"]["defaults"]["noValue"]
        return [] if seen.text.strip() == no_value else [f"{seen.text!r} where {no_value!r} must stand"]
    return _RULES[kind](panel, fields, seen)


def _settings(panel: Json, name: str) -> Json:
    """Return a field's settings: the panel's, and over them those of its own name."""
    settings = dict(panel["fieldConfig"]["defaults"])
    settings["custom"] = dict(settings.get("custom", {}))
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == name:
            for entry in override["properties"]:
                place, _, key = entry["id"].rpartition(".")
                (settings["custom"] if place == "custom" else settings)[key] = entry["value"]
    return settings


def _name(panel: Json, field: Json) -> str:
    shown, labels = _settings(panel, field["name"]).get("displayName"), field.get("labels", {})
    if shown is not None:
        named = shown.replace("${__field.name}", field["name"])
        return _LABEL.sub(lambda label: labels.get(label[1], label[0]), named)
    return " ".join([field["name"], *labels.values()])


def _hidden(panel: Json, field: Json, part: str = "viz") -> bool:
    """Whether a field is hidden from the drawing (`viz`) or from the legend."""
    return bool(_settings(panel, field["name"])["custom"].get("hideFrom", {}).get(part))


def _time_series(panel: Json, fields: list[Json], seen: Seen) -> list[str]:
    series = [
        field for field in fields[1:] if not _hidden(panel, field) and not _hidden(panel, field, "legend")
    ]
    names = {_name(panel, field) for field in series}
    if names != set(seen.series):
        return [f"the legend names {sorted(seen.series)}, not {sorted(names)}"]
    return [
        f"no pixel in the colour of {_name(panel, field)!r}: the nearest is {distance:.0f} away"
        for place, field in enumerate(series)
        if _can_be_seen(panel, field, series[place + 1 :])
        and (distance := seen.series[_name(panel, field)] or 0) > _FAR
    ]


def _can_be_seen(panel: Json, field: Json, later: list[Json]) -> bool:
    """Whether a series has a line or area of its own: with a width, not all zero, not under one as wide."""
    custom = _settings(panel, field["name"])["custom"]
    has_line = custom["lineWidth"] > 0 or custom["drawStyle"] == "bars"
    as_wide = [
        one for one in later if _settings(panel, one["name"])["custom"]["lineWidth"] >= custom["lineWidth"]
    ]
    return has_line and any(field["values"]) and not any(_covers(one, field) for one in as_wide)


def _covers(above: Json, below: Json) -> bool:
    """Whether two series are one line, but for how their sums were rounded."""
    return all(
        one == other or (None not in (one, other) and math.isclose(one, other, rel_tol=1e-9))
        for one, other in zip(above["values"], below["values"], strict=True)
    )


def _stat(panel: Json, fields: list[Json], seen: Seen) -> list[str]:
    shown = [line.strip() for line in seen.text.splitlines() if line.strip()]
    names = [_name(panel, field) for field in fields]
    values = shown[1::2] if len(fields) > 1 else shown
    if len(fields) > 1 and shown[::2] != names:
        return [f"named {shown[::2]}, not {names}"]
    return [
        f"{text!r} where {field['values'][0]} must stand"
        for field, text in zip(fields, values, strict=True)
        if not _says(text, field["values"][0], _settings(panel, field["name"]))
    ]


def _bar_gauge(panel: Json, fields: list[Json], seen: Seen) -> list[str]:
    (names,) = [field["values"] for field in fields if field["type"] == "string"]
    (number,) = [field for field in fields if field["type"] == "number"]
    settings = _settings(panel, number["name"])
    missing = [f"no bar named {name!r}" for name in names if name not in seen.text]
    if len(seen.bars) != len(names):
        return [*missing, f"{len(seen.bars)} bars, not {len(names)}"]
    return missing + [
        f"{text!r} where {value} must stand"
        for value, text in zip(number["values"], seen.bars, strict=True)
        if not _says(text, value, settings)
    ]


def _table(panel: Json, fields: list[Json], seen: Seen) -> list[str]:
    columns = [field for field in fields if not _hidden(panel, field)]
    headings = [_name(panel, field) for field in columns]
    rows = len(fields[0]["values"])
    if seen.headings != headings:
        return [f"the headings are {seen.headings}, not {headings}"]
    if seen.rows - 1 != rows:  # one row has the headings
        return [f"{seen.rows - 1} rows, not {rows}"]
    return [
        f"row {row + 1}, {headings[place]!r}: {text!r} where {value!r} must stand"
        for place, field in enumerate(columns)
        for row, value in enumerate(field["values"])
        for text in [seen.cells[row * len(columns) + place]]
        if field["type"] in ("number", "string") and not _says(text, value, _settings(panel, field["name"]))
    ]


_RULES = {"timeseries": _time_series, "stat": _stat, "bargauge": _bar_gauge, "table": _table}


def _says(text: str, value: Any, settings: Json) -> bool:
    """Whether a text says a value: the mapped word, the number with its unit, or the text itself."""
    if value is None:
        return text == settings.get("noValue", "")
    for mapping in settings.get("mappings", []):
        if mapping["type"] == "value" and str(value) in mapping["options"]:
            return text == mapping["options"][str(value)]["text"]
    if isinstance(value, str):
        return text == value.strip()
    if not text.endswith(_SUFFIXES.get(settings["unit"], "")):
        return False
    value *= _VALUES_IN.get(settings["unit"], 1)
    shown = _number(text.replace("\n", ""))
    least = 0.5 * 10 ** -settings["decimals"] if "decimals" in settings else 0
    return abs(shown - value) <= max(least * _factor(text), _TOLERANCE * abs(value))


def _number(text: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise AssertionError(f"{text!r} is no number with a unit")
    return float(match[1]) * _factor(text)


def _factor(text: str) -> float:
    """Return what the unit of `12.0 kW` stands for, in the unit without a prefix."""
    match = _NUMBER.fullmatch(text)
    unit = match[2] if match else ""
    known = _TIMES_S | _DAYS_S | _BYTES
    if unit in known:
        return known[unit]
    return _PREFIXES[unit[0]] if unit[:1] in _PREFIXES and unit != "m" else 1
