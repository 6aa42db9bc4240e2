"""Write the catalogue of docs/scenarios.md, below its mark, from the scenario and mix files.

Example: python docs/generate_scenarios.py --check
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from generated import run

from csms import mix_file, scenario_file
from csms.mix import Mix
from csms.scenario import Scenario

PAGE = Path(__file__).parent / "scenarios.md"
SCENARIOS = Path(__file__).parents[1] / "scenarios"

MARK = "<!-- What follows is made by docs/generate_scenarios.py; a test checks that it is up to date. -->"
GROUPS = {
    "Anomalies and attacks": lambda one: one.anomaly is not None,
    "Hard negatives: benign, and easily taken for an attack": lambda one: one.hard_negative,
    "Benign": lambda one: one.anomaly is None and not one.hard_negative,
}


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _ends(scenario: Scenario) -> str:
    if scenario.repeat is None:
        return "when stopped"
    return "by itself" if scenario.repeat == 1 else f"after {scenario.repeat} cycles"


def _parameters(scenario: Scenario) -> str:
    return "; ".join(
        f"`{name}` {given.default:g} ({given.minimum:g} to {given.maximum:g}) {given.unit}".rstrip()
        for name, given in scenario.parameters.items()
    )


def _row(scenario: Scenario) -> str:
    accepted = f" Also right: {', '.join(scenario.accepted)}." if scenario.accepted else ""
    together = " Needs several charge points in phase." if scenario.together else ""
    cells = (
        scenario.number,
        f"[`{scenario.name}`](../scenarios/{scenario.name}.toml)",
        _cell(scenario.description + accepted + together),
        _cell(scenario.imitates),
        _cell(_parameters(scenario)),
        _ends(scenario),
    )
    return f"| {' | '.join(cells)} |"


def _number(scenario: Scenario) -> tuple[int, str]:
    digits = scenario.number[1:]
    return int(digits) if digits else 0, scenario.name


def _mix_row(mix: Mix) -> str:
    entries = ", ".join(
        f"{entry.scenario}{f' ({entry.weight:g})' if mix.order == 'random' else ''}" for entry in mix.runs
    )
    together = ", together" if mix.together else ""
    name = f"[`{mix.name}`](../scenarios/mixes/{mix.name}.toml)"
    return f"| {name} | {mix.order}{together} | {_cell(mix.description)} | {entries} |"


def page() -> str:
    """Return the whole page: the words that stand in it, and the catalogue anew."""
    words, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    scenarios, errors = scenario_file.load_directory(SCENARIOS)
    mixes, wrong = mix_file.load_directory(SCENARIOS / "mixes", scenarios)
    for error in (*errors, *wrong):
        raise error
    lines = [MARK, "", "## The catalogue", "", "Parameters: default (least to greatest) and unit.", ""]
    for title, is_in in GROUPS.items():
        group: Iterable[Scenario] = sorted(filter(is_in, scenarios.values()), key=_number)
        lines += [
            f"### {title}",
            "",
            "| No. | Name | What happens | Imitates | Parameters | Ends |",
            "|---|---|---|---|---|---|",
            *map(_row, group),
            "",
        ]
    lines += ["### Mixes", "", "| Name | Order | What it is | Of (weight) |", "|---|---|---|---|"]
    lines += map(_mix_row, mixes.values())
    return words + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(run(__doc__, PAGE, page))
