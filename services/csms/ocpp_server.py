"""The OCPP server: admits charge points, gives each connection its peer, and records what passes."""

import asyncio
import http
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.http11 import Request, Response

from chassis.ocpp_peer import Exchange, OcppPeer
from chassis.quick_connection import QuickConnection
from contracts.events import AnyEvent, StatusChanged, SystemEvent
from contracts.ocpp_messages import MAX_MESSAGE_BYTES, SUBPROTOCOL, Call, CallResult, Payload
from csms import limits, message_events, pace
from csms.actions import ACTIONS, Context
from csms.admission import Admitted, OpeningRequest, Refused, Rules, admit
from csms.connections import Connection, Connections
from csms.settings import Settings
from csms.state import State

log = logging.getLogger("csms")
# Port scans are no errors of ours, and a handler's failure is logged here with the charge point's name.
_TOLD_ELSEWHERE = {"opening handshake failed", "connection handler failed"}
_websockets_log = logging.getLogger("csms.websockets")
_websockets_log.setLevel(logging.ERROR)
_websockets_log.addFilter(lambda record: record.msg not in _TOLD_ELSEWHERE)

MESSAGES_PER_S = 50.0
MESSAGES_BURST = 200.0
"""What one charge point may send; beyond that it is read more slowly, which only it feels."""
REFUSALS_PER_S = 5.0
REFUSALS_BURST = 50.0
"""How many refused connections are reported one by one; beyond that they are counted."""
_CLOSE_TIMEOUT_S = 3.0
_POLICY_VIOLATION = 1008
_ABNORMAL_CLOSURE = 1006  # the connection broke off


class _Socket(QuickConnection, ServerConnection):
    """A WebSocket that knows as whom it was admitted, and paces its reader."""

    admitted: Admitted

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pace = pace.full(MESSAGES_PER_S, MESSAGES_BURST, self.loop.time())

    async def recv(self, decode: bool | None = None) -> Any:
        """Return the next message, no faster than the pace allows."""
        message = await super().recv(decode)
        self._pace, wait_s = pace.take(self._pace, self.loop.time())
        if wait_s:
            await asyncio.sleep(wait_s)
        return message


