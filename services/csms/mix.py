"""Mixes: several scenarios one after the other, drawn by weight or in sequence. Pure.

One seed draws one course: which scenario, with which parameters, seed, length and pause before it.
"""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from csms.scenario import Number, Scenario, Text, Word, chosen_parameters

ALL = "*"
"""In place of a charge point's identity: the course of all of them together."""


class Span(Struct, frozen=True, forbid_unknown_fields=True, rename={"low": "from", "high": "to"}):
    """A number drawn anew for each run, evenly between two."""

    low: Number
    high: Number


Drawable: TypeAlias = Number | Span


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario of a mix; `lasts_s`: its run ends then at the latest (not given: as its own file says)."""

    scenario: Word
    weight: Annotated[float, Meta(gt=0, le=1e6)] = 1.0
    parameters: dict[str, Drawable] = {}
    lasts_s: Annotated[float, Meta(gt=0, le=86_400.0)] | None = None


class Mix(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole mix. `order` random: each run is drawn by the entries' weights; sequence: as they stand.

    `together`: all charge points live each run as one; else each has a course of its own. `pause_s`: before
    every run but the first.
    """

    name: Word
    title: Text
    description: Text
    order: Literal["random", "sequence"] = "random"
    together: bool = False
    pause_s: Drawable = 30.0
    runs: Annotated[tuple[Entry, ...], Meta(min_length=1, max_length=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRun:
    """A run of a course."""

    scenario: Scenario
    parameters: Mapping[str, float]
    seed: int
    lasts_s: float
    pause_s: float


def course(mix: Mix, scenarios: Mapping[str, Scenario], seed: int, where: str) -> Iterator[DrawnRun]:
    """Yield, without end, what a charge point (or ALL) lives; a sequence begins again after its last."""
    for number in itertools.count():
        # A generator for each run, so that a run does not depend on what was drawn for those before it.
        rng = random.Random(f"{seed}/{where}/run {number}")
        entry = _entry(mix, number, rng)
        scenario = scenarios[entry.scenario]
        yield DrawnRun(
            scenario=scenario,
            parameters=chosen_parameters(
                scenario, {name: _drawn(value, rng) for name, value in entry.parameters.items()}
            ),
            seed=rng.randrange(2**31),
            lasts_s=scenario.lasts_s if entry.lasts_s is None else entry.lasts_s,
            pause_s=_drawn(mix.pause_s, rng) if number else 0.0,
        )


def courses(mix: Mix, charge_point_ids: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return where each course of a mix is lived: the name that its seed needs, and its charge points."""
    if mix.together:
        return [(ALL, tuple(charge_point_ids))]
    return [(charge_point_id, (charge_point_id,)) for charge_point_id in charge_point_ids]


def extremes(entry: Entry) -> list[dict[str, float]]:
    """Return an entry's parameters at the least and at the greatest that may be drawn."""
    return [
        {
            name: getattr(value, end) if isinstance(value, Span) else value
            for name, value in entry.parameters.items()
        }
        for end in ("low", "high")
    ]


def _entry(mix: Mix, number: int, rng: random.Random) -> Entry:
    if mix.order == "sequence":
        return mix.runs[number % len(mix.runs)]
    return rng.choices(mix.runs, [entry.weight for entry in mix.runs])[0]


def _drawn(value: Drawable, rng: random.Random) -> float:
    return rng.uniform(value.low, value.high) if isinstance(value, Span) else float(value)
