"""/healthz and /metrics for a service without an API: GET and nothing else, from the standard library.

FastAPI and its server would take more memory than the rest of a charger. The service's own loop answers, so
that an answer says that the loop turns.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from chassis.guard import Asked, Gate, HttpSettings
from chassis.listener import listener
from chassis.metrics import CONTENT_TYPE
from chassis.settings import setting, within

log = logging.getLogger("health")

MAX_REQUEST_BYTES = 8192
MAX_CONNECTIONS = 16
"""Open at once; a further one is closed unanswered. Scrapes are seconds apart and take milliseconds."""
REQUEST_S = 5.0
"""Within which a request must be there and its answer taken."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: HTTPStatus
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self, *, with_body: bool) -> bytes:
        """Return it as it goes over the wire; the connection ends with it."""
        headers = {
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Connection": "close",
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (self.body if with_body else b"")


class MalformedRequest(ValueError):  # noqa: N818 - the family's naming
    """What arrived is no head of an HTTP/1 request."""


def parse(head: bytes, arrived_at: str | None = None) -> Asked:
    """Return the request's head; raise MalformedRequest where it is none."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    match first.split(" "):
        case [method, target, "HTTP/1.1" | "HTTP/1.0"] if method.isalpha() and target.startswith("/"):
            pass
        case _:
            raise MalformedRequest("no HTTP/1 request")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name != name.strip():
            raise MalformedRequest("no header")
        if name in headers and name in ("host", "origin", "authorization"):
            raise MalformedRequest("twice the same header")  # which of them counts would be a guess
        headers[name] = value.strip()
    return Asked(method, target.partition("?")[0], headers, arrived_at=arrived_at)


class HealthServer:
    """Answers one request a connection. `health` and `metrics` are asked in the loop."""

    def __init__(
        self, gate: Gate, health: Callable[[], dict[str, Any]], metrics: Callable[[], bytes]
    ) -> None:
        self._gate = gate
        self._health = health
        self._metrics = metrics
        self._open: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection; for asyncio.start_server."""
        if len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="health")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def close(self) -> None:
        """End what is open."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                with contextlib.suppress(asyncio.IncompleteReadError):  # it left without having asked
                    writer.write(await self._answer(reader, writer.get_extra_info("sockname")[0]))
                    await writer.drain()
        except (TimeoutError, OSError):
            pass  # too slow or gone: its own affair
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, arrived_at: str) -> bytes:
        try:
            asked = parse(await reader.readuntil(b"\r\n\r\n"), arrived_at)
        except asyncio.LimitOverrunError:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            return _refusal(status, f"more than {MAX_REQUEST_BYTES} bytes").encoded(with_body=True)
        except MalformedRequest as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error)).encoded(with_body=True)
        return self._answered(asked).encoded(with_body=asked.method != "HEAD")

    def _answered(self, asked: Asked) -> Answer:
        if asked.method not in ("GET", "HEAD"):
            status = HTTPStatus.METHOD_NOT_ALLOWED
            return _refusal(status, "only GET", {"Allow": "GET, HEAD"})
        refusal = self._gate.refusal(asked)
        if refusal is not None:
            return _refusal(HTTPStatus(refusal.status), refusal.reason, refusal.headers)
        try:
            match asked.path:
                case "/healthz":
                    state = self._health()
                    status = HTTPStatus.OK if state.get("ok") else HTTPStatus.SERVICE_UNAVAILABLE
                    return Answer(status, json.dumps(state).encode())
                case "/metrics":
                    return Answer(HTTPStatus.OK, self._metrics(), CONTENT_TYPE)
        except Exception:
            log.exception("%s", asked.path)
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the service cannot say")
        return _refusal(HTTPStatus.NOT_FOUND, "there are /healthz and /metrics")


def _refusal(status: HTTPStatus, reason: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps({"detail": reason}).encode(), headers=headers or {})


def health_port() -> Any:
    """Declare the setting of the port."""
    return setting(
        "HEALTH_PORT",
        "TCP port of /healthz and /metrics; 0: none",
        default=0,
        check=within(0, 65535),
    )


@asynccontextmanager
async def health_served(
    settings: HttpSettings, port: int, health: Callable[[], dict[str, Any]], metrics: Callable[[], bytes]
) -> AsyncIterator[None]:
    """Serve while inside, where a port is given; raises OSError naming it when it cannot be had."""
    if not port:
        yield
        return
    settings.demand_safety()
    answering = HealthServer(Gate(settings, port), health, metrics)
    server = await asyncio.start_server(
        answering.accept, sock=listener(settings.bind, port), limit=MAX_REQUEST_BYTES
    )
    log.info("health and metrics on http://%s:%d/metrics", settings.bind, port)
    try:
        yield
    finally:
        server.close()
        await answering.close()
        await server.wait_closed()
