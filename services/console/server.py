"""The console's web server: the page, the live stream, and what the page asks of the other services."""

import html
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field, FiniteFloat
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.http import add_health
from console.answers import MixRun, ScenarioRun
from console.api_watch import ApiWatch
from console.apis import Api, ApiAway, ApiRefused
from console.can_listener import NoSuchBus
from console.frame_by_hand import Frame, FrameByHand, Sent, TooManyFrames
from console.live import Live, TooManyPages
from console.questions import add_exports, add_questions, answer

STATIC = Path(str(files("console") / "static"))
_TOKEN_PLACE = "{{token}}"  # noqa: S105 - where the token is put into the page
_GRAFANA_PLACE = "{{grafana}}"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class StartScenario(BaseModel):
    """Which scenario to start where."""

    scenario: str = Field(max_length=255)
    charge_point_ids: list[str] = Field(min_length=1, max_length=10_000)
    parameters: dict[str, FiniteFloat] = {}
    seed: int = 0
    replace: bool = False


class StartMix(BaseModel):
    """Which of the CSMS's mixes to start where, and when it ends."""

    mix: str = Field(max_length=255)
    charge_point_ids: list[str] = Field(min_length=1, max_length=10_000)
    seed: int = 0
    count: int | None = None
    lasts_s: FiniteFloat | None = None
    replace: bool = False


class _WithHeaders:
    """ASGI middleware that adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def make_app(
    live: Live,
    csms: Api,
    memorybank: Api,
    watch: ApiWatch,
    by_hand: FrameByHand,
    *,
    token: str,
    grafana_url: str,
    health: Callable[[], dict[str, Any]],
) -> FastAPI:
    """Return the application; chassis.http.served guards it."""
    # FastAPI's own documentation pages load scripts from elsewhere, which the policy forbids.
    app = FastAPI(title="ChargeBench console", docs_url=None, redoc_url=None)
    app.add_middleware(_WithHeaders)
    add_health(app, health)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    for place, value in ((_TOKEN_PLACE, token), (_GRAFANA_PLACE, grafana_url)):
        page = page.replace(place, html.escape(value))

    _add_errors(app)
    _add_picture(app, live, page)
    add_questions(app, csms, memorybank)
    add_exports(app, memorybank)
    _add_commands(app, csms, watch, by_hand)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(ApiAway)
    async def answer_away(_request: Request, error: ApiAway) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 503)

    @app.exception_handler(ApiRefused)
    async def answer_refused(_request: Request, error: ApiRefused) -> JSONResponse:
        # The browser is not who lacks a password there.
        return JSONResponse({"detail": error.detail}, 502 if error.status == 401 else error.status)

    @app.exception_handler(RequestValidationError)
    async def answer_wrong(_request: Request, error: RequestValidationError) -> Response:
        # Without what was given: not everything that Python reads as JSON (NaN) can be said in it.
        wrong = [{name: one[name] for name in ("type", "loc", "msg")} for one in error.errors()]
        return answer({"detail": wrong}, 422)

    @app.exception_handler(NoSuchBus)
    async def answer_no_bus(_request: Request, error: NoSuchBus) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 404)

    @app.exception_handler(TooManyFrames)
    async def answer_too_many(_request: Request, error: TooManyFrames) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 429)


def _add_picture(app: FastAPI, live: Live, page: str) -> None:
    @app.get("/", summary="The page")
    async def index() -> HTMLResponse:
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    @app.get("/api/fleet", summary="Everything that the page shows, once")
    async def fleet() -> Response:
        live.look()
        return answer(live.snapshot())

    @app.get("/api/stream", summary="Everything that the page shows, live, as Server-Sent Events")
    async def stream(
        charge_point_id: Annotated[str | None, Query(min_length=1, max_length=255)] = None,
        connector: Annotated[int, Query(ge=1, le=255)] = 1,
        *,
        log: bool = False,
    ) -> Response:
        focus = None if charge_point_id is None else (charge_point_id, connector)
        try:
            events = live.open(focus, log=log)
        except TooManyPages:
            return JSONResponse({"detail": "too many pages are open; close one"}, 503)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _add_commands(app: FastAPI, csms: Api, watch: ApiWatch, by_hand: FrameByHand) -> None:
    @app.post("/api/scenario-runs", status_code=201, summary="Start a scenario at the CSMS")
    async def start(wish: StartScenario) -> Response:
        run = await csms.ask("POST", "/api/scenario-runs", ScenarioRun, body=wish.model_dump())
        watch.hurry()
        return answer(run, 201)

    @app.delete("/api/scenario-runs/{run_id}", summary="Stop a scenario at the CSMS")
    async def stop(run_id: str) -> Response:
        run = await csms.ask("DELETE", f"/api/scenario-runs/{quote(run_id, safe='')}", ScenarioRun)
        watch.hurry()
        return answer(run)

    @app.post("/api/mix-runs", status_code=201, summary="Start a mix at the CSMS")
    async def start_mix(wish: StartMix) -> Response:
        run = await csms.ask("POST", "/api/mix-runs", MixRun, body=wish.model_dump())
        watch.hurry()
        return answer(run, 201)

    @app.delete("/api/mix-runs/{mix_run_id}", summary="Stop a mix at the CSMS")
    async def stop_mix(mix_run_id: str) -> Response:
        run = await csms.ask("DELETE", f"/api/mix-runs/{quote(mix_run_id, safe='')}", MixRun)
        watch.hurry()
        return answer(run)

    @app.post("/api/stop-all", summary="Stop all scenarios and what they started")
    async def stop_all() -> Response:
        stopped = await csms.ask("POST", "/api/stop-all", dict[str, Any])
        watch.hurry()
        return answer(stopped)

    @app.post("/api/can-frames", summary="Send one CAN frame on a connector's bus")
    async def send(frame: Frame) -> Sent:
        return await by_hand.send(frame)
