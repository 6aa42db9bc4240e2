"""The way to the console: its stream, opened again by itself, what it is once, and how fast it counts."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Self

import httpx

from chassis.backoff import delays_s
from chassis.terminal import printable
from console.top.messages import MalformedStream, Message, decode
from console.top.server_sent import ServerSent, TooLong

SILENCE_S = 10.0
"""The console sends a heartbeat every 3 s, so this is a connection that died without a word."""
_CONNECT_S = 3.0
_RETRY_S = (0.5, 5.0)
_SAMPLE = re.compile(r"^([a-z0-9_]+) (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$", re.MULTILINE)
_MAX_METRICS_BYTES = 1 << 20


class ConsoleAway(Exception):  # noqa: N818 - named after what is wrong
    """The console was not reached, or did not answer as one; the text says who, where and why."""


class ConsoleLink:
    """One console. Use as an async context manager."""

    def __init__(self, url: httpx.URL, shown: str) -> None:
        self._shown = shown
        timeout = httpx.Timeout(SILENCE_S, connect=_CONNECT_S)
        # Proxies of the environment are for the internet, not for a neighbour.
        self._client = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def once(self) -> Message:
        """Return the whole picture. Raises ConsoleAway."""
        try:
            async with asyncio.timeout(SILENCE_S):
                response = await self._client.get("/api/fleet")
            self._demand(response.status_code, response.content)
            return decode(response.content)
        except (httpx.HTTPError, TimeoutError, MalformedStream) as error:
            raise self._away(error) from error

    async def messages(self, on_trouble: Callable[[str], None]) -> AsyncGenerator[tuple[str, Message], None]:
        """Give what the console tells, for ever: (kind, message). Each time that it breaks off says why."""
        delays = delays_s(*_RETRY_S)
        while True:
            try:
                async with aclosing(self._stream()) as stream:
                    async for message in stream:
                        delays = delays_s(*_RETRY_S)
                        yield message
            except ConsoleAway as error:
                on_trouble(f"{error} Trying again.")
            else:
                on_trouble(f"The console at {self._shown} ended the stream. Trying again.")
            await asyncio.sleep(next(delays))

    async def _stream(self) -> AsyncGenerator[tuple[str, Message], None]:
        sent = ServerSent()
        try:
            async with self._client.stream("GET", "/api/stream") as response:
                if response.status_code != 200:
                    self._demand(response.status_code, await response.aread())
                async for chunk in response.aiter_bytes():
                    for kind, data in sent.feed(chunk):
                        yield kind, decode(data)
        except (httpx.HTTPError, MalformedStream, TooLong) as error:
            raise self._away(error) from error

    def _demand(self, status: int, content: bytes) -> None:
        if status == 200:
            return
        if status == 401:
            said = "asks for a password: --url http://user:password@host:port"
        else:
            said = f"answers {status}: {printable(content[:300].decode(errors='replace'))}"
        raise ConsoleAway(f"The console at {self._shown} {said}.")

    def _away(self, error: Exception) -> ConsoleAway:
        if isinstance(error, httpx.ConnectError):
            reason = "no connection"
        elif isinstance(error, (TimeoutError, httpx.TimeoutException)):
            reason = f"no word for {SILENCE_S:g} s"
        else:
            reason = printable(str(error)) or type(error).__name__
        return ConsoleAway(f"The console does not answer at {self._shown}: {reason}.")


async def counters(client: httpx.AsyncClient, service: str) -> dict[str, float]:
    """Return a service's numbers without labels, by their names; none where it does not tell."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            response = await client.get("/metrics")
    except (httpx.HTTPError, TimeoutError):
        return {}
    if response.status_code != 200 or len(response.content) > _MAX_METRICS_BYTES:
        return {}
    prefix = f"chargebench_{service}_"
    found: dict[str, float] = {}
    for name, value in _SAMPLE.findall(response.text):
        if name.startswith(prefix):
            found[name.removeprefix(prefix)] = float(value)
    return found
