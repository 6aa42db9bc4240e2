"""Scenario files: TOML, read whole or refused with everything that is wrong named by file and place."""

import random
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from contracts.errors import ContractError
from csms import toml_lines
from csms.scenario import Inject, Parameter, Scenario, Step, WrongInjection, injection, references, settled

_UNKNOWN_FIELD = re.compile("unknown field `([^`]+)`")
_PARAMETER_NAME = re.compile("[a-z][a-z0-9_]{0,39}")


class ScenarioFileError(ContractError):
    """A file that is no scenario; one line for each thing that is wrong."""


def load(path: Path) -> Scenario:
    """Return the scenario in a file, or raise ScenarioFileError."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ScenarioFileError(f"{path.name}: {error}") from error
    wrong: list[str] = []
    steps, parameters = _steps(content, wrong), _parameters(content, wrong)
    prepare = _listed(content.get("prepare", []), "prepare", wrong)
    header = {
        key: value
        for key, value in content.items()
        if key not in ("steps", "prepare", "parameters", "repeat", "anomaly")
    }
    repeat = content.get("repeat")
    if repeat != "forever" and (not isinstance(repeat, int) or isinstance(repeat, bool) or repeat < 1):
        wrong.append('repeat: "forever" or a whole number from 1 on is demanded')
        repeat = 1
    anomaly = content.get("anomaly")
    if not isinstance(anomaly, str):
        wrong.append('anomaly: the name of what it provokes, or "none", is demanded')
    header |= {
        "anomaly": None if anomaly == "none" else anomaly,
        "repeat": None if repeat == "forever" else repeat,
        "parameters": {},
        "steps": [],
    }
    scenario: Scenario | None = converted(header, Scenario, "", wrong)
    if scenario is not None:
        scenario = msgspec.structs.replace(
            scenario, steps=tuple(steps.values()), prepare=tuple(prepare.values()), parameters=parameters
        )
        if scenario.name != path.stem:
            wrong.append(f"name: {scenario.name!r} is not the file's name")
    by_place = prepare | steps
    wrong += _wrong_references(by_place, content, parameters)
    wrong += _wrong_injections(by_place, parameters)
    if wrong or scenario is None:
        raise ScenarioFileError("\n".join(placed(path.name, wrong, toml_lines.lines(text))))
    return scenario


def load_directory(directory: Path) -> tuple[dict[str, Scenario], list[ScenarioFileError]]:
    """Return the scenarios of a directory by name, and what is wrong with the files that are none.

    Raises ScenarioFileError where there is no such directory.
    """
    if not directory.is_dir():
        raise ScenarioFileError(f"{directory}: no such directory of scenario files")
    scenarios: dict[str, Scenario] = {}
    errors: list[ScenarioFileError] = []
    for path in sorted(directory.glob("*.toml")):
        try:
            scenarios[path.stem] = load(path)
        except ScenarioFileError as error:
            errors.append(error)
    return scenarios, errors


def _steps(content: dict[str, Any], wrong: list[str]) -> dict[str, Step]:
    raw = content.get("steps")
    if not isinstance(raw, list) or not raw:
        wrong.append("steps: at least one [[steps]] is demanded")
        return {}
    return _listed(raw, "steps", wrong)


def _listed(raw: Any, name: str, wrong: list[str]) -> dict[str, Step]:
    """Return the steps of a list by their places."""
    if not isinstance(raw, list):
        wrong.append(f"{name}: write it as [[{name}]]")
        return {}
    places = {f"{name}[{number}]": part for number, part in enumerate(raw)}
    steps = {place: converted(part, Step, place, wrong) for place, part in places.items()}
    return {place: step for place, step in steps.items() if step is not None}


def _parameters(content: dict[str, Any], wrong: list[str]) -> dict[str, Parameter]:
    raw = content.get("parameters", {})
    if not isinstance(raw, dict):
        wrong.append("parameters: a table is demanded")
        return {}
    parameters = {}
    for name, part in raw.items():
        place = f"parameters.{name}"
        if not _PARAMETER_NAME.fullmatch(name):
            wrong.append(f"{place}: a parameter's name is in snake_case")
        parameter = converted(part, Parameter, place, wrong)
        if parameter is None:
            continue
        parameters[name] = parameter
        if not parameter.minimum <= parameter.default <= parameter.maximum:
            wrong.append(f"{place}.default: {parameter.default:g} is not between minimum and maximum")
    return parameters


def _wrong_references(
    steps: dict[str, Step], content: dict[str, Any], parameters: dict[str, Parameter]
) -> list[str]:
    # Against the names in the file, so that a parameter that is wrong itself is not called missing too.
    names = content.get("parameters")
    named = set(names) if isinstance(names, dict) else set()
    used = {name: f"{place}.{field}" for place, step in steps.items() for field, name in references(step)}
    missing = [
        f"{place}: there is no parameter {name!r}" for name, place in used.items() if name not in named
    ]
    unused = [f"parameters.{name}: no step uses it" for name in parameters if name not in used]
    return missing + unused


def _wrong_injections(steps: dict[str, Step], parameters: dict[str, Parameter]) -> list[str]:
    """Return what is wrong with injections at the parameters' defaults, least and greatest values."""
    wrong: dict[str, None] = {}
    for place, step in steps.items():
        if not isinstance(step, Inject):
            continue
        if not {name for _, name in references(step)} <= parameters.keys():
            continue
        for which in ("default", "minimum", "maximum"):
            values = {name: float(getattr(parameter, which)) for name, parameter in parameters.items()}
            try:
                injection(settled(step, values, random.Random(0)))
            except WrongInjection as error:
                wrong[f"{place}.with: {error}"] = None
    return list(wrong)


def placed(name: str, wrong: list[str], known: dict[str, int]) -> Iterator[str]:
    """Yield each complaint with the file's name and, where it has one, the line."""
    for complaint in wrong:
        place, _, reason = complaint.partition(": ")
        unknown = _UNKNOWN_FIELD.search(complaint)
        if unknown:
            place = f"{place}.{unknown[1]}" if reason else unknown[1]
        line = toml_lines.line_of(place, known)
        yield f"{name}: {complaint}" + (f" (line {line})" if line else "")


def converted(part: Any, kind: Any, place: str, wrong: list[str]) -> Any:
    """Return a part of a file as its kind; None, and what is wrong added with its place, where it is none."""
    try:
        return msgspec.convert(part, kind)
    except msgspec.ValidationError as error:
        reason, _, inner = str(error).partition(" - at `$")
        where = f"{place}{inner.removesuffix('`')}".strip(".")
        wrong.append(f"{where}: {reason}" if where else reason)
        return None
