"""Ground truth beside a verdict: what the CSMS knows of the scenarios that ran where an anomaly was found."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol

from msgspec import Struct

from console.answers import ScenarioRun, ScenarioRuns
from console.apis import Api, ApiError, Params
from contracts.events import FLEET, Anomaly

AFTERMATH_S = 60.0
"""A detector looks back so far: what it finds by then may still be a run's."""
_MAX_RUNS = 50


class Told(Protocol):
    """What of an anomaly the truth is asked for."""

    @property
    def charge_point_id(self) -> str:
        """Where; `*` is the fleet."""

    @property
    def started_at(self) -> datetime:
        """When it began."""

    @property
    def detected_at(self) -> datetime:
        """When the detector spoke."""


class Truth(Struct, frozen=True, kw_only=True):
    """The runs of the anomaly's time at its charge point, and what they make of the detector's word."""

    known: bool
    runs: list[ScenarioRun]
    verdict: Literal["true_positive", "false_positive", "unknown"]
    text: str


async def told(csms: Api, anomaly: Anomaly) -> Truth:
    """Return the truth on an anomaly; where the CSMS does not answer, it is not known."""
    since, until = _stretch(anomaly)
    params: Params = {"since": since.isoformat(), "until": until.isoformat(), "limit": _MAX_RUNS}
    if anomaly.charge_point_id != FLEET:
        params["charge_point_id"] = anomaly.charge_point_id
    before: Params = {"until": anomaly.started_at.isoformat(), "limit": 1}
    try:
        runs = await csms.ask("GET", "/api/scenario-runs", ScenarioRuns, params=params)
        remembers = bool(runs) or bool(
            await csms.ask("GET", "/api/scenario-runs", ScenarioRuns, params=before)
        )
    except ApiError as error:
        return Truth(known=False, runs=[], verdict="unknown", text=f"Not known: {error}")
    return judged(anomaly, runs, remembers=remembers)


def judged(anomaly: Anomaly, runs: Sequence[ScenarioRun], *, remembers: bool) -> Truth:
    """Return what runs make of an anomaly; `remembers`: the CSMS knows of runs from then or before."""
    where = "the fleet" if anomaly.charge_point_id == FLEET else anomaly.charge_point_id
    if provoked := _provoking(anomaly, runs):
        named = [run for run in provoked if run.anomaly == anomaly.kind]
        cause = (named or provoked)[0]
        ended = "" if cause.ended_at is None else f" until {_clock(cause.ended_at)}"
        text = f"Provoked: {cause.scenario} ran on {where} from {_clock(cause.started_at)}{ended}" + (
            "." if named else f", which provokes {cause.anomaly}, not {anomaly.kind}."
        )
        return Truth(known=True, runs=list(runs), verdict="true_positive", text=text)
    if not remembers:
        text = "Not known: the CSMS remembers no scenario of that time or before on any charge point."
        return Truth(known=False, runs=[], verdict="unknown", text=text)
    benign = f" ({runs[0].scenario} ran, which is benign)" if runs else ""
    text = f"A false alarm: nothing was provoked on {where} then{benign}."
    return Truth(known=True, runs=list(runs), verdict="false_positive", text=text)


def causes(anomaly: Told, runs: Iterable[ScenarioRun]) -> list[ScenarioRun]:
    """Return which runs, of whatever time and place, may have provoked an anomaly, as `told` sees it."""
    since, until = _stretch(anomaly)
    there = [
        run
        for run in runs
        if anomaly.charge_point_id in (FLEET, *run.charge_point_ids)
        and run.started_at is not None
        and run.started_at < until
        and (run.ended_at is None or run.ended_at >= since)
    ]
    return _provoking(anomaly, there)


def is_anothers(anomaly: Told, run: ScenarioRun, runs: Iterable[ScenarioRun]) -> bool:
    """Return whether an anomaly of a run's time is another's: of one that had given commands when it began.

    What any other provoked is none of a benign run; of two that provoke, the one that came after takes it.
    """
    return any(
        other.first_command_at is not None
        and other.first_command_at <= anomaly.started_at
        and (run.anomaly is None or (run.ended_at is not None and run.ended_at <= other.first_command_at))
        for other in causes(anomaly, runs)
        if other.run_id != run.run_id
    )


def _stretch(anomaly: Told) -> tuple[datetime, datetime]:
    """Return when a run had not ended yet, and before when it had begun, that is of an anomaly's time."""
    # What began after the detector spoke did not make it speak.
    return anomaly.started_at - timedelta(seconds=AFTERMATH_S), anomaly.detected_at + timedelta(
        milliseconds=1
    )


def _provoking(anomaly: Told, runs: Iterable[ScenarioRun]) -> list[ScenarioRun]:
    # What one charge point does is nothing of the fleet's.
    least = 2 if anomaly.charge_point_id == FLEET else 0
    return [run for run in runs if run.anomaly is not None and len(run.charge_point_ids) >= least]


def _clock(instant: datetime | None) -> str:
    return "an unknown time" if instant is None else f"{instant:%H:%M:%S} UTC"
