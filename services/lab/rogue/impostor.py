"""Somebody who connects to the CSMS under a charge point's identity, and boots as another one."""

import asyncio
import base64
import contextlib
import logging
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from chassis.ocpp_peer import CallFailed, OcppPeer
from contracts.injections import Impostor
from contracts.ocpp_messages import MAX_MESSAGE_BYTES, SUBPROTOCOL

log = logging.getLogger("lab")
_websockets_log = logging.getLogger("lab.websockets")
_websockets_log.setLevel(logging.INFO)  # below that it tells every header, the password among them

TIMEOUT_S = 10.0


class ImpostorClient:
    """`password` is what it has got hold of; None: it tries without."""

    def __init__(self, csms_url: str, password: str | None, charge_point_id: str, impostor: Impostor) -> None:
        self._url = f"{csms_url.rstrip('/')}/{quote(charge_point_id, safe='')}"
        credentials = base64.b64encode(f"{charge_point_id}:{password}".encode()).decode()
        self._headers = {} if password is None else {"Authorization": f"Basic {credentials}"}
        self._impostor = impostor

    async def run(self) -> None:
        """Connect every `every_s` and boot, until cancelled. A CSMS that refuses is tried again."""
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            try:
                async with asyncio.timeout(self._impostor.every_s):
                    await self._visit()
            except TimeoutError:
                pass
            except (OSError, WebSocketException, CallFailed) as error:
                log.info("the impostor: %s", error)
            await asyncio.sleep(max(0.0, began_s + self._impostor.every_s - loop.time()))

    async def _visit(self) -> None:
        """Boot, and stay until the charge point takes its place back."""
        async with connect(
            self._url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers=self._headers,
            compression=None,
            proxy=None,
            open_timeout=TIMEOUT_S,
            close_timeout=1,
            max_size=MAX_MESSAGE_BYTES,
            logger=_websockets_log,
        ) as connection:
            peer = OcppPeer(connection, {}, call_timeout_s=TIMEOUT_S)
            receiving = asyncio.create_task(peer.run(), name="impostor receives")
            try:
                await peer.call("BootNotification", self._boot_notification)
                await receiving
            finally:
                receiving.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                    await receiving

    @property
    def _boot_notification(self) -> dict[str, str]:
        return {
            "chargePointVendor": "ChargeBench",
            "chargePointModel": "Bench DC",
            "chargePointSerialNumber": self._impostor.serial_number,
        }
