"""What a page asks of the MemoryBank and the CSMS: anomalies, sessions, runs, downloads."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec
from fastapi import FastAPI, Query, Response
from fastapi.responses import StreamingResponse
from msgspec import Struct
from pydantic import AwareDatetime

from console import evidence, exports, truth
from console.answers import Anomalies, ForeignVerdict, ForeignVerdicts, Pattern, Remembered, ScenarioRuns
from console.apis import Api, ApiAway, ApiRefused, Params
from console.evidence import Evidence
from console.exports import Form, What
from console.truth import Truth
from contracts.events import EARLIEST_AT, Anomaly, Severity

EARLIER = 10
MOST_OTHERS = 10
AROUND = timedelta(minutes=1)
"""So long before it and after it what others said is taken to be about it."""
DEADLINE_S = 10.0

Name = Annotated[str | None, Query(min_length=1, max_length=255)]
Since = Annotated[AwareDatetime | None, Query(description="From then on, with offset")]
Until = Annotated[AwareDatetime | None, Query(description="Before then, with offset")]
After = Annotated[str | None, Query(max_length=4096, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=500)]


class AnomalyPage(Struct, frozen=True, kw_only=True):
    """An anomaly, those like it, what was measured around it, and whether it was provoked."""

    anomaly: Anomaly
    pattern: Pattern | None
    earlier: list[Anomaly]
    evidence: Evidence
    truth: Truth
    others: list[ForeignVerdict]
    """What foreign detectors said at its charge point meanwhile, newest first."""


def add_questions(app: FastAPI, csms: Api, memorybank: Api) -> None:
    """Add what changes nothing."""

    @app.get("/api/anomalies", summary="Past anomalies, newest first, from the MemoryBank")
    async def anomalies(
        charge_point_id: Name = None,
        kind: Name = None,
        severity: Severity | None = None,
        *,
        open_only: Annotated[bool | None, Query(alias="open")] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Response:
        params = given(
            charge_point_id=charge_point_id,
            kind=kind,
            severity=severity,
            open=None if open_only is None else str(open_only).lower(),
            limit=limit,
            after=after,
        )
        return answer(await memorybank.ask("GET", "/api/anomalies", Anomalies, params=params))

    @app.get("/api/anomalies/{anomaly_id}", summary="One anomaly: evidence, pattern, ground truth")
    async def anomaly(anomaly_id: UUID) -> Response:
        try:
            async with asyncio.timeout(DEADLINE_S):
                return answer(await _anomaly_page(csms, memorybank, anomaly_id))
        except TimeoutError:
            raise ApiAway(f"The MemoryBank takes longer than {DEADLINE_S:g} s to answer.") from None

    @app.get("/api/sessions", summary="Sessions, newest first, from the MemoryBank")
    async def sessions(charge_point_id: Name = None, limit: Limit = 50, after: After = None) -> Response:
        params = given(charge_point_id=charge_point_id, limit=limit, after=after)
        return answer(await memorybank.ask("GET", "/api/sessions", Remembered, params=params))

    @app.get("/api/scenario-runs", summary="Runs of scenarios, newest first, from the CSMS")
    async def runs(
        charge_point_id: Name = None, since: Since = None, until: Until = None, limit: Limit = 50
    ) -> Response:
        params = given(charge_point_id=charge_point_id, since=since, until=until, limit=limit)
        return answer(await csms.ask("GET", "/api/scenario-runs", ScenarioRuns, params=params))


def add_exports(app: FastAPI, memorybank: Api) -> None:
    """Add the downloads."""

    @app.get("/api/export/readings.{form}", summary="A connector's readings, newest first")
    async def readings(
        form: Form,
        charge_point_id: Annotated[str, Query(min_length=1, max_length=255)],
        connector: Annotated[int, Query(ge=0, le=255)] = 1,
        origin: Literal["can", "ocpp"] = "can",
        since: Since = None,
        until: Until = None,
    ) -> Response:
        params = given(
            charge_point_id=charge_point_id,
            connector=connector,
            origin=origin,
            since=since or EARLIEST_AT,  # without a time the MemoryBank gives the last minute
            until=until,
        )
        return await _download(memorybank, "readings", form, params)

    @app.get("/api/export/anomalies.{form}", summary="Anomalies, newest first")
    async def anomalies(
        form: Form, charge_point_id: Name = None, since: Since = None, until: Until = None
    ) -> Response:
        params = given(charge_point_id=charge_point_id, since=since, until=until)
        return await _download(memorybank, "anomalies", form, params)

    @app.get(
        "/api/export/messages.{form}", summary="OCPP messages, CAN frames and other events, newest first"
    )
    async def messages(
        form: Form, charge_point_id: Name = None, since: Since = None, until: Until = None
    ) -> Response:
        params = given(charge_point_id=charge_point_id, since=since, until=until)
        return await _download(memorybank, "messages", form, params)


async def _anomaly_page(csms: Api, memorybank: Api, anomaly_id: UUID) -> AnomalyPage:
    anomaly = await memorybank.ask("GET", f"/api/anomalies/{anomaly_id}", Anomaly)
    pattern, found, told, others = await asyncio.gather(
        _pattern(memorybank, anomaly_id),
        evidence.gathered(memorybank, anomaly),
        truth.told(csms, anomaly),
        _others(memorybank, anomaly),
    )
    earlier = [] if pattern is None else await _alike(memorybank, pattern, anomaly)
    return AnomalyPage(
        anomaly=anomaly, pattern=pattern, earlier=earlier, evidence=found, truth=told, others=others
    )


async def _others(memorybank: Api, anomaly: Anomaly) -> list[ForeignVerdict]:
    params = given(
        charge_point_id=anomaly.charge_point_id,
        since=anomaly.started_at - AROUND,
        until=None if anomaly.ended_at is None else anomaly.ended_at + AROUND,
        limit=MOST_OTHERS,
    )
    found = await memorybank.ask("GET", "/api/verdicts", ForeignVerdicts, params=params)
    return found.items


async def _pattern(memorybank: Api, anomaly_id: UUID) -> Pattern | None:
    try:
        return await memorybank.ask("GET", f"/api/anomalies/{anomaly_id}/pattern", Pattern)
    except ApiRefused as error:
        if error.status != 404:
            raise
        return None


async def _alike(memorybank: Api, pattern: Pattern, anomaly: Anomaly) -> list[Anomaly]:
    params = given(pattern_id=pattern.id, limit=EARLIER + 1)
    found = await memorybank.ask("GET", "/api/anomalies", Anomalies, params=params)
    return [other for other in found.items if other.id != anomaly.id][:EARLIER]


async def _download(memorybank: Api, what: What, form: Form, params: Params) -> Response:
    chunks = exports.exported(memorybank, what, form, params)
    # Before the answer begins it can still be that there is none.
    first = await anext(chunks)

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    name = "-".join(
        ["chargebench", what, *([str(params["charge_point_id"])] if "charge_point_id" in params else [])]
    )
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}.{form}",
        "Cache-Control": "no-store",
    }
    media = "text/csv; charset=utf-8" if form == "csv" else "application/json"
    return StreamingResponse(whole(), media_type=media, headers=headers)


def given(**params: Any) -> Params:
    """Return the parameters that were given, as they go into an address."""
    return {
        name: value
        if isinstance(value, int)
        else value.isoformat()
        if hasattr(value, "isoformat")
        else str(value)
        for name, value in params.items()
        if value is not None
    }


def answer(content: Any, status: int = 200) -> Response:
    """Return an answer in JSON."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")
