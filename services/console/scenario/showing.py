"""`show`: a scenario with its parameters, a mix with its runs."""

from collections.abc import Mapping

import msgspec

from chassis.screen import Column, Screen
from console.answers import Mix, Scenario
from console.scenario import words

_PARAMETERS = (
    Column("parameter", "name"),
    Column("default", "default"),
    Column("range", "range"),
    Column("unit", "unit"),
    Column("what it is", "description", folds=True),
)
_SCENARIO = Column("scenario", "scenario")
_LASTS = Column("at most s", "lasts_s", 0)
_OF_RUN = Column("parameters", "parameters", folds=True)
_DRAWN = (_SCENARIO, Column("share %", "share", 0), _LASTS, _OF_RUN)
_IN_TURN = (Column("no.", "number", 0), _SCENARIO, _LASTS, _OF_RUN)


def scenario(screen: Screen, one: Scenario) -> None:
    """Show a scenario."""
    truth = "benign" if one.anomaly is None else ", or ".join((one.anomaly, *one.accepted))
    facts = {
        f"{one.number} {one.name}".strip(): one.title,
        "what happens": one.description,
        "imitates": one.imitates,
        "source": one.source,
        "truth": truth,
        "ends": words.ending(one),
    }
    _tell(screen, facts)
    screen.table("Parameters", _PARAMETERS, words.parameter_rows(one), facts=[msgspec.to_builtins(one)])


def mix(screen: Screen, one: Mix, lasting: Mapping[str, float]) -> None:
    """Show a mix; `lasting`: how long, in seconds, a run of each scenario is where the mix does not say."""
    is_drawn = one.order == "random"
    facts = {
        one.name: one.title,
        "what happens": one.description,
        "order": "drawn by their shares, until --count or --for ends it" if is_drawn else "in turn, once",
        "charge points": "live each run as one" if one.together else "each has a course of its own",
        "pause before a run": f"{words.span(one.pause_s)} s",
    }
    _tell(screen, facts)
    screen.table(
        "Runs",
        _DRAWN if is_drawn else _IN_TURN,
        words.entry_rows(one, lasting),
        facts=[msgspec.to_builtins(one)],
    )


def _tell(screen: Screen, facts: Mapping[str, str]) -> None:
    for name, text in facts.items():
        screen.prose(f"{name}: {' '.join(text.split())}")
