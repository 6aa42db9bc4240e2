"""The HTTP API: read only, everything bounded, as memorybank_reader."""

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from pydantic import AwareDatetime

from chassis.http import add_health
from contracts.events import Severity
from memorybank import answers
from memorybank.errors import StoreUnavailable, WrongQuestion
from memorybank.filters import Filters
from memorybank.reader import Reader

_NAME = r"^[^\x00]{1,255}$"  # PostgreSQL's text has no NUL

ChargePointId = Annotated[
    str | None, Query(pattern=_NAME, description="Only this charge point's", examples=["CP-1"])
]
NamedChargePoint = Annotated[
    str, Query(pattern=_NAME, description="Of which charge point", examples=["CP-1"])
]
Since = Annotated[
    AwareDatetime | None, Query(description="From then on, with offset", examples=["2026-07-01T12:00:00Z"])
]
Until = Annotated[
    AwareDatetime | None, Query(description="Before then, with offset", examples=["2026-07-01T13:00:00Z"])
]
AnomalyKind = Annotated[
    str | None, Query(pattern=_NAME, description="Only this kind", examples=["repeated-current-fluctuation"])
]
EventKind = Annotated[
    str | None, Query(pattern=_NAME, description="Only this kind", examples=["ocpp_message_seen"])
]
OfSeverity = Annotated[Severity | None, Query(description="Only this severity")]
PatternId = Annotated[UUID | None, Query(description="Only those that show this pattern")]
AnomalyId = Annotated[UUID, Path(description="Its `id`")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many", examples=[100])]
LongLimit = Annotated[int, Query(ge=1, le=10_000, description="At most so many", examples=[600])]
After = Annotated[
    str | None, Query(max_length=4096, description="`next` of the page before; all else as asked there")
]
Connector = Annotated[int, Query(ge=0, le=255, description="1-based; 0: the station's main meter")]
Origin = Annotated[Literal["can", "ocpp"], Query(description="Observed on CAN, or reported by OCPP")]


def make_app(reader: Reader, health: Callable[[], dict[str, Any]]) -> FastAPI:
    """Return the application; its questions go to `reader`."""
    app = FastAPIOffline(
        title="ChargeBench MemoryBank",
        description="What the bench remembers. Read only. Lists come in pages: ask again with `after` set"
        " to the `next` of the answer, until that is null.",
        version="1",
    )
    add_health(app, health)

    @app.exception_handler(StoreUnavailable)
    def unavailable(_: Request, error: StoreUnavailable) -> JSONResponse:
        return JSONResponse({"detail": f"the database does not answer: {error}"}, 503)

    @app.exception_handler(WrongQuestion)
    def wrong(_: Request, error: WrongQuestion) -> JSONResponse:
        # In the shape of FastAPI's own refusals, so that a client needs to know one only.
        return JSONResponse({"detail": [{"type": "question", "loc": ["query"], "msg": str(error)}]}, 422)

    memory = APIRouter(
        prefix="/api",
        tags=["memory"],
        dependencies=[Depends(_no_strangers)],
        responses={503: {"description": "The database does not answer", "model": answers.Unavailable}},
    )
    _add_findings(memory, reader)
    _add_happenings(memory, reader)
    _add_readings(memory, reader)
    _add_bookkeeping(memory, reader)
    app.include_router(memory)
    return app


def _add_findings(memory: APIRouter, reader: Reader) -> None:
    def wanted(
        charge_point_id: ChargePointId = None,
        since: Since = None,
        until: Until = None,
        kind: AnomalyKind = None,
        severity: OfSeverity = None,
        pattern_id: PatternId = None,
    ) -> Filters:
        return Filters(
            charge_point_id=charge_point_id,
            since=since,
            until=until,
            kind=kind,
            severity=severity,
            pattern_id=pattern_id,
        )

    @memory.get(
        "/anomalies", summary="Anomalies by their start, newest first", response_model=answers.Anomalies
    )
    def anomalies(
        filters: Annotated[Filters, Depends(wanted)],
        open_only: Annotated[
            bool | None, Query(alias="open", description="true: open ones; false: ended ones")
        ] = None,
        limit: Limit = 100,
        after: After = None,
    ) -> Any:
        return reader.anomalies(filters, open_only=open_only, limit=limit, after=after)

    @memory.get(
        "/anomalies/{anomaly_id}",
        summary="One anomaly as it is known now",
        response_model=answers.Anomaly,
        responses={404: {"description": "None of that id"}},
    )
    def anomaly(anomaly_id: AnomalyId) -> Any:
        found = reader.anomaly(anomaly_id)
        if found is None:
            raise HTTPException(404, "no anomaly of that id is remembered")
        return found

    @memory.get(
        "/anomalies/{anomaly_id}/pattern",
        summary="The learned pattern that an anomaly shows",
        description="Ask `/api/anomalies` with its `id` as `pattern_id` for all that show it.",
        response_model=answers.Pattern,
        responses={404: {"description": "No anomaly of that id, or it shows no pattern"}},
    )
    def pattern_of(anomaly_id: AnomalyId) -> Any:
        found = reader.pattern_of(anomaly_id)
        if found is None:
            raise HTTPException(404, "no anomaly of that id is remembered, or it shows no pattern")
        return found

    def wanted_by_kind(
        charge_point_id: ChargePointId = None,
        since: Since = None,
        until: Until = None,
        kind: AnomalyKind = None,
    ) -> Filters:
        return Filters(charge_point_id=charge_point_id, since=since, until=until, kind=kind)

    @memory.get("/patterns", summary="Learned patterns, latest seen first", response_model=answers.Patterns)
    def patterns(
        filters: Annotated[Filters, Depends(wanted_by_kind)], limit: Limit = 100, after: After = None
    ) -> Any:
        return reader.patterns(filters, limit=limit, after=after)

    @memory.get(
        "/verdicts",
        summary="What detectors of somebody else's said, newest first",
        response_model=answers.Verdicts,
    )
    def verdicts(
        filters: Annotated[Filters, Depends(wanted_by_kind)],
        detector: Annotated[
            str | None, Query(pattern=_NAME, description="Only what this one said", examples=["steps"])
        ] = None,
        limit: Limit = 100,
        after: After = None,
    ) -> Any:
        return reader.verdicts(filters, detector=detector, limit=limit, after=after)


def _add_happenings(memory: APIRouter, reader: Reader) -> None:
    def wanted_events(
        charge_point_id: ChargePointId = None,
        since: Since = None,
        until: Until = None,
        kind: EventKind = None,
    ) -> Filters:
        return Filters(charge_point_id=charge_point_id, since=since, until=until, kind=kind)

    @memory.get("/events", summary="Events, readings apart, newest first", response_model=answers.Events)
    def events(
        filters: Annotated[Filters, Depends(wanted_events)], limit: Limit = 100, after: After = None
    ) -> Any:
        return reader.events(filters, limit=limit, after=after)

    @memory.get("/sessions", summary="Sessions by their start, newest first", response_model=answers.Sessions)
    def sessions(
        filters: Annotated[Filters, Depends(_of_charge_point)], limit: Limit = 100, after: After = None
    ) -> Any:
        return reader.sessions(filters, limit=limit, after=after)


def _add_readings(memory: APIRouter, reader: Reader) -> None:
    def wanted(charge_point_id: NamedChargePoint, since: Since = None, until: Until = None) -> Filters:
        return Filters(charge_point_id=charge_point_id, since=since, until=until)

    @memory.get(
        "/metrics",
        summary="Readings of a connector, oldest first",
        description="The newest `limit` of them; `next` leads to those before. Where no time is named: of the"
        " last 60 s.",
        response_model=answers.Metrics,
    )
    def metrics(
        filters: Annotated[Filters, Depends(wanted)],
        connector: Connector = 1,
        origin: Origin = "can",
        seconds: Annotated[float | None, Query(gt=0, le=86_400, description="Only the last ones")] = None,
        limit: LongLimit = 10_000,
        after: After = None,
    ) -> Any:
        if seconds is None and filters.since is None and filters.until is None:
            seconds = 60.0
        return reader.metrics(
            filters, connector=connector, origin=origin, seconds=seconds, limit=limit, after=after
        )

    @memory.get(
        "/rollups",
        summary="Readings of a connector over 10 s, 1 min or 1 h each, oldest first",
        description="The newest `limit` of them; `next` leads to those before.",
        response_model=answers.Rollups,
    )
    def rollups(
        filters: Annotated[Filters, Depends(wanted)],
        level: Annotated[Literal["10s", "1m", "1h"], Query(description="How finely")] = "1m",
        connector: Connector = 1,
        origin: Origin = "can",
        limit: LongLimit = 1000,
        after: After = None,
    ) -> Any:
        return reader.rollup(level, filters, connector=connector, origin=origin, limit=limit, after=after)

    @memory.get(
        "/charge-points",
        summary="Connectors: the latest of each, and its sessions and anomalies that began in the time",
        response_model=answers.ChargePoints,
    )
    def charge_points(
        filters: Annotated[Filters, Depends(_of_charge_point)], limit: Limit = 100, after: After = None
    ) -> Any:
        return reader.charge_points(filters, limit=limit, after=after)


def _add_bookkeeping(memory: APIRouter, reader: Reader) -> None:
    def stretch(since: Since = None, until: Until = None) -> Filters:
        return Filters(since=since, until=until)

    @memory.get(
        "/summary",
        summary="How much is remembered, since when, and how sound it is",
        response_model=answers.Summary,
    )
    def summary() -> Any:
        return reader.summary()

    @memory.get(
        "/sources",
        summary="Who numbers events, and how far they are stored",
        response_model=answers.Sources,
    )
    def sources(limit: Limit = 100, after: After = None) -> Any:
        return reader.sources(limit=limit, after=after)

    @memory.get(
        "/gaps", summary="Numbers that are missing, latest noticed first", response_model=answers.Gaps
    )
    def gaps(filters: Annotated[Filters, Depends(stretch)], limit: Limit = 100, after: After = None) -> Any:
        return reader.gaps(filters, limit=limit, after=after)

    @memory.get(
        "/poison",
        summary="What was set aside, with the reason, latest first",
        response_model=answers.Poisoned,
    )
    def poison(filters: Annotated[Filters, Depends(stretch)], limit: Limit = 100, after: After = None) -> Any:
        return reader.poison(filters, limit=limit, after=after)

    @memory.get(
        "/sizes", summary="Bytes on disk of each table, largest first", response_model=list[answers.Size]
    )
    def sizes() -> Any:
        return reader.sizes()


async def _no_strangers(request: Request) -> None:
    """Refuse a parameter that the question does not know: to pass over it would answer another question."""
    operation = request.app.openapi()["paths"][request.scope["route"].path]["get"]
    known = {parameter["name"] for parameter in operation.get("parameters", ())}
    for name in request.query_params:
        if name not in known:
            raise WrongQuestion(f"there is no parameter {name!r:.100} here")


def _of_charge_point(
    charge_point_id: ChargePointId = None, since: Since = None, until: Until = None
) -> Filters:
    return Filters(charge_point_id=charge_point_id, since=since, until=until)
