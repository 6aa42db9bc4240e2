"""How often the two APIs are asked: by whether a page is open."""

import asyncio
import contextlib

import pytest

from console import api_watch
from console.api_watch import ApiWatch
from console.apis import Api
from console.live import Live
from console_apis import CsmsApi, MemoryBankApi
from console_parts import until


async def test_the_first_page_has_both_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody watches they are asked seldom: here never again."""
    monkeypatch.setattr(api_watch, "LONGEST_PERIOD_S", 3600.0)
    csms, memorybank, live = CsmsApi(), MemoryBankApi(), Live()
    with contextlib.ExitStack() as stack:
        for server in (csms, memorybank):
            await asyncio.to_thread(server.start)
            stack.callback(server.stop)
        async with Api("CSMS", csms.url) as one, Api("MemoryBank", memorybank.url) as other:
            watching = asyncio.create_task(ApiWatch(live, one, other).run())
            await until(lambda: {"csms", "memorybank"} <= live.services.keys(), what="the first answers")
            csms.add("CP-1")
            memorybank.database = False
            stream = live.open()
            await anext(stream)
            await until(lambda: len(live.fleet) == 1, what="the CSMS to be asked")
            await until(lambda: not live.services["memorybank"].working, what="the MemoryBank to be asked")
            await stream.aclose()  # type: ignore[attr-defined]
            watching.cancel()
