"""HTTP for services that have an API: the guard before it, health, metrics, and a server in our loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.guard import Asked, Gate, HttpSettings
from chassis.listener import listener
from chassis.metrics import CONTENT_TYPE


class Guard:
    """ASGI middleware: refuses whom the settings do not admit, before anything else sees the request."""

    def __init__(self, app: ASGIApp, settings: HttpSettings, port: int) -> None:
        self._app = app
        self._gate = Gate(settings, port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or answer 401, 403 or 415."""
        kind = scope["type"]
        refusal = None
        if kind in ("http", "websocket"):
            headers = Headers(scope=scope)
            refusal = self._gate.refusal(Asked(scope.get("method", "GET"), scope["path"], headers, kind))
        if refusal is None:
            await self._app(scope, receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.reason[:120]})
        else:
            answer = JSONResponse({"detail": refusal.reason}, refusal.status, refusal.headers)
            await answer(scope, receive, send)


# Both answer in the loop itself: it is the loop's state that they read, and the threads in which a service
# asks its database may all be waiting just when somebody wants to know what is wrong.


def add_health(app: FastAPI, health: Callable[[], dict[str, Any]]) -> None:
    """Add /healthz: 200 with what `health` returns, 503 while its `ok` is false."""

    @app.get("/healthz", tags=["health"], summary="Whether this service works, and what it lacks")
    async def healthz() -> JSONResponse:
        state = health()
        return JSONResponse(state, 200 if state.get("ok") else 503)


def add_metrics(app: FastAPI, metrics: Callable[[], bytes]) -> None:
    """Add /metrics: what `metrics` returns, in Prometheus's text format."""

    @app.get(
        "/metrics",
        tags=["health"],
        summary="Rates, lags, queues and losses, for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}},
    )
    async def read() -> Response:
        # By its header, or Starlette adds a second charset.
        return Response(metrics(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Leave signals to chassis.process."""
        yield


class ServerEnded(RuntimeError):  # noqa: N818 - named after what happened
    """The HTTP server ended although nobody asked it to."""


@contextlib.asynccontextmanager
async def served(app: FastAPI, settings: HttpSettings, port: int) -> AsyncIterator[None]:
    """Serve the guarded app while inside; raises OSError naming the port when it cannot be had.

    A server that ends by itself ends what is inside too, and ServerEnded is raised.
    """
    settings.demand_safety()
    socket = listener(settings.bind, port)
    config = uvicorn.Config(
        Guard(app, settings, port),
        host=settings.bind,
        port=port,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    server = _Server(config)
    owner = asyncio.current_task()
    is_leaving = has_ended = False

    def ended(_: "asyncio.Task[None]") -> None:
        nonlocal has_ended
        if not is_leaving and owner is not None:
            has_ended = True
            owner.cancel()

    task = asyncio.create_task(server.serve(sockets=[socket]), name="http")
    task.add_done_callback(ended)
    try:
        yield
    finally:
        is_leaving = True
        server.should_exit = True
        await asyncio.wait([task])
        socket.close()
        failure = None if task.cancelled() else task.exception()
        if has_ended and owner is not None:
            owner.uncancel()
            raise ServerEnded(f"the HTTP server on port {port} ended by itself") from failure
        if failure is not None:
            raise failure
