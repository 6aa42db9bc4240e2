"""A service's HTTP on a real port: served, guarded, healthy or not, and ended."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from chassis.guard import HttpSettings
from chassis.http import ServerEnded, add_health, add_metrics, served
from chassis.settings import SettingsError
from real_parts import free_port

SETTINGS = HttpSettings(token="token-1")
TOKEN = {"X-ChargeBench-Token": "token-1"}


def application(state: dict[str, Any] | None = None) -> FastAPI:
    app = FastAPI()

    @app.post("/echo")
    def echo(value: dict[str, int]) -> dict[str, int]:
        return value

    @app.websocket("/live")
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    @app.get("/endless")
    def endless() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            while True:
                yield b"line\n"
                await asyncio.sleep(0.05)

        return StreamingResponse(lines())

    add_health(app, lambda: state if state is not None else {"ok": True})
    add_metrics(app, lambda: b"chargebench_example_stored_total 1.0\n")
    return app


@pytest.fixture
def port() -> int:
    return free_port()


async def get(port: int, path: str, **request: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        return await client.get(path, **request)


async def test_it_answers_as_soon_as_it_is_served(port: int) -> None:
    async with served(application(), SETTINGS, port):
        response = await get(port, "/healthz")
    assert (response.status_code, response.json()) == (200, {"ok": True})
    assert "server" not in response.headers


async def test_health_that_is_not_ok_is_503_with_what_is_lacking(port: int) -> None:
    async with served(application({"ok": False, "broker": False}), SETTINGS, port):
        response = await get(port, "/healthz")
    assert (response.status_code, response.json()) == (503, {"ok": False, "broker": False})


async def test_guard_stands_before_the_application(port: int) -> None:
    async with (
        served(application(), SETTINGS, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert (await client.post("/echo", json={"a": 1}, headers=TOKEN)).json() == {"a": 1}
        assert (await client.post("/echo", json={"a": 1})).status_code == 403
        assert (await client.post("/echo", content=b'{"a": 1}', headers=TOKEN)).status_code == 415
        evil = {"Host": "evil.example", "Origin": "https://evil.example"}
        refused = await client.get("/openapi.json", headers=evil)
        assert refused.status_code == 403
        assert "HTTP_HOSTS" in refused.json()["detail"]


async def test_password_is_asked_for(port: int) -> None:
    settings = HttpSettings(password="open sesame")
    async with served(application(), settings, port):
        assert (await get(port, "/openapi.json")).status_code == 401
        assert (await get(port, "/openapi.json", auth=("me", "open sesame"))).status_code == 200
        assert (await get(port, "/healthz")).status_code == 200


async def test_websocket_of_another_page_is_refused(port: int) -> None:
    async with served(application(), SETTINGS, port):
        async with connect(f"ws://127.0.0.1:{port}/live", origin=f"http://localhost:{port}") as websocket:  # type: ignore[arg-type]
            assert await websocket.recv() == "hello"
        with pytest.raises(InvalidStatus, match="403"):
            await connect(f"ws://127.0.0.1:{port}/live", origin="https://evil.example")  # type: ignore[arg-type]


@pytest.mark.parametrize("bind", ["127.0.0.1", "localhost"])
async def test_taken_port_is_named(port: int, bind: str) -> None:
    taken = pytest.raises(OSError, match=f"port {port} on {bind} is taken by another program")
    with socket.create_server(("127.0.0.1", port)), taken:
        await served(application(), HttpSettings(bind=bind), port).__aenter__()
    async with served(application(), SETTINGS, port):
        assert (await get(port, "/healthz")).status_code == 200


@pytest.mark.parametrize("bind", ["192.0.2.254", "nowhere.invalid"])
async def test_address_that_is_not_ours_is_named(port: int, bind: str) -> None:
    with pytest.raises(OSError, match=f"port {port} on {bind} cannot be had: "):
        await served(application(), HttpSettings(bind=bind, password="open sesame"), port).__aenter__()


async def test_beyond_loopback_nothing_is_served_without_a_password(port: int) -> None:
    with pytest.raises(SettingsError, match="HTTP_PASSWORD"):
        await served(application(), HttpSettings(bind="0.0.0.0"), port).__aenter__()
    with pytest.raises(httpx.ConnectError):
        await get(port, "/healthz")


async def test_ipv6_loopback_is_served_and_known_by_its_name(port: int) -> None:
    if not socket.has_ipv6:
        pytest.skip("this Python knows no IPv6")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        except OSError:
            pytest.skip("this machine has no ::1")
    async with (
        served(application(), HttpSettings(bind="::1"), port),
        httpx.AsyncClient(base_url=f"http://[::1]:{port}") as client,
    ):
        assert (await client.get("/openapi.json")).status_code == 200


async def test_endless_answer_does_not_hold_up_the_end(port: int) -> None:
    """A page that listens for news must not keep a service from stopping."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        context = served(application(), SETTINGS, port)
        await context.__aenter__()
        async with client.stream("GET", "/endless") as response:
            assert await anext(response.aiter_bytes())
            async with asyncio.timeout(6):
                await context.__aexit__(None, None, None)


async def test_port_is_free_after_the_end(port: int) -> None:
    for _ in range(2):
        async with served(application(), SETTINGS, port):
            assert (await get(port, "/healthz")).status_code == 200


async def test_failure_inside_ends_the_server_and_is_raised(port: int) -> None:
    async def failing() -> None:
        async with served(application(), SETTINGS, port):
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await failing()
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_metrics_are_guarded_as_the_rest_is(port: int) -> None:
    async with served(application(), HttpSettings(password="open sesame"), port):
        response = await get(port, "/metrics", auth=("prometheus", "open sesame"))
        assert (response.status_code, response.text) == (200, "chargebench_example_stored_total 1.0\n")
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert (await get(port, "/metrics")).status_code == 401
        assert (await get(port, "/metrics", headers={"Host": "evil.example"})).status_code == 403


async def test_health_is_told_while_every_thread_is_busy(port: int) -> None:
    """Just when all questions wait for a database, somebody wants to know what is wrong."""
    app, release = application(), threading.Event()

    @app.get("/slow")
    def slow() -> None:
        release.wait(20)

    async with (
        served(app, SETTINGS, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        questions = [asyncio.create_task(client.get("/slow")) for _ in range(60)]
        try:
            async with asyncio.timeout(5):
                assert (await get(port, "/healthz")).status_code == 200
        finally:
            release.set()
            await asyncio.gather(*questions)


async def test_server_that_ends_by_itself_ends_the_service(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the process would live on, deaf."""

    async def fails(self: uvicorn.Server, counter: int) -> bool:
        raise OSError("no more files")

    async def serving() -> None:
        async with served(application(), SETTINGS, port):
            assert (await get(port, "/healthz")).status_code == 200
            monkeypatch.setattr(uvicorn.Server, "on_tick", fails)
            await asyncio.sleep(20)

    with pytest.raises(ServerEnded, match=f"the HTTP server on port {port} ended by itself"):
        await serving()
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_nobody_is_cancelled_any_more_after_the_server_ended(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends(self: uvicorn.Server, counter: int) -> bool:
        return True

    monkeypatch.setattr(uvicorn.Server, "on_tick", ends)
    with pytest.raises(ServerEnded):
        async with served(application(), SETTINGS, port):
            await asyncio.sleep(20)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
