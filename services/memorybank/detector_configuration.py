"""Which detectors run, with which thresholds: all of them as they stand, or as a TOML file says.

```toml
layers = ["consistency", "periodicity"]   # the others are off; without this line all are on
[reversals]
threshold = 12
[mass_step]
enabled = false
```
"""

import dataclasses
import hashlib
import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, get_args

import msgspec

from chassis.settings import SettingsError
from memorybank.detector import AnyDetector, Layer

Thresholds: TypeAlias = Mapping[tuple[str, str], Any]
"""Values by (name of a detector, its field); `*` is every detector that has the field."""

LAYERS: tuple[Layer, ...] = get_args(Layer)


def load(path: str, detectors: Iterable[AnyDetector]) -> tuple[AnyDetector, ...]:
    """Return the detectors as the file says; an empty path: as they are. Raises SettingsError."""
    if not path:
        return tuple(detectors)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    return configured(text, detectors, path)


def configured(text: str, detectors: Iterable[AnyDetector], place: str = "TOML") -> tuple[AnyDetector, ...]:
    """Return the detectors as the text says, without those that are off.

    Raises SettingsError, naming `place` and everything that is wrong.
    """
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{place}: {error}") from None
    detectors = tuple(detectors)
    wrong: list[str] = []
    layers = said.pop("layers", list(LAYERS))
    if not isinstance(layers, list) or not set(map(str, layers)) <= set(LAYERS):
        wrong.append(f"layers: a list of {', '.join(LAYERS)}")
        layers = []
    names = [detector.name for detector in detectors]
    wrong += [f"[{name}]: no detector; there are {', '.join(names)}" for name in said if name not in names]
    kept = []
    for detector in detectors:
        fields = said.get(detector.name, {})
        if not isinstance(fields, dict):
            wrong.append(f"{detector.name}: write it as a table, [{detector.name}]")
            continue
        enabled = fields.pop("enabled", True)
        if not isinstance(enabled, bool):
            wrong.append(f"{detector.name}.enabled: true or false")
        changed = _changed(detector, fields, wrong)
        if enabled and detector.layer in layers:
            kept.append(changed)
    if wrong:
        raise SettingsError(f"{place}: {'; '.join(wrong)}")
    return tuple(kept)


def overridden(detectors: Iterable[AnyDetector], values: Thresholds) -> tuple[AnyDetector, ...]:
    """Return the detectors with the values that are given (None: not given). Raises SettingsError."""
    wrong: list[str] = []
    kept = []
    for detector in detectors:
        fields = {
            field: value
            for (name, field), value in values.items()
            if value is not None and name in ("*", detector.name) and field in _defaults(detector)
        }
        kept.append(_changed(detector, fields, wrong))
    if wrong:
        raise SettingsError("; ".join(wrong))
    return tuple(kept)


def digest(detectors: Iterable[AnyDetector]) -> str:
    """Return the SHA-256 of every detector's name and thresholds: the configuration, in short."""
    values = {detector.name: _defaults(detector) for detector in detectors}
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()


def _defaults(detector: AnyDetector) -> dict[str, Any]:
    """Return the thresholds as they stand."""
    return {field.name: getattr(detector, field.name) for field in dataclasses.fields(detector)}  # type: ignore[arg-type]


def _changed(detector: AnyDetector, fields: Mapping[str, Any], wrong: list[str]) -> AnyDetector:
    """Return the detector with these fields; add to `wrong` what cannot be."""
    defaults = _defaults(detector)
    values = {}
    for name, value in fields.items():
        if name not in defaults:
            wrong.append(f"{detector.name}.{name}: no such threshold; there are {', '.join(defaults)}")
            continue
        complaint = _complaint(value, defaults[name])
        if complaint:
            wrong.append(f"{detector.name}.{name}: {complaint}, not {value!r}")
            continue
        values[name] = _of_kind(value, defaults[name])
    try:
        return dataclasses.replace(detector, **values)  # type: ignore[type-var]
    except ValueError as error:
        wrong.append(f"{detector.name}: {error}")
        return detector


def _complaint(value: Any, default: Any) -> str | None:
    """Return what a value in place of the default should be, if it is not."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, int | float):
        kinds = int if isinstance(default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            return "a whole number" if kinds is int else "a number"
        # A threshold's sign is its meaning: none is turned around by a file.
        if (default > 0 >= value) or (default < 0 <= value):
            return "above 0" if default > 0 else "below 0"
        return "0 or more" if default == 0 and value < 0 else None
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple) or not value:
            return "a list"
        complaints = (_complaint(item, default[0]) for item in value)
        return next((f"a list, each {complaint}" for complaint in complaints if complaint), None)
    return None if isinstance(value, type(default)) else f"a {type(default).__name__}"


def _of_kind(value: Any, default: Any) -> Any:
    """Return the value as the default is: a whole number is a float too, a list of TOML a tuple."""
    if isinstance(default, float):
        return float(value)
    if isinstance(default, tuple):
        return tuple(_of_kind(item, default[0]) for item in value)
    return value
