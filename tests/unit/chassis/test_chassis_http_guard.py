"""Who may use a service's HTTP: a table of requests, each with its answer."""

import base64
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from chassis import guard
from chassis.guard import HttpSettings
from chassis.http import Guard
from chassis.settings import SettingsError

TOKEN = {"x-chargebench-token": "token-1"}
JSON = {"content-type": "application/json", "content-length": "2"}
PORT = 9001


def basic(password: str, user: str = "me") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand behind the guard: whoever comes through gets 200, or is accepted."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def answered(
    settings: HttpSettings,
    headers: dict[str, str],
    *,
    method: str = "GET",
    path: str = "/api",
    kind: str = "http",
    port: int = PORT,
) -> list[Message]:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": kind, "path": path, "headers": raw, "query_string": b""}
    if kind == "http":
        scope["method"] = method
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    await Guard(app, settings, port)(scope, receive, send)
    return sent


async def status(settings: HttpSettings, headers: dict[str, str], **request: Any) -> int:
    first, *_ = await answered(settings, {"host": f"127.0.0.1:{PORT}"} | headers, **request)
    return int(first["status"])


OPEN = HttpSettings(token="token-1")
CLOSED = HttpSettings(token="token-1", password="open sesame")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"host": "localhost:9001"}, 200),
        ({"host": "[::1]:9001"}, 200),
        ({"host": "bench.example"}, 200),
        ({"host": "bench.example:9001"}, 403),
        ({"host": "127.0.0.1"}, 403),
        ({"host": "127.0.0.1:9002"}, 403),
        ({"host": ""}, 403),
        ({"host": "evil.example:9001"}, 403),
        ({"host": "127.0.0.1:9001.evil.example"}, 403),
        ({"host": "127.0.0.1:9001@evil.example"}, 403),
        ({"host": "::1:9001"}, 403),
        ({"origin": "http://127.0.0.1:9001"}, 200),
        ({"origin": "http://localhost:9001"}, 200),
        ({"origin": "http://[::1]:9001"}, 200),
        ({"origin": "https://bench.example"}, 200),
        ({"origin": "http://localhost:8080"}, 403),
        ({"origin": "http://localhost"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://localhost:9001.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "localhost:9001"}, 403),
    ],
)
async def test_host_and_origin_must_be_ours(headers: dict[str, str], expected: int) -> None:
    assert await status(HttpSettings(hosts=("bench.example",)), headers) == expected


@pytest.mark.parametrize(
    ("site", "destination", "expected"),
    [
        ("same-origin", "empty", 200),
        ("none", "document", 200),
        ("cross-site", "document", 200),
        ("same-site", "document", 200),
        ("cross-site", "image", 403),
        ("cross-site", "empty", 403),
        ("cross-site", "iframe", 403),
        ("same-site", "empty", 403),
    ],
)
async def test_a_page_elsewhere_may_link_and_not_embed(site: str, destination: str, expected: int) -> None:
    """What needs no CORS comes without an Origin: an image of a whole export costs as much as the export."""
    assert await status(OPEN, {"sec-fetch-site": site, "sec-fetch-dest": destination}) == expected


async def test_an_origin_that_is_ours_may_be_of_another_site() -> None:
    headers = {"origin": "https://bench.example", "sec-fetch-site": "cross-site", "sec-fetch-dest": "empty"}
    assert await status(HttpSettings(hosts=("bench.example",)), headers) == 200


async def test_missing_host_is_refused() -> None:
    first, *_ = await answered(OPEN, {})
    assert first["status"] == 403


@pytest.mark.parametrize("exposed", ["192.0.2.7", "2001:db8::7", "bench.example"])
async def test_exposed_address_is_ours(exposed: str) -> None:
    settings = HttpSettings(exposed=exposed, password="open sesame")
    host = f"[{exposed}]" if ":" in exposed else exposed
    assert await status(settings, {"host": f"{host}:9001"} | basic("open sesame")) == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.1:80"])
async def test_browsers_leave_out_port_80(host: str) -> None:
    assert await status(OPEN, {"host": host, "origin": f"http://{host}"}, port=80) == 200


async def test_nobody_is_let_in_by_an_empty_name() -> None:
    assert await status(HttpSettings(exposed=""), {"host": ":9001"}) == 403
    assert await status(HttpSettings(exposed=""), {"host": ""}, port=80) == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (JSON | TOKEN, 200),
        (TOKEN, 200),
        ({"content-length": "0", "content-type": "text/plain"} | TOKEN, 200),
        (JSON | TOKEN | {"content-type": "application/json; charset=utf-8"}, 200),
        (JSON | TOKEN | {"content-type": "Application/JSON"}, 200),
        (JSON, 403),
        ({}, 403),
        (JSON | {"x-chargebench-token": "token-2"}, 403),
        (JSON | {"x-chargebench-token": ""}, 403),
        (JSON | {"x-chargebench-token": "token-1é"}, 403),
        (JSON | TOKEN | {"content-type": "text/plain"}, 415),
        (JSON | TOKEN | {"content-type": "application/x-www-form-urlencoded"}, 415),
        (JSON | TOKEN | {"content-type": "multipart/form-data; x=application/json"}, 415),
        (JSON | TOKEN | {"content-type": ""}, 415),
        (TOKEN | {"transfer-encoding": "chunked"}, 415),
        (JSON | TOKEN | {"origin": "https://evil.example"}, 403),
        (JSON | TOKEN | {"host": "evil.example"}, 403),
    ],
)
async def test_change_needs_json_and_the_token(method: str, headers: dict[str, str], expected: int) -> None:
    assert await status(OPEN, headers, method=method) == expected


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_reading_needs_no_token(method: str) -> None:
    assert await status(OPEN, {}, method=method) == 200


