"""Settings: read once from the environment, everything that is wrong named at once.

A service declares a frozen dataclass whose fields are made by `setting`; `read` fills it.
"""

import dataclasses
import math
import os
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from contracts.errors import ContractError

T = TypeVar("T")

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


class SettingsError(ContractError):
    """What is missing or wrong in the environment; one message for all of it."""


def setting(
    env: str,
    doc: str,
    *,
    default: Any = dataclasses.MISSING,
    check: Callable[[Any], str | None] | None = None,
    secret: bool = False,
) -> Any:
    """Declare a field read from `env`; without `default` it must be given.

    `doc` is what docs/settings.md says of it, with the unit. `check` returns what is wrong, or None.
    A secret is never printed, and may be given as a file named by `<env>_FILE`.
    """
    metadata = {"env": env, "doc": doc, "check": check, "secret": secret}
    return dataclasses.field(default=default, repr=not secret, metadata=metadata)


def at_least(lowest: float) -> Callable[[Any], str | None]:
    """Return a check that a number is not below `lowest`."""
    return lambda value: None if value is None or value >= lowest else f"{value} is below {lowest}"


def within(lowest: float, highest: float) -> Callable[[Any], str | None]:
    """Return a check that a number lies in lowest … highest."""
    return lambda value: None if lowest <= value <= highest else f"{value} is not in {lowest} … {highest}"


def one_of(*words: str) -> Callable[[Any], str | None]:
    """Return a check that a value is one of the words."""
    return lambda value: None if value in words else f"{value!r} is none of {', '.join(words)}"


def websocket_url(value: str) -> str | None:
    """Check the address of a CSMS."""
    parts = urlsplit(value)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.username:
        return "is no ws:// or wss:// URL without a user"
    return None


def csms_replicas() -> Any:
    """Declare the setting of how many CSMSs there are."""
    return setting(
        "CSMS_REPLICAS",
        "How many CSMSs share the charge points: an identity's hash says which of them holds it, and "
        "`{replica}` in an address is its number, from 0 on",
        default=1,
        check=within(1, 21),  # as many as have transaction ids of their own
    )


def group(kind: type[Any]) -> Any:
    """Declare a field that holds another dataclass of settings, read with this one."""
    return dataclasses.field(default_factory=kind)


def read(kind: type[T], environ: Mapping[str, str] | None = None) -> T:
    """Return `kind` filled from the environment, or raise SettingsError naming everything that is wrong.

    Where what was read has a method `demand_safety`, what that raises is part of it.
    """
    missing: list[str] = []
    wrong: list[str] = []
    value = _filled(kind, os.environ if environ is None else environ, missing, wrong)
    if missing or wrong:
        raise SettingsError("; ".join([*([f"missing {', '.join(missing)}"] if missing else []), *wrong]))
    return value


def names(kind: type[Any]) -> set[str]:
    """Return the variables of `kind` itself, without those of its groups and without secrets."""
    return {
        field.metadata["env"]
        for field in dataclasses.fields(kind)
        if "env" in field.metadata and not field.metadata["secret"]
    }


def all_names(kind: type[Any]) -> set[str]:
    """Return every variable of `kind`, those of its groups and secrets too."""
    hints = typing.get_type_hints(kind)
    found: set[str] = set()
    for field in dataclasses.fields(kind):
        found |= {field.metadata["env"]} if "env" in field.metadata else all_names(hints[field.name])
    return found


def _filled(kind: type[T], environ: Mapping[str, str], missing: list[str], wrong: list[str]) -> T:
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    sound = True
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if "env" not in field.metadata:
            values[field.name] = _filled(hints[field.name], environ, missing, wrong)
            continue
        env = field.metadata["env"]
        try:
            text = _text(env, environ, secret=field.metadata["secret"])
            if text is None:
                if field.default is dataclasses.MISSING:
                    missing.append(env)
                    sound = False
                continue
            value = _parse(hints[field.name], text)
        except (ValueError, OSError) as error:
            wrong.append(f"{env}: {error}")
            sound = False
            continue
        complaint = field.metadata["check"](value) if field.metadata["check"] else None
        if complaint:
            wrong.append(f"{env}: {'not acceptable' if field.metadata['secret'] else complaint}")
        values[field.name] = value
    if not sound:
        return typing.cast(T, None)  # never handed out: `read` raises
    filled = kind(**values)
    try:
        getattr(filled, "demand_safety", lambda: None)()
    except SettingsError as error:
        wrong.append(str(error))
    return filled


def _text(env: str, environ: Mapping[str, str], *, secret: bool) -> str | None:
    # An empty variable counts as not given: compose files pass unset ones on as empty.
    if environ.get(env):
        return environ[env]
    if secret and environ.get(f"{env}_FILE"):
        with open(environ[f"{env}_FILE"], encoding="utf-8") as file:  # noqa: PTH123 - a file, read whole
            return file.read().strip() or None
    return None


def _parse(hint: Any, text: str) -> Any:
    if isinstance(hint, types.UnionType):  # `X | None`: given, so it is an X
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    if hint is bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise ValueError(f"{text!r} is neither true nor false")
    if hint in (int, float):
        try:
            number = hint(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number") from None
        if not math.isfinite(number):
            raise ValueError(f"{text!r} is not a finite number")
        return number
    if typing.get_origin(hint) is tuple:  # a comma-separated list
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if hint is not str:
        raise TypeError(f"settings of type {hint} cannot be read")
    return text
