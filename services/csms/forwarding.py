"""Lets any of several CSMSs be asked: what another holds is asked there, and lists are joined."""

import asyncio
import http
import logging
import ssl
from functools import partial
from typing import Any

import httpx
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.replicas import address_at
from csms.routing import At, AtAll, Here, Impossible, Joined, Route, Sought, route
from csms.settings import Settings

log = logging.getLogger("csms")
logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request

FORWARDED_HEADER = "X-ChargeBench-Forwarded"
"""Whoever is asked with it answers by itself, so that two that disagree on who holds what ask only once."""
MISSING_HEADER = "X-ChargeBench-Missing"
"""Beside a joined list: the CSMSs that did not answer."""
MAX_BODY_BYTES = 4 << 20
_CONNECT_S = 3.0
_DEADLINE_S = 60.0
"""Beyond COMMAND_TIMEOUT_S: stopping a scenario undoes what it did, command by command."""
_OWN_AFFAIR = {"connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive"}


class Forwarding:
    """ASGI middleware behind the guard: whoever came so far is admitted, at the others too."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        timeout = httpx.Timeout(settings.command_timeout_s + _DEADLINE_S, connect=_CONNECT_S)
        # Proxies of the environment are for the internet, not for a neighbour. A connection for each request,
        # so that nothing is left open; only reading the certificates each time would take too long.
        tls = ssl.create_default_context()
        self._client = partial(httpx.AsyncClient, timeout=timeout, trust_env=False, verify=tls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer here, or as the CSMS does that the request is for."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/") or _is_forwarded(scope):
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            answer: Response = _refusal(413, f"more than {MAX_BODY_BYTES} bytes")
            await answer(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        chosen = route(self._settings, scope["method"], scope["path"], query, body)
        if isinstance(chosen, Here) or chosen == At(self._settings.replica):
            await self._app(scope, _replayed(body), send)
            return
        answer = await self._answer(chosen, scope, body)
        await answer(scope, receive, send)

    async def _answer(self, chosen: Route, scope: Scope, body: bytes) -> Response:
        everybody = range(self._settings.replicas)
        match chosen:
            case At(replica):
                return _passed_on(await self._ask(replica, scope, body))
            case Joined(key, descending):
                answers = await asyncio.gather(*(self._ask(one, scope, body) for one in everybody))
                return _joined(answers, key, descending=descending)
            case AtAll():
                answers = await asyncio.gather(*(self._ask(one, scope, body) for one in everybody))
                return _of_all(answers, self._settings.replica)
            case Sought():
                own = self._settings.replica
                answer = await self._ask(own, scope, body)
                for other in (one for one in everybody if one != own):
                    if _found(answer):
                        break
                    told = await self._ask(other, scope, body)
                    # Not to be found is certain only where everybody was asked.
                    answer = told if _found(told) or isinstance(answer, httpx.Response) else answer
                return _passed_on(answer)
            case Impossible(reason):
                return _refusal(422, reason)
        raise AssertionError(chosen)  # `Here` is answered before

    async def _ask(self, replica: int, scope: Scope, body: bytes) -> httpx.Response | str:
        """Return what a replica answers, or who does not answer and why."""
        own = replica == self._settings.replica
        url = "http://own" if own else address_at(self._settings.peer_url, replica).rstrip("/")
        path = scope.get("raw_path") or scope["path"].encode()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        headers = [(name, value) for name, value in scope["headers"] if name.decode() not in _OWN_AFFAIR]
        headers.append((FORWARDED_HEADER.encode(), b"1"))
        transport = httpx.ASGITransport(app=self._app) if own else None
        try:
            async with self._client(transport=transport) as client:
                asked = url + (path + query).decode("latin-1")
                return await client.request(scope["method"], asked, headers=headers, content=body or None)
        except httpx.HTTPError as error:
            log.warning("csms-%d does not answer: %s", replica, error or type(error).__name__)
            return f"csms-{replica} does not answer: {error or type(error).__name__}"


def _is_forwarded(scope: Scope) -> bool:
    return any(name == FORWARDED_HEADER.lower().encode() for name, _ in scope["headers"])


async def _body(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes) -> Receive:
    rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return rest.pop() if rest else {"type": "http.disconnect"}

    return receive


def _refusal(status: int, reason: str) -> Response:
    return JSONResponse({"detail": reason}, status)


def _found(answer: httpx.Response | str) -> bool:
    return isinstance(answer, httpx.Response) and answer.status_code != http.HTTPStatus.NOT_FOUND


def _passed_on(answer: httpx.Response | str) -> Response:
    if isinstance(answer, str):
        return _refusal(502, answer)
    media_type = answer.headers.get("content-type")
    return Response(answer.content, answer.status_code, media_type=media_type)


def _joined(answers: list[httpx.Response | str], key: str, *, descending: bool) -> Response:
    entries: list[dict[str, Any]] = []
    missing = []
    for replica, answer in enumerate(answers):
        if isinstance(answer, str) or answer.status_code >= 500:
            missing.append(f"csms-{replica}")
        elif answer.status_code != http.HTTPStatus.OK:
            return _passed_on(answer)  # the question itself is wrong, wherever it is asked
        else:
            entries += answer.json()
    if len(missing) == len(answers):
        return _refusal(502, "no CSMS answers")
    entries.sort(key=lambda entry: entry[key], reverse=descending)
    return JSONResponse(entries, headers={MISSING_HEADER: ", ".join(missing)} if missing else None)


def _of_all(answers: list[httpx.Response | str], own: int) -> Response:
    """Return our own answer, its numbers being the sums of all; or what went wrong anywhere."""
    wrong = [answer for answer in answers if isinstance(answer, str)]
    if wrong:
        return _refusal(502, "; ".join(wrong))
    told = [answer for answer in answers if isinstance(answer, httpx.Response)]
    refused = next((answer for answer in told if not answer.is_success), None)
    if refused is not None or not told[own].content:
        return _passed_on(refused or told[own])
    contents = [answer.json() for answer in told]
    summed = {
        name: sum(one[name] for one in contents) if type(value) is int else value
        for name, value in contents[own].items()
    }
    return JSONResponse(summed, told[own].status_code)
