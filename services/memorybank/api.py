"""The HTTP API: read only, everything bounded, as memorybank_reader."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from chassis.http import add_health
from memorybank import answers
from memorybank.errors import StoreUnavailable
from memorybank.reader import Reader

_NAME = r"^[^\x00]{1,255}$"  # PostgreSQL's text has no NUL
ChargePointId = Annotated[str | None, Query(pattern=_NAME, description="Only this one's")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many")]


def make_app(reader: Reader, health: Callable[[], dict[str, Any]]) -> FastAPI:
    """Return the application; its questions go to `reader`."""
    app = FastAPIOffline(
        title="ChargeBench MemoryBank", description="What the bench remembers. Read only.", version="1"
    )
    add_health(app, health)

    @app.exception_handler(StoreUnavailable)
    def unavailable(_: Request, error: StoreUnavailable) -> JSONResponse:
        return JSONResponse({"detail": f"the database does not answer: {error}"}, 503)

    @app.get("/api/summary", tags=["memory"], response_model=answers.Summary)
    def summary() -> Any:
        """How much is remembered, since when, and how sound it is."""
        return reader.summary()

    @app.get("/api/anomalies", tags=["memory"], response_model=list[answers.Anomaly])
    def anomalies(
        charge_point_id: ChargePointId = None,
        limit: Limit = 100,
        open_only: Annotated[
            bool | None, Query(alias="open", description="true: open ones; false: ended ones")
        ] = None,
    ) -> Any:
        """Anomalies, newest first."""
        return reader.anomalies(charge_point_id=charge_point_id, open_only=open_only, limit=limit)

    @app.get("/api/sessions", tags=["memory"], response_model=list[answers.Session])
    def sessions(charge_point_id: ChargePointId = None, limit: Limit = 100) -> Any:
        """Sessions, newest first."""
        return reader.sessions(charge_point_id=charge_point_id, limit=limit)

    @app.get("/api/events", tags=["memory"], response_model=list[answers.Event])
    def events(
        charge_point_id: ChargePointId = None,
        kind: Annotated[str | None, Query(pattern=_NAME, description="e.g. ocpp_message_seen")] = None,
        limit: Limit = 100,
    ) -> Any:
        """Events, readings apart, newest first."""
        return reader.events(charge_point_id=charge_point_id, kind=kind, limit=limit)

    @app.get("/api/metrics", tags=["memory"], response_model=list[answers.Metric])
    def metrics(
        charge_point_id: Annotated[str, Query(pattern=_NAME)],
        connector: Annotated[int, Query(ge=0, le=255)] = 1,
        origin: Literal["can", "ocpp"] = "can",
        seconds: Annotated[float, Query(gt=0, le=86_400)] = 60,
    ) -> Any:
        """Readings of a connector in the last seconds, oldest first; at most the newest 10,000."""
        return reader.metrics(
            charge_point_id=charge_point_id, connector=connector, origin=origin, seconds=seconds
        )

    return app
