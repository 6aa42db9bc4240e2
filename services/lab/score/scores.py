"""The scores: outcomes gathered by kind and judge, as rows for score.json. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lab.score.picture import Point
from lab.score.stretches import BENIGN, Kind
from lab.score.tally import Tally
from lab.score.work import OURS, Outcome

Scores = dict[str, Any]
WITHOUT = "without "
"""Before a layer's name: the judge that has all detectors but its."""
AT_THRESHOLD = "reversals at "
"""Before a number: the judge whose reversals have that threshold."""


class Gathered:
    """Tallies by kind of life and judge."""

    def __init__(self) -> None:
        self._tallies: dict[Kind, dict[str, Tally]] = {}
        self.lived_s = 0.0
        self.complaints: Counter[str] = Counter()
        """What was wrong with a foreign detector, by reason."""

    def add(self, outcome: Outcome) -> None:
        """Take what the judges did on a stretch."""
        of_kind = self._tallies.setdefault(outcome.kind, {})
        for name, tally in outcome.tallies.items():
            of_kind.setdefault(name, Tally()).merge(tally)
        self.lived_s += outcome.lived_s
        self.complaints.update(outcome.complaints)

    def scores(
        self,
        made: Mapping[str, Any],
        layers: Sequence[str],
        baselines: Sequence[str],
        foreign: Sequence[str] = (),
    ) -> Scores:
        """Return all rows; `made` says how they came about, `foreign` which detectors are not ours."""
        kinds = sorted(self._tallies, key=_order)
        rows = [self._row(kind, layers, baselines, foreign) for kind in kinds if kind.accepted]
        benign = [self._row(kind, layers, baselines, foreign) for kind in kinds if not kind.accepted]
        return {
            "made": {**made, "occupied_s": self.lived_s},
            "layers": list(layers),
            "baselines": list(baselines),
            "foreign": list(foreign),
            "complaints": dict(self.complaints),
            "rows": rows,
            "benign": benign,
            "verdict": verdict(rows, benign, baselines),
        }

    def curves(self, scenario: str, baselines: Iterable[str]) -> dict[str, list[Point]]:
        """Return (false alarms a benign charge-point-day, median delay) of one scenario, a line a judge."""
        found = {kind.name: tallies for kind, tallies in self._tallies.items()}
        benign, swings = found.get(BENIGN, {}), found.get(scenario, {})
        lines: dict[str, list[Point]] = {}
        for name in swings.keys() & benign.keys():
            line = "reversals alone" if name.startswith(AT_THRESHOLD) else name
            if line not in (OURS, "reversals alone", *baselines):
                continue
            delay_s = swings[name].row()["delay_from_command_s"]
            rate = benign[name].row()["false_alarms_per_charge_point_day"]
            if delay_s is not None and rate is not None:
                lines.setdefault(line, []).append((rate, delay_s["median"]))
        return dict(sorted(lines.items(), key=lambda item: item[0] != OURS))

    def _row(
        self, kind: Kind, layers: Sequence[str], baselines: Sequence[str], foreign: Sequence[str]
    ) -> dict[str, Any]:
        tallies = self._tallies[kind]
        return {
            "scenario": kind.name,
            "number": kind.number,
            **tallies.get(OURS, Tally()).row(),
            "baselines": {name: tallies.get(name, Tally()).row() for name in baselines},
            "foreign": {
                name: {"scenario": kind.name, "number": kind.number, **tallies.get(name, Tally()).row()}
                for name in foreign
            },
            "without": {layer: tallies.get(WITHOUT + layer, Tally()).row() for layer in layers},
        }


def verdict(
    rows: Sequence[Mapping[str, Any]], benign: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> str:
    """Return in words whether a baseline wins: on a scenario, and on the whole.

    On a scenario: a higher recall. On the whole: a higher mean recall at no more false alarms.
    """
    if not rows:
        return "No anomaly was judged."
    wins = [
        f"{name} on {row['scenario']}"
        for name in names
        for row in rows
        if (row["baselines"][name]["recall"] or 0.0) > (row["recall"] or 0.0)
    ]
    ours = _mean_recall(rows), sum(row["false_alarms"] for row in benign)
    whole = [
        name
        for name in names
        if _mean_recall([row["baselines"][name] for row in rows]) >= ours[0]
        and sum(row["baselines"][name]["false_alarms"] for row in benign) <= ours[1]
    ]
    told = f"On the whole {', '.join(whole)} wins." if whole else "No trivial baseline wins on the whole."
    return f"{told} A higher recall than ours: {'; '.join(wins)}." if wins else f"{told} Nor on any scenario."


def _mean_recall(rows: Sequence[Mapping[str, Any]]) -> float:
    return sum(row["recall"] or 0.0 for row in rows) / len(rows)


def _order(kind: Kind) -> tuple[str, int, str]:
    """A1 before A2 before A10, then H1; what has no number last."""
    letter, digits = kind.number[:1] or "~", kind.number[1:]
    return letter, int(digits) if digits.isdigit() else 0, kind.name