async def test_without_a_token_nothing_may_be_changed() -> None:
    """An unset token is no token that an empty header would match."""
    for headers in ({}, {"x-chargebench-token": ""}):
        assert await status(HttpSettings(), headers, method="POST") == 403


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (basic("open sesame"), 200),
        (basic("open sesame", user=""), 200),
        ({"authorization": basic("open sesame")["authorization"].replace("Basic", "bAsIc")}, 200),
        ({}, 401),
        (basic("open"), 401),
        (basic(""), 401),
        (basic("é"), 401),
        ({"authorization": "Basic"}, 401),
        ({"authorization": "Basic %%%"}, 401),
        ({"authorization": "Basic é"}, 401),
        ({"authorization": "Bearer " + basic("open sesame")["authorization"].partition(" ")[2]}, 401),
        ({"authorization": "Basic " + base64.b64encode(b"open sesame").decode()}, 401),
    ],
)
async def test_password_is_demanded(headers: dict[str, str], expected: int) -> None:
    assert await status(CLOSED, headers) == expected


async def test_password_may_hold_colons_and_any_letter() -> None:
    settings = HttpSettings(password="a:b:ü")
    assert await status(settings, basic("a:b:ü")) == 200


async def test_password_is_no_token() -> None:
    assert await status(CLOSED, basic("open sesame") | JSON, method="POST") == 403
    assert await status(CLOSED, basic("open sesame") | JSON | TOKEN, method="POST") == 200


async def test_browser_is_told_to_ask_for_the_password() -> None:
    first, *_ = await answered(CLOSED, {"host": "127.0.0.1:9001"})
    assert (b"www-authenticate", b'Basic realm="ChargeBench"') in first["headers"]


async def test_health_is_told_to_everybody() -> None:
    """An engine's health check knows no name, no token and no password."""
    assert await status(CLOSED, {"host": "10.0.0.9:9001"}, path="/healthz") == 200
    assert await status(CLOSED, {"host": "10.0.0.9:9001"}, path="/healthz/x") == 403


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "websocket.accept"),
        ({"origin": "http://127.0.0.1:9001"}, "websocket.accept"),
        ({"origin": "https://evil.example"}, "websocket.close"),
        ({"host": "evil.example"}, "websocket.close"),
    ],
)
async def test_websocket_of_another_page_is_refused(headers: dict[str, str], expected: str) -> None:
    """Browsers send the Origin with it and let any page connect."""
    [first] = await answered(OPEN, {"host": "127.0.0.1:9001"} | headers, kind="websocket")
    assert first["type"] == expected
    assert len(first.get("reason", "").encode()) <= 123  # RFC 6455, 5.5


async def test_websocket_needs_the_password() -> None:
    host = {"host": "127.0.0.1:9001"}
    [first] = await answered(CLOSED, host, kind="websocket")
    assert first["type"] == "websocket.close"
    [first] = await answered(CLOSED, host | basic("open sesame"), kind="websocket")
    assert first["type"] == "websocket.accept"


async def test_lifespan_passes() -> None:
    seen = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> Any:
        return {}

    await Guard(inner, CLOSED, PORT)({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"]


@pytest.mark.parametrize(
    ("bind", "exposed", "is_safe"),
    [
        ("127.0.0.1", "", True),
        ("127.0.0.53", "", True),
        ("::1", "", True),
        ("localhost", "", True),
        ("0.0.0.0", "127.0.0.1", True),  # a container whose port is published on loopback
        ("0.0.0.0", "localhost", True),
        ("0.0.0.0", "", False),
        ("::", "", False),
        ("192.0.2.7", "", False),
        ("", "", False),
        ("bench.example", "", False),
        ("localhost.evil.example", "", False),
        ("127.0.0.1", "192.0.2.7", False),  # behind a proxy
        ("0.0.0.0", "0.0.0.0", False),
    ],
)
def test_beyond_loopback_a_password_is_demanded(bind: str, exposed: str, is_safe: bool) -> None:
    HttpSettings(bind=bind, exposed=exposed, password="open sesame").demand_safety()
    if is_safe:
        HttpSettings(bind=bind, exposed=exposed).demand_safety()
    else:
        for password in (None, ""):
            with pytest.raises(SettingsError, match="HTTP_PASSWORD: needed"):
                HttpSettings(bind=bind, exposed=exposed, password=password).demand_safety()


def test_demand_names_the_settings_that_help() -> None:
    with pytest.raises(SettingsError, match=r"OCPP_PASSWORD: .*OCPP_EXPOSED_ON=127\.0\.0\.1"):
        guard.require_password("OCPP_PASSWORD", None, "0.0.0.0", "", "OCPP_EXPOSED_ON")
