"""`python plain_csms.py PORT`: a central system as the `ocpp` package's own example has it.

It validates with the package, answers, and neither keeps nor publishes anything.
"""

import asyncio
import sys
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.server import ServerConnection, serve


class PlainCentralSystem(ChargePoint):  # type: ignore[misc]
    """What a charge point needs to send MeterValues."""

    @on(Action.start_transaction)
    def _started(self, **_: Any) -> call_result.StartTransaction:
        return call_result.StartTransaction(1, {"status": "Accepted"})

    @on(Action.meter_values)
    def _measured(self, **_: Any) -> call_result.MeterValues:
        return call_result.MeterValues()


async def _serve(websocket: ServerConnection) -> None:
    assert websocket.request is not None
    await PlainCentralSystem(websocket.request.path.strip("/"), websocket).start()


async def main(port: int) -> None:
    """Serve until killed."""
    async with serve(_serve, "127.0.0.1", port, subprotocols=["ocpp1.6"], compression=None):  # type: ignore[list-item]
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
