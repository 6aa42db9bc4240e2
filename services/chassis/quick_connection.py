"""A WebSocket of `websockets` without that library's many steps where nothing stands in the way."""

from collections.abc import Callable
from typing import Any

from websockets.asyncio.connection import Connection
from websockets.frames import Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN, Event


class QuickConnection(Connection):
    """To be inherited beside a ServerConnection or a ClientConnection."""

    take: Callable[[bytes], bool] | None = None
    """Is offered each whole text as it arrives; one that it does not take is left for `recv`."""

    async def send(self, message: Any, *, text: bool | None = None) -> None:
        """Send a message; where the connection is free, at once."""
        is_free = (
            self.protocol.state is OPEN
            and self.send_in_progress is None
            and not self.paused
            and not self.transport.is_closing()
        )
        if not (is_free and isinstance(message, str) and text is None):
            await super().send(message, text=text)
            return
        self.protocol.send_text(message.encode())
        self.send_data()
        if self.paused:
            await self.drain()

    def process_event(self, event: Event) -> None:
        """Offer a text to `take` unless an earlier one waits."""
        take = self.take
        if take is not None and not isinstance(event, (Request, Response)):
            is_whole_text = event.opcode is Opcode.TEXT and event.fin
            if is_whole_text and not len(self.recv_messages.frames) and take(bytes(event.data)):
                return
        super().process_event(event)
