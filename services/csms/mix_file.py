"""Mix files: TOML, read whole or refused with everything that is wrong named by file and line."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from contracts.errors import ContractError
from csms import toml_lines
from csms.mix import Mix, Span, extremes
from csms.scenario import Scenario, WrongParameters, chosen_parameters
from csms.scenario_file import converted, placed

MIXES = "mixes"
"""Their directory within the scenarios'."""


class MixFileError(ContractError):
    """A file that is no mix; one line for each thing that is wrong."""


def parsed(text: str, file_name: str, scenarios: Mapping[str, Scenario]) -> Mix:
    """Return the mix that a text is, of scenarios that there are, or raise MixFileError."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MixFileError(f"{file_name}: {error}") from error
    wrong: list[str] = []
    mix: Mix | None = converted(content, Mix, "", wrong)
    if mix is not None:
        wrong += _wrong_draws(mix)
        wrong += _wrong_entries(mix, scenarios)
    if wrong or mix is None:
        raise MixFileError("\n".join(placed(file_name, wrong, toml_lines.lines(text))))
    return mix


def load(path: Path, scenarios: Mapping[str, Scenario]) -> Mix:
    """Return the mix in a file, or raise MixFileError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise MixFileError(f"{path.name}: {error}") from error
    mix = parsed(text, path.name, scenarios)
    if mix.name != path.stem:
        line = toml_lines.line_of("name", toml_lines.lines(text))
        raise MixFileError(f"{path.name}: name: {mix.name!r} is not the file's name (line {line})")
    return mix


def load_directory(
    directory: Path, scenarios: Mapping[str, Scenario]
) -> tuple[dict[str, Mix], list[MixFileError]]:
    """Return the mixes of a directory by name, and what is wrong with the files that are none."""
    mixes: dict[str, Mix] = {}
    errors: list[MixFileError] = []
    for path in sorted(directory.glob("*.toml")):
        try:
            mixes[path.stem] = load(path, scenarios)
        except MixFileError as error:
            errors.append(error)
    return mixes, errors


def _wrong_draws(mix: Mix) -> list[str]:
    draws = {"pause_s": mix.pause_s}
    for number, entry in enumerate(mix.runs):
        draws |= {f"runs[{number}].parameters.{name}": value for name, value in entry.parameters.items()}
    return [
        f"{place}: from {value.low:g} to {value.high:g} is no span"
        for place, value in draws.items()
        if isinstance(value, Span) and value.low > value.high
    ]


def _wrong_entries(mix: Mix, scenarios: Mapping[str, Scenario]) -> list[str]:
    wrong: dict[str, None] = {}
    for number, entry in enumerate(mix.runs):
        scenario = scenarios.get(entry.scenario)
        if scenario is None:
            wrong[f"runs[{number}].scenario: there is no scenario {entry.scenario!r}"] = None
            continue
        if scenario.together and not mix.together:
            reason = "moves its charge points in phase: it needs together = true"
            wrong[f"runs[{number}].scenario: {entry.scenario} {reason}"] = None
        for values in extremes(entry):
            try:
                chosen_parameters(scenario, values)
            except WrongParameters as error:
                wrong[f"runs[{number}].parameters: {error}"] = None
    return list(wrong)
