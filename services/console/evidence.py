"""An anomaly's evidence: the current around it, as finely as the memory still has it."""

from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from msgspec import Struct

from console.answers import Stretch, Stretches
from console.apis import Api, Params
from contracts.events import FLEET, Anomaly

MAX_POINTS = 1500
MARGIN_S = 120.0

Fineness: TypeAlias = Literal["reading", "10s", "1m", "1h"]
_PERIODS_S: dict[Fineness, float] = {"reading": 1.0, "10s": 10.0, "1m": 60.0, "1h": 3600.0}


class Evidence(Struct, frozen=True, kw_only=True):
    """`samples` are (at_s, current_a, min_a, max_a, commanded_a), oldest first, MAX_POINTS at most."""

    since_s: float
    until_s: float
    fineness: Fineness
    samples: list[tuple[float, float | None, float | None, float | None, float | None]]


def stretch_of(anomaly: Anomaly, now: datetime) -> tuple[datetime, datetime]:
    """Return from when to when an anomaly is looked at; one that is open goes on until now."""
    margin = timedelta(seconds=MARGIN_S)
    last = max(anomaly.detected_at, now if anomaly.ended_at is None else anomaly.ended_at)
    return anomaly.started_at - margin, max(anomaly.started_at, min(last + margin, now))


def finenesses(span_s: float) -> list[Fineness]:
    """Return how finely to ask for so long a time: first what fits best, then coarser."""
    fitting = [fineness for fineness, period_s in _PERIODS_S.items() if span_s / period_s <= MAX_POINTS]
    return fitting or ["1h"]


async def gathered(memorybank: Api, anomaly: Anomaly) -> Evidence:
    """Return the evidence; raises what `Api.ask` raises.

    What is too old to be remembered finely is there more coarsely; a charge point that is not heard on CAN
    reports by OCPP.
    """
    since, until = stretch_of(anomaly, datetime.now(UTC))
    if anomaly.charge_point_id == FLEET:  # no one waveform shows it
        return _evidence(since, until, "reading", [])
    wanted = finenesses((until - since).total_seconds())
    found, fineness = Stretches(items=[]), wanted[0]
    for origin in ("can", "ocpp"):
        for fineness in wanted:
            found = await _asked(memorybank, anomaly, since, until, fineness, origin)
            if found.items and found.next is None:
                return _evidence(since, until, fineness, found.items)
        if found.items:
            break
    return _evidence(since, until, fineness if found.items else wanted[0], found.items)


async def _asked(
    memorybank: Api, anomaly: Anomaly, since: datetime, until: datetime, fineness: Fineness, origin: str
) -> Stretches:
    params: Params = {
        "charge_point_id": anomaly.charge_point_id,
        "connector": anomaly.connector or 1,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "origin": origin,
        "limit": MAX_POINTS,
    }
    if fineness == "reading":
        return await memorybank.ask("GET", "/api/metrics", Stretches, params=params)
    return await memorybank.ask("GET", "/api/rollups", Stretches, params={**params, "level": fineness})


def _evidence(since: datetime, until: datetime, fineness: Fineness, items: list[Stretch]) -> Evidence:
    return Evidence(
        since_s=since.timestamp(),
        until_s=until.timestamp(),
        fineness=fineness,
        samples=[
            (
                item.at.timestamp(),
                item.current_a,
                item.current_a if item.current_min_a is None else item.current_min_a,
                item.current_a if item.current_max_a is None else item.current_max_a,
                item.commanded_a,
            )
            for item in items
        ],
    )
