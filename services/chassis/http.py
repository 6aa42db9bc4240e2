"""HTTP for services: who may ask (Host, Origin, JSON, token, password), health, and a server in our loop.

Any web page that a user opens can send requests to localhost. So the Host must be one of ours (no DNS
rebinding), the Origin too (no other page), and whatever changes state needs the start-up token in a header.
"""

import asyncio
import base64
import contextlib
import errno
import hmac
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.settings import SettingsError, setting

TOKEN_HEADER = "X-ChargeBench-Token"  # noqa: S105 - the header's name
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where a service's HTTP listens and who may use it. The port stands in each service's own settings."""

    bind: str = setting("HTTP_BIND", "Address to listen on; 0.0.0.0 inside a container", default="127.0.0.1")
    exposed: str = setting(
        "HTTP_EXPOSED_ON",
        "Address under which people reach this port; another than loopback demands HTTP_PASSWORD. "
        "Where HTTP_BIND is not loopback this must be given",
        default="",
    )
    hosts: tuple[str, ...] = setting(
        "HTTP_HOSTS",
        "Further host names (with port where it is not 80) accepted in Host and Origin, comma-separated",
        default=(),
    )
    password: str | None = setting(
        "HTTP_PASSWORD",
        "When given, every request but /healthz needs Basic authentication with this password (any user)",
        default=None,
        secret=True,
    )
    token: str | None = setting(
        "CHARGEBENCH_TOKEN",
        "The start-up token: demanded in X-ChargeBench-Token by everything that changes state",
        default=None,
        secret=True,
    )

    def demand_safety(self) -> None:
        """Raise SettingsError when the port is reachable from other machines without a password."""
        require_password("HTTP_PASSWORD", self.password, self.bind, self.exposed, "HTTP_EXPOSED_ON")


def require_password(
    password_env: str, password: str | None, bind: str, exposed: str, exposed_env: str
) -> None:
    """Raise SettingsError unless what listens on `bind` is for loopback only or has a password."""
    if not password and not is_loopback(exposed or bind):
        raise SettingsError(
            f"{password_env}: needed because this would be reachable on {exposed or bind}; "
            f"set it, or keep to loopback (inside a container whose port is published on 127.0.0.1: "
            f"{exposed_env}=127.0.0.1)"
        )


def is_loopback(address: str) -> bool:
    """Return whether an address or host name stays on this machine."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware: refuses whom the settings do not admit, before anything else sees the request."""

    def __init__(self, app: ASGIApp, settings: HttpSettings, port: int) -> None:
        self._app = app
        self._settings = settings
        exposed = f"[{settings.exposed}]" if ":" in settings.exposed else settings.exposed
        names = {"127.0.0.1", "localhost", "[::1]", exposed} - {""}
        # Browsers leave out the port where it is the scheme's own.
        self._hosts = {f"{name}:{port}" for name in names} | set(settings.hosts)
        if port == 80:
            self._hosts |= names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or answer 400, 401, 403 or 415."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1][:120]})
        else:
            status, reason = refusal
            headers = {"WWW-Authenticate": 'Basic realm="ChargeBench"'} if status == 401 else None
            await JSONResponse({"detail": reason}, status, headers)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if scope["path"] == "/healthz":
            return None
        host = headers.get("host", "")
        if host not in self._hosts:
            return 403, f"Host {host!r:.100} is not one of this service's; add it to HTTP_HOSTS"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] not in self._hosts:
            return 403, f"Origin {origin!r:.100} may not use this service"
        if self._settings.password and not self._authorised(headers.get("authorization", "")):
            return 401, "a password is needed (HTTP_PASSWORD)"
        if scope["type"] == "http" and scope["method"] not in _SAFE_METHODS:
            return self._state_change_refusal(headers)
        return None

    def _state_change_refusal(self, headers: Headers) -> tuple[int, str] | None:
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if has_body and _media_type(headers) != "application/json":
            return 415, "only application/json is taken"
        if not self._settings.token:
            return 403, "no CHARGEBENCH_TOKEN is set, so nothing may be changed"
        if not hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self._settings.token.encode()):
            return 403, f"the header {TOKEN_HEADER} must carry the start-up token"
        return None

    def _authorised(self, header: str) -> bool:
        kind, _, value = header.partition(" ")
        if kind.lower() != "basic":
            return False
        with contextlib.suppress(ValueError):
            password = base64.b64decode(value, validate=True).partition(b":")[2]
            return hmac.compare_digest(password, (self._settings.password or "").encode())
        return False


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def add_health(app: FastAPI, health: Callable[[], dict[str, Any]]) -> None:
    """Add /healthz: 200 with what `health` returns, 503 while its `ok` is false."""

    @app.get("/healthz", tags=["health"], summary="Whether this service works, and what it lacks")
    def healthz() -> JSONResponse:
        state = health()
        return JSONResponse(state, 200 if state.get("ok") else 503)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Leave signals to chassis.process."""
        yield


def _listener(bind: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"cannot be had: {error.strerror or error}"
        raise OSError(error.errno, f"port {port} on {bind} {reason}") from error


@contextlib.asynccontextmanager
async def served(app: FastAPI, settings: HttpSettings, port: int) -> AsyncIterator[None]:
    """Serve the guarded app while inside; raises OSError naming the port when it cannot be had."""
    settings.demand_safety()
    listener = _listener(settings.bind, port)
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
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        yield
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await task
        listener.close()
