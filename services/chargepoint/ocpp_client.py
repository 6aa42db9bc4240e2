"""The connection to the CSMS: reach it, register, deliver, keep in touch; reach it again when it is lost.

Compression is off: messages are small, and deflate keeps tens of kB per connection on both ends. Proxies of
the environment are not asked: the CSMS is named by its address. Pings come every WebSocketPingInterval, and
one that is not answered within 10 s ends the connection.
"""

import asyncio
import base64
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from chargepoint.configuration import Configuration
from chargepoint.door import Door, Passage
from chargepoint.line import Line, Socket
from chargepoint.transaction_queue import Queued, TransactionQueue
from chassis import backoff
from chassis.ocpp_peer import CallFailed, CallRefused, CallTimedOut, Handler, OcppPeer, PeerLost
from chassis.waiting import Mailbox, Signal
from contracts.errors import ContractError
from contracts.ocpp_messages import MAX_MESSAGE_BYTES, SUBPROTOCOL, MalformedMessage, Payload

log = logging.getLogger("chargepoint")
_websockets_log = logging.getLogger("chargepoint.websockets")
_websockets_log.setLevel(logging.INFO)  # below that it tells every header, our password among them

BOOT_RETRY_S = 10.0
"""Between two BootNotifications where the CSMS names no interval or does not answer."""
MAX_POSTS = 1000
_PING_TIMEOUT_S = 10.0


class CsmsLost(ContractError):  # noqa: N818 - named after what happened
    """The CSMS cannot be reached or the connection ended: try again."""


class BootRejected(ContractError):  # noqa: N818
    """The CSMS does not want this charge point before `retry_s` have passed."""

    def __init__(self, retry_s: float) -> None:
        super().__init__(f"BootNotification was rejected, next in {retry_s:g} s")
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True)
class Address:
    """Where the CSMS is and who we are to it."""

    url: str
    charge_point_id: str
    password: str | None

    @property
    def full_url(self) -> str:
        """The URL with our identity as its last part."""
        return f"{self.url.rstrip('/')}/{quote(self.charge_point_id, safe='')}"

    @property
    def headers(self) -> dict[str, str]:
        """Basic authentication, where there is a password."""
        if self.password is None:
            return {}
        credentials = base64.b64encode(f"{self.charge_point_id}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {credentials}"}


class Listener(Protocol):
    """Whom the client tells what happened, and who knows the configuration."""

    configuration: Configuration
    boot_notification: Payload

    def registered(self, heartbeat_s: int) -> None:
        """Take note that the CSMS accepted us, or has us back."""

    def disconnected(self) -> None:
        """Take note that the CSMS is away."""

    def delivered(self, queued: Queued, answer: Payload) -> None:
        """Take note of the CSMS's answer to a message of a transaction."""

    def given_up(self, queued: Queued, reason: str) -> None:
        """Take note that the CSMS refused a message of a transaction too often."""


