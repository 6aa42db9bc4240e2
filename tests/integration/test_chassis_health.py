"""Health and metrics of a service without an API, on a real port: who is answered what, and for how long."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from chassis import health as health_module
from chassis.guard import HttpSettings
from chassis.health import MAX_CONNECTIONS, MAX_REQUEST_BYTES, health_served
from chassis.settings import SettingsError
from real_parts import accepts, free_port

OPEN = HttpSettings()
CLOSED = HttpSettings(password="open sesame")
METRICS = b"chargebench_example_stored_total 1.0\n"


@pytest.fixture
def port() -> int:
    return free_port()


@contextlib.asynccontextmanager
async def served(port: int, settings: HttpSettings = OPEN, **state: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        health_served(settings, port, lambda: {"ok": True, **state}, lambda: METRICS),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


async def said(port: int, request: bytes) -> bytes:
    """Send bytes and return everything that comes back until the other end closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_health_and_metrics_are_told(port: int) -> None:
    async with served(port, buses=3) as client:
        health, metrics = await client.get("/healthz"), await client.get("/metrics?x=1")
    assert (health.status_code, health.json()) == (200, {"ok": True, "buses": 3})
    assert (metrics.status_code, metrics.content) == (200, METRICS)
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_health_that_is_not_ok_is_503(port: int) -> None:
    async with served(port, ok=False) as client:
        assert (await client.get("/healthz")).status_code == 503


async def test_head_is_answered_without_a_body(port: int) -> None:
    async with served(port) as client:
        response = await client.head("/metrics")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(METRICS))


@pytest.mark.parametrize("path", ["/", "/metrics/", "/healthz/../etc/passwd", "/%6detrics"])
async def test_there_is_nothing_else(port: int, path: str) -> None:
    async with served(port) as client:
        host = {"Host": f"127.0.0.1:{port}"}
        assert (await client.get(path, headers=host)).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
async def test_nothing_can_be_changed(port: int, method: str) -> None:
    async with served(port) as client:
        response = await client.request(method, "/metrics", content=b"x" * 100)
    assert response.status_code == 405


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_another_page_reads_no_metrics(port: int, headers: dict[str, str]) -> None:
    """By DNS rebinding, or from its own origin."""
    async with served(port) as client:
        assert (await client.get("/metrics", headers=headers)).status_code == 403
        assert (await client.get("/healthz", headers=headers)).status_code == 200


async def test_names_of_the_settings_are_known(port: int) -> None:
    async with served(port, HttpSettings(hosts=("charger:9003",))) as client:
        assert (await client.get("/metrics", headers={"Host": "charger:9003"})).status_code == 200


async def test_the_address_at_which_it_arrived_is_a_good_host_and_no_other(port: int) -> None:
    """So Prometheus asks replicas that it found by name; an address can be no rebound name."""
    settings = HttpSettings(bind="127.0.0.2")
    async with served(port, settings), httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.2:{port}/metrics"
        assert (await client.get(url)).status_code == 200
        assert (await client.get(url, headers={"Host": f"127.0.0.3:{port}"})).status_code == 403
        assert (await client.get(url, headers={"Host": "127.0.0.2"})).status_code == 403


async def test_password_is_demanded(port: int) -> None:
    async with served(port, CLOSED) as client:
        refused = await client.get("/metrics")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (
            401,
            'Basic realm="ChargeBench"',
        )
        assert (await client.get("/metrics", auth=("any", "open sesame"))).status_code == 200
        assert (await client.get("/healthz")).status_code == 200


async def test_beyond_loopback_nothing_is_served_without_a_password(port: int) -> None:
    with pytest.raises(SettingsError, match="HTTP_PASSWORD"):
        await health_served(HttpSettings(bind="0.0.0.0"), port, dict, bytes).__aenter__()
    assert not accepts(port)


async def test_without_a_port_nothing_is_served() -> None:
    """Not even where the settings would be unsafe: the port is off."""
    async with health_served(HttpSettings(bind="0.0.0.0"), 0, dict, bytes):
        pass


async def test_taken_port_is_named(port: int) -> None:
    taken = pytest.raises(OSError, match=f"port {port} on 127.0.0.1 is taken by another program")
    with socket.create_server(("127.0.0.1", port)), taken:
        await health_served(OPEN, port, dict, bytes).__aenter__()


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"\r\n\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/2\r\n\r\n", b"400"),
        (b"GET http://127.0.0.1/metrics HTTP/1.1\r\n\r\n", b"400"),
        (b"G\xc3T / HTTP/1.1\r\nHost\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost: evil\r\nHost: 127.0.0.1:%d\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"403"),
        (b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:%d\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 2 * MAX_REQUEST_BYTES + b"\r\n\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
)
async def test_nonsense_is_answered_shortly(port: int, request_head: bytes, status: bytes) -> None:
    async with served(port) as client:
        answer = await said(port, request_head.replace(b"%d", str(port).encode()))
        assert answer.startswith(b"HTTP/1.1 " + status) or (status == b"431" and not answer)
        assert (await client.get("/healthz")).status_code == 200


async def test_what_cannot_be_said_is_500_and_goes_on(port: int, caplog: pytest.LogCaptureFixture) -> None:
    state: dict[str, Any] = {}

    def metrics() -> bytes:
        raise RuntimeError("a bug")

    async with (
        health_served(OPEN, port, lambda: state, metrics),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        response = await client.get("/metrics")
        assert response.status_code == 500
        assert "a bug" not in response.text
        assert (await client.get("/healthz")).status_code == 503
    assert "a bug" in caplog.text


async def test_who_asks_nothing_holds_no_place_for_long(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen silent connections keep others out only until their time is over."""
    monkeypatch.setattr(health_module, "REQUEST_S", 0.5)
    async with served(port) as client:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_CONNECTIONS)]
        assert await said(port, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
        for reader, _ in silent:
            async with asyncio.timeout(10):
                assert await reader.read() == b""
        assert (await client.get("/healthz")).status_code == 200
        for _, writer in silent:
            writer.close()
            await writer.wait_closed()


async def test_open_connections_do_not_hold_up_the_end(port: int) -> None:
    context = health_served(OPEN, port, dict, bytes)
    await context.__aenter__()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /hea")
    await writer.drain()
    async with asyncio.timeout(2):
        await context.__aexit__(None, None, None)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    assert not accepts(port)


async def test_health_is_json_whatever_a_name_holds(port: int) -> None:
    async with served(port, charge_point_id='Stra\u00dfe "7"\r\n') as client:
        assert json.loads((await client.get("/healthz")).content)["charge_point_id"] == 'Stra\u00dfe "7"\r\n'
