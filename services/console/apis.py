"""The HTTP APIs of the CSMS and the MemoryBank as their client sees them: answered in time, or why not."""

import asyncio
import logging
from typing import Any, Self, TypeAlias, TypeVar

import httpx
import msgspec
from httpx import URL, AsyncClient

DEADLINE_S = 3.0
MAX_ANSWER_BYTES = 16 << 20

MAX_EVENTS = 100
"""So many events are asked for at once: were each as long as it may be, the answer is still taken."""

Params: TypeAlias = dict[str, str | int]
"""What follows the question mark of an address."""
T = TypeVar("T")

# httpx tells of every request, which here means several lines a second.
logging.getLogger("httpx").setLevel(logging.WARNING)


class ApiError(Exception):
    """Root of what an API answers instead of what was asked for."""


class ApiAway(ApiError):  # noqa: N818 - named after what is wrong
    """Nobody answered in time, or not in the API's words; the text says who, where and why."""


class ApiRefused(ApiError):  # noqa: N818 - named after what came back
    """The API said no; `status` is HTTP's (400 … 499), `detail` its reason."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Api:
    """One service's API. Use as an async context manager."""

    def __init__(
        self, name: str, url: str, headers: dict[str, str] | None = None, *, deadline_s: float = DEADLINE_S
    ) -> None:
        self._name = name
        self._deadline_s = deadline_s
        base = URL(url)
        self._place = str(base.copy_with(username=None, password=None)).rstrip("/")
        timeout = httpx.Timeout(deadline_s, connect=min(deadline_s, DEADLINE_S))
        # Proxies of the environment are for the internet, not for a neighbour.
        self._client = AsyncClient(base_url=base, headers=headers, timeout=timeout, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        params: Params | None = None,
        body: Any = None,
        answers_also: int | None = None,
    ) -> T:
        """Return the answer as `kind`; `answers_also` is a status beside 2xx that carries one too.

        Raises ApiAway and ApiRefused.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                status, content = await self._exchange(method, path, params, body)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._away(f"no answer within {self._deadline_s:g} s") from error
        except httpx.ConnectError as error:
            raise self._away("no connection") from error
        except httpx.HTTPError as error:
            raise self._away(str(error) or type(error).__name__) from error
        if 400 <= status < 500:
            raise ApiRefused(status, _detail(content, status))
        if not 200 <= status < 300 and status != answers_also:
            raise self._away(_detail(content, status))
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._away(f"its answer to {path} is not understood: {error}") from error

    async def _exchange(self, method: str, path: str, params: Params | None, body: Any) -> tuple[int, bytes]:
        content = bytearray()
        async with self._client.stream(method, path, params=params, json=body) as response:
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise self._away(f"its answer to {path} is over {MAX_ANSWER_BYTES} bytes")
        return response.status_code, bytes(content)

    def _away(self, reason: str) -> ApiAway:
        return ApiAway(f"The {self._name} does not answer at {self._place}: {reason}.")


def _detail(content: bytes, status: int) -> str:
    try:
        detail = msgspec.json.decode(content, type=dict[str, Any]).get("detail")
        if isinstance(detail, list):  # FastAPI's own refusals: each names a place and what is wrong with it
            detail = "; ".join(_complaint(one) for one in detail if isinstance(one, dict))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        detail = None
    return detail[:500] if isinstance(detail, str) else f"HTTP status {status}"


def _complaint(one: dict[str, Any]) -> str:
    """Return what is wrong with one of the fields that were sent, in FastAPI's words, under its name."""
    place = one.get("loc")
    named = [part for part in place[1:] if isinstance(part, str)] if isinstance(place, list) else []
    return ": ".join((*named, str(one.get("msg"))))
