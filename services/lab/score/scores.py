"""The scores: outcomes gathered by kind and judge, as rows for score.json. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.terminal import plural
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
    """Return in words how the baselines of these names fare beside ours: on the whole, and on a scenario.

    On a scenario the recall counts; on the whole the mean of the recalls and the false alarms of all life:
    who wins is better in one of them and worse in neither.
    """
    rows = [row for row in rows if row["events"]]
    if not rows:
        return "No anomaly was judged."
    if not names:
        return "No trivial baseline was judged."
    ours = _Whole.of(rows, benign)
    theirs = {
        name: _Whole.of([row["baselines"][name] for row in rows], [row["baselines"][name] for row in benign])
        for name in names
    }
    winners = [f"{name} ({whole})" for name, whole in theirs.items() if whole.beats(ours)]
    equals = [name for name, whole in theirs.items() if whole == ours]
    told = []
    if winners:
        told.append(f"On the whole {', '.join(winners)} {_verb(winners, 'win')} over ours ({ours}).")
    if equals:
        told.append(f"On the whole {', '.join(equals)} {_verb(equals, 'equal')} ours ({ours}).")
    if not told:
        told.append("No trivial baseline wins on the whole.")
    higher = [
        f"{name} on {row['scenario']}"
        for name in names
        for row in rows
        if row["baselines"][name]["recall"] > row["recall"]
    ]
    if higher:
        told.append(f"A higher recall than ours: {'; '.join(higher)}.")
    elif winners or equals:
        told.append("On no scenario is a recall higher than ours.")
    else:
        told.append("Nor on any scenario.")
    return " ".join(told)


@dataclass(frozen=True, slots=True)
class _Whole:
    """What counts of a judge on the whole."""

    recall: float
    false_alarms: int

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], benign: Sequence[Mapping[str, Any]]) -> "_Whole":
        """Return it, of a judge's rows with events and of those without."""
        mean = sum(row["recall"] for row in rows) / len(rows)
        return cls(mean, sum(row["false_alarms"] for row in (*rows, *benign)))

    def beats(self, other: "_Whole") -> bool:
        """Return whether it is better in something and worse in nothing."""
        is_worse = self.recall < other.recall or self.false_alarms > other.false_alarms
        return not is_worse and self != other

    def __str__(self) -> str:
        return f"mean recall {self.recall:.3g}, {plural(self.false_alarms, 'false alarm')}"


def _verb(names: Sequence[str], verb: str) -> str:
    return verb if len(names) > 1 else f"{verb}s"


def _order(kind: Kind) -> tuple[str, int, str]:
    """A1 before A2 before A10, then H1; what has no number last."""
    letter, digits = kind.number[:1] or "~", kind.number[1:]
    return letter, int(digits) if digits.isdigit() else 0, kind.name