class OcppClient:
    """One charge point's end. `post` and `call` may be used at any time, `run` drives it for ever."""

    def __init__(
        self,
        address: Address,
        queue: TransactionQueue,
        listener: Listener,
        *,
        call_timeout_s: float,
        reconnect_longest_s: float,
        line: Line | None = None,
    ) -> None:
        self._line = line or Line()
        self._address = address
        self._queue = queue
        self._listener = listener
        self._call_timeout_s = call_timeout_s
        self._reconnect_longest_s = reconnect_longest_s
        self._delays_s = backoff.delays_s(longest_s=reconnect_longest_s)
        self._peer: OcppPeer | None = None
        self._is_accepted = False
        self._posts: Mailbox[tuple[str, Payload]] = Mailbox(MAX_POSTS)
        self._door = Door()
        self._boot_now = Signal()
        self._heartbeat: asyncio.TimerHandle | None = None
        self.dropped_posts = 0
        """Messages outside of transactions that nobody was there for."""

    @property
    def is_online(self) -> bool:
        """Whether there is a connection on which the CSMS accepted us."""
        return self._peer is not None and self._is_accepted

    def post(self, action: str, payload: Payload, *, triggered: bool = False) -> None:
        """Send a message soon, or drop it (counted) while the CSMS is away or has not accepted us.

        One that the CSMS triggered goes out before it accepted us, too.
        """
        if not self.is_online and not (triggered and self._peer is not None):
            self.dropped_posts += 1
            return
        if not self._posts.put((action, payload)):
            self.dropped_posts += 1

    async def call(self, action: str, payload: Payload) -> Payload:
        """Ask the CSMS; raises CallFailed, of which PeerLost says that it is away."""
        if self._peer is None:
            raise PeerLost("not connected")
        return await self._peer.call(action, payload)

    def boot_again(self) -> None:
        """Send BootNotification now, because the CSMS asked for it."""
        if self._is_accepted:
            self.post("BootNotification", self._listener.boot_notification)
        self._boot_now.set()

    def heartbeat_changed(self) -> None:
        """Take note that HeartbeatInterval is another now."""
        if self.is_online:
            self._plan_heartbeat()

    async def run(self, handlers: Mapping[str, Handler], door: Door | None = None) -> None:
        """Stay connected for ever; `handlers` answer the CSMS's commands. `door`: who connects at once."""
        self._door = door or self._door
        while True:
            try:
                await self._until_lost(handlers)
            except BootRejected as rejected:
                log.warning("%s", rejected)
                delay_s = rejected.retry_s
            except CsmsLost as lost:
                delay_s = next(self._delays_s)
                log.warning("the CSMS is away: %s; next try in %.1f s", lost, delay_s)
            await asyncio.sleep(delay_s)

    async def _until_lost(self, handlers: Mapping[str, Handler]) -> None:
        # In a task of its own: before Python 3.13 a task group in which something fails while it is cancelled
        # forgets that it was, and we would reconnect instead of ending.
        connection = asyncio.create_task(self._connection(handlers), name="ocpp connection")
        try:
            await asyncio.wait([connection])
        except asyncio.CancelledError:
            connection.cancel()
            await asyncio.wait([connection])
            if not connection.cancelled():
                connection.exception()  # asked for, or the loop complains that nobody did
            raise
        await connection

    async def _connection(self, handlers: Mapping[str, Handler]) -> None:
        """Connect and serve one connection until it ends; always raises."""
        await self._line.whole()
        async with Passage(self._door) as passage:
            await self._connected(handlers, passage)

    async def _connected(self, handlers: Mapping[str, Handler], passage: Passage) -> None:
        ping_s = self._listener.configuration.whole("WebSocketPingInterval") or None
        try:
            connection = await connect(
                self._address.full_url,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                additional_headers=self._address.headers,
                compression=None,
                proxy=None,
                open_timeout=self._call_timeout_s,
                close_timeout=1,
                ping_interval=ping_s,
                ping_timeout=_PING_TIMEOUT_S,
                max_size=MAX_MESSAGE_BYTES,
                logger=_websockets_log,
                create_connection=Socket,
            )
            assert isinstance(connection, Socket)  # noqa: S101 - made by create_connection
            if connection.request is not None and connection.response is not None:
                # 5 kB that nobody reads again. The response stays: by it websockets knows that it came.
                connection.request.headers.clear()
                connection.response.headers.clear()
            try:
                await self._serve(connection, handlers, passage)
            finally:
                await connection.close(CloseCode.GOING_AWAY)
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            raise CsmsLost(str(error) or type(error).__name__) from error
        except ExceptionGroup as group:
            known, bugs = group.split((OSError, ConnectionClosed, PeerLost, BootRejected))
            if known is None or bugs is not None:
                raise
            raise _first(known) from None

    async def _serve(self, connection: Socket, handlers: Mapping[str, Handler], passage: Passage) -> None:
        if connection.subprotocol != SUBPROTOCOL:
            raise CsmsLost(f"it does not speak {SUBPROTOCOL}")
        line = self._line.over(connection)
        self._peer = OcppPeer(line, handlers, call_timeout_s=self._call_timeout_s)
        line.offer(self._peer.take)
        self._posts = Mailbox(MAX_POSTS)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._peer.run(), name="ocpp receives")
                tasks.create_task(self._send_posts(self._peer), name="ocpp posts")
                await self._register(self._peer, passage)
                passage.through()
                self._plan_heartbeat()
                await self._deliver(self._peer)
        finally:
            self._end_heartbeat()
            was_online, self._peer = self.is_online, None
            if was_online:
                self._listener.disconnected()

    async def _register(self, peer: OcppPeer, passage: Passage) -> None:
        """Send BootNotification until accepted; a connection made again in the same boot needs none.

        Who is told to wait does not hold up those behind it at the door.
        """
        heartbeat_s = 0
        while not self._is_accepted:
            self._boot_now.clear()
            try:
                answer = await peer.call("BootNotification", self._listener.boot_notification)
                status, interval_s = answer["status"], answer["interval"]
            except (CallRefused, CallTimedOut) as error:
                log.warning("BootNotification: %s", error)
                status, interval_s = "Pending", 0
            retry_s = interval_s if interval_s > 0 else BOOT_RETRY_S
            if status == "Rejected":
                raise BootRejected(retry_s)
            if status == "Accepted":
                self._is_accepted, heartbeat_s = True, interval_s
                break
            log.info("BootNotification: %s, next in %g s", status, retry_s)
            passage.through()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(retry_s):
                    await self._boot_now.wait()
        self._delays_s = backoff.delays_s(longest_s=self._reconnect_longest_s)
        self._listener.registered(heartbeat_s)

    async def _deliver(self, peer: OcppPeer) -> None:
        """Send the messages of transactions in order; retry refused ones as OCPP 1.6, 3.7.2 says.

        But not MeterValues: the next ones are a second away, and where a CSMS refuses them all the retries
        would keep StopTransaction waiting behind them for hours.
        """
        while True:
            # Not by a name, which would keep the last message, 4 kB, until the next one comes.
            await self._deliver_one(peer, await self._queue.next())

    async def _deliver_one(self, peer: OcppPeer, queued: Queued) -> None:
        try:
            answer = await peer.call(queued.action, queued.payload)
        except (CallRefused, CallTimedOut, MalformedMessage) as error:
            await self._refused(queued, error)
        else:
            self._listener.delivered(queued, answer)

    async def _refused(self, queued: Queued, error: Exception) -> None:
        attempts = self._queue.refused(queued)
        log.warning("%s, attempt %d: %s", queued.action, attempts, error)
        configuration = self._listener.configuration
        allowed = 1 if queued.action == "MeterValues" else configuration.whole("TransactionMessageAttempts")
        if attempts >= allowed:
            self._listener.given_up(queued, str(error))
        else:
            await asyncio.sleep(attempts * configuration.whole("TransactionMessageRetryInterval"))

    async def _send_posts(self, peer: OcppPeer) -> None:
        while True:
            action, payload = await self._posts.take()
            try:
                await peer.call(action, payload)
            except PeerLost:
                raise
            except (CallFailed, MalformedMessage) as error:
                log.warning("%s: %s", action, error)

    def _plan_heartbeat(self) -> None:
        self._end_heartbeat()
        interval_s = self._listener.configuration.whole("HeartbeatInterval")
        if interval_s:
            self._heartbeat = asyncio.get_running_loop().call_later(interval_s, self._beat)

    def _end_heartbeat(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    def _beat(self) -> None:
        self.post("Heartbeat", {})
        self._plan_heartbeat()


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """Return the rejection in a group, or the connection's loss."""
    rejected = group.subgroup(BootRejected)
    leaf: BaseException = rejected or group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf if isinstance(leaf, BootRejected) else CsmsLost(str(leaf) or type(leaf).__name__)
