"""Which of several CSMSs a request to the HTTP API is for. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from csms.settings import Settings

_ONE_CHARGE_POINT = re.compile(r"/api/charge-points/([^/]+)(?:/[^/]+)?")
_ONE_RUN = re.compile(r"/api/(?:scenario|mix)-runs/[^/]+")
_ONE_TAG = re.compile(r"/api/id-tags/[^/]+")

LISTS: Mapping[str, tuple[str, bool]] = {
    "/api/charge-points": ("charge_point_id", False),
    "/api/transactions": ("started_at", True),
    "/api/scenario-runs": ("started_at", True),
    "/api/mix-runs": ("started_at", True),
}
"""The lists that are spread over the replicas: by what they are sorted, and whether descending."""


@dataclass(frozen=True, slots=True)
class Here:
    """Whoever was asked answers."""


@dataclass(frozen=True, slots=True)
class At:
    """One replica answers: it holds the charge point."""

    replica: int


@dataclass(frozen=True, slots=True)
class Joined:
    """Every replica answers with a list of its own."""

    key: str
    descending: bool


@dataclass(frozen=True, slots=True)
class AtAll:
    """Every replica must do it."""


@dataclass(frozen=True, slots=True)
class Sought:
    """One replica knows it, and only asking tells which."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """No replica can do it alone."""

    reason: str


Route: TypeAlias = Here | At | Joined | AtAll | Sought | Impossible


def route(settings: Settings, method: str, path: str, query: str, body: bytes) -> Route:
    """Return who answers a request; `path` is decoded."""
    named = _named(path, query, body)
    holders = {settings.holder_of(charge_point_id) for charge_point_id in named}
    if len(holders) == 1:
        return At(holders.pop())
    if holders:
        held = ", ".join(f"{name}: csms-{settings.holder_of(name)}" for name in sorted(named))
        return Impossible(f"these charge points are held by different CSMSs, ask for each ({held})")
    if method in ("GET", "HEAD"):
        if path in LISTS:
            return Joined(*LISTS[path])
    elif path == "/api/stop-all" or _ONE_TAG.fullmatch(path):
        return AtAll()
    return Sought() if _ONE_RUN.fullmatch(path) else Here()


def _named(path: str, query: str, body: bytes) -> set[str]:
    """Return the charge points that a request names."""
    if match := _ONE_CHARGE_POINT.fullmatch(path):
        return {match[1]}
    if path in LISTS:
        named = parse_qs(query).get("charge_point_id", [])
        if named:
            return {named[-1]}
    try:
        asked = json.loads(body) if body else None
    except (ValueError, RecursionError):
        return set()  # whoever answers says what is wrong with it
    if not isinstance(asked, dict):
        return set()
    return {name for name in _listed(asked) if isinstance(name, str)}


def _listed(asked: dict[str, Any]) -> list[Any]:
    many = asked.get("charge_point_ids")
    return [*(many if isinstance(many, list) else []), asked.get("charge_point_id")]