class OcppServer:
    """Use `serving()`. `on_connected` is called in the loop for every charge point that connects."""

    def __init__(
        self,
        settings: Settings,
        state: State,
        connections: Connections,
        publish: Callable[[AnyEvent], None],
        on_connected: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._state = state
        self._connections = connections
        self._publish = publish
        self._on_connected = on_connected
        self._rules = Rules(settings.enrolment_password, settings.ocpp_password)
        self._sockets: dict[Connection, _Socket] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._refusals: pace.Pace | None = None
        self.refused = 0
        """Connections refused since the start."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Server]:
        """Serve while inside; raises OSError naming the port when it is taken."""
        self._report_cut_off()
        try:
            server = await serve(
                self._serve,
                self._settings.ocpp_bind,
                self._settings.ocpp_port,
                create_connection=_Socket,
                subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]  # a NewType of str
                compression=None,  # tens of kB a connection, for messages of a few hundred bytes
                process_request=self._process_request,
                max_size=MAX_MESSAGE_BYTES,
                open_timeout=10,
                ping_interval=self._settings.ping_interval_s,
                ping_timeout=self._settings.ping_interval_s,
                close_timeout=_CLOSE_TIMEOUT_S,
                logger=_websockets_log,
            )
        except OSError as error:
            where = f"port {self._settings.ocpp_port} on {self._settings.ocpp_bind}"
            raise OSError(f"{where} cannot be opened: {error.strerror or error}") from error
        async with server:
            yield server

    def _report_cut_off(self) -> None:
        # The process before this one was killed and could not say that its connections went.
        now = datetime.now(UTC)
        for charge_point_id in self._state.charge_points.take_cut_off():
            self._publish_offline(charge_point_id, now)

    def _process_request(self, websocket: ServerConnection, request: Request) -> Response | None:
        outcome = self._admission(request)
        if isinstance(outcome, Refused):
            return self._refusal(websocket, outcome)
        assert isinstance(websocket, _Socket)  # noqa: S101 - made by create_connection
        websocket.admitted = outcome
        return None

    def _admission(self, request: Request) -> Admitted | Refused:
        def header(name: str) -> str | None:
            values = request.headers.get_all(name)
            return ", ".join(values) if values else None

        offered = header("Sec-WebSocket-Protocol") or ""
        opening = OpeningRequest(
            path=request.path,
            subprotocols=tuple(part.strip() for part in offered.split(",") if part.strip()),
            origin=header("Origin"),
            authorization=header("Authorization"),
        )
        outcome = admit(opening, self._rules, self._is_bench_own)
        if isinstance(outcome, Refused):
            return outcome
        holder = self._settings.holder_of(outcome.charge_point_id)
        if holder != self._settings.replica:
            return Refused(421, f"csms-{holder} holds this identity", outcome.charge_point_id)
        is_new = self._connections.get(outcome.charge_point_id) is None
        if is_new and len(self._connections) >= self._settings.max_connections:
            return Refused(503, "too many charge points are connected", outcome.charge_point_id)
        return outcome

    def _is_bench_own(self, charge_point_id: str) -> bool:
        if self._rules.enrolment_password is None:
            return False
        return self._state.charge_points.is_enrolled(charge_point_id)

    def _refusal(self, websocket: ServerConnection, refused: Refused) -> Response:
        self.refused += 1
        now_s = asyncio.get_running_loop().time()
        self._refusals = self._refusals or pace.full(REFUSALS_PER_S, REFUSALS_BURST, now_s)
        after, wait_s = pace.take(self._refusals, now_s)
        if not wait_s:  # else it is only counted
            self._refusals = after
            who = refused.charge_point_id or "nobody known"
            log.warning("refused a connection of %s (%d): %s", who, refused.status, refused.reason)
            detail = {"status": refused.status, "reason": refused.reason, "refused_so_far": self.refused}
            self._note(refused.charge_point_id, "connection_refused", detail)
        response = websocket.respond(http.HTTPStatus(refused.status), f"{refused.reason}\n")
        if refused.status == http.HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="ChargeBench", charset="UTF-8"'
        return response

    async def _serve(self, websocket: ServerConnection) -> None:
        assert isinstance(websocket, _Socket)  # noqa: S101 - made by create_connection
        connection: Connection | None = None
        end: Close | None = None
        try:
            connection = self._opened(websocket)
            if connection is None:
                await websocket.close(_POLICY_VIOLATION, "this identity is one of the bench's own")
            else:
                self._on_connected(connection)
                await connection.peer.run()
        except ConnectionClosed as closed:
            end = closed.rcvd or closed.sent
        except Exception:
            log.exception("%s: the connection failed", websocket.admitted.charge_point_id)
            raise
        finally:
            if connection is not None:
                self._closed(connection, end)

    def _opened(self, websocket: _Socket) -> Connection | None:
        charge_point_id, enrolled = websocket.admitted.charge_point_id, websocket.admitted.enrolled
        now = datetime.now(UTC)
        if not enrolled and self._is_bench_own(charge_point_id):  # enrolled between request and now
            self._note(charge_point_id, "connection_refused", {"status": 403})
            return None
        peer = OcppPeer(
            websocket,
            {action: partial(self._answer, charge_point_id, action) for action in ACTIONS},
            observe=lambda exchange: self._observe(connection, exchange),
            call_timeout_s=self._settings.command_timeout_s,
        )
        connected_s = asyncio.get_running_loop().time()
        connection = Connection(charge_point_id, enrolled, peer, now, connected_s, last_seen_at=now)
        self._state.charge_points.connected(charge_point_id, now, enrolled=enrolled)
        replaced = self._connections.add(connection)
        self._sockets[connection] = websocket
        if replaced is not None:
            self._replace(replaced)
        log.info("%s connected%s", charge_point_id, " (enrolled)" if enrolled else "")
        self._note(charge_point_id, "connection_opened", {"enrolled": enrolled})
        return connection

    def _replace(self, old: Connection) -> None:
        # OCPP's convention: who connects again has lost the first connection, whatever TCP still believes.
        reason = "replaced by a newer connection"
        closing = asyncio.create_task(self._sockets[old].close(_POLICY_VIOLATION, reason))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        log.warning("%s: a second connection replaces the first", old.charge_point_id)
        self._note(old.charge_point_id, "connection_replaced", {"enrolled": old.enrolled})

    def _closed(self, connection: Connection, end: Close | None) -> None:
        del self._sockets[connection]
        if not self._connections.remove(connection):
            return
        charge_point_id = connection.charge_point_id
        self._state.charge_points.disconnected(charge_point_id, connection.last_seen_at)
        code, reason = (end.code, end.reason) if end is not None else (_ABNORMAL_CLOSURE, "")
        log.info("%s disconnected (%s)", charge_point_id, f"{code} {reason}".rstrip())
        self._note(charge_point_id, "connection_closed", {"code": code, "reason": reason})
        self._publish_offline(charge_point_id, datetime.now(UTC))

    def _publish_offline(self, charge_point_id: str, now: datetime) -> None:
        for connector in self._state.charge_points.connectors(charge_point_id):
            self._publish(
                StatusChanged(
                    at=now, charge_point_id=charge_point_id, connector=connector.connector, status="Offline"
                )
            )

    def _answer(self, charge_point_id: str, action: str, payload: Payload) -> Payload:
        context = Context(
            charge_point_id,
            datetime.now(UTC),
            self._state,
            self._settings.heartbeat_interval_s,
            self._settings.accept_unknown_tags,
        )
        answer = ACTIONS[action](payload, context)
        for event in answer.events:
            self._publish(event)
        self._connections.notify(charge_point_id)
        return answer.payload

    def _observe(self, connection: Connection, exchange: Exchange) -> None:
        now = datetime.now(UTC)
        if not exchange.sent:
            connection.last_seen_at = now
        self._keep_limits(connection.charge_point_id, exchange, now)
        for event in message_events.events_of(exchange, connection.charge_point_id, now):
            self._publish(event)

    def _keep_limits(self, charge_point_id: str, exchange: Exchange, now: datetime) -> None:
        # Here, where messages pass in order: a remote start's transaction may follow its answer at once.
        match exchange.message:
            case Call() as command if exchange.sent:
                change = limits.sent(self._state.limits.get(charge_point_id), command, now)
            case CallResult() as answer if not exchange.sent:
                change = limits.answered(self._state.limits.get(charge_point_id), answer, now)
            case _:
                return
        self._state.limits.put(charge_point_id, change)

    def _note(self, charge_point_id: str | None, name: str, detail: Payload) -> None:
        self._publish(
            SystemEvent(
                at=datetime.now(UTC),
                charge_point_id=charge_point_id,
                service="csms",
                name=name,
                detail=detail,
            )
        )
