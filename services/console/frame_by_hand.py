"""A single CAN frame that a person sends: allowed by the CSMS, labelled there, then sent."""

import time

from pydantic import BaseModel, ConfigDict, Field

from console import log_entry
from console.answers import ManualFrame
from console.apis import Api
from console.can_listener import CanListener

BURST = 20
PER_S = 5.0
"""Frames sent by hand, of all pages together: enough for a person, too few for a flood."""


class TooManyFrames(Exception):  # noqa: N818 - named after what is wrong
    """More frames than a person sends."""


class Frame(BaseModel):
    """A classic CAN frame on a connector's bus: an 11-bit identifier and up to 8 bytes in hexadecimal."""

    model_config = ConfigDict(extra="forbid")

    charge_point_id: str = Field(min_length=1, max_length=255)
    connector: int = Field(ge=1, le=255)
    can_id: int = Field(ge=0, le=0x7FF)
    data: str = Field(pattern=r"^([0-9a-fA-F]{2}){0,8}$")


class Sent(BaseModel):
    """The frame is on the bus; `text` says so."""

    sent: bool
    text: str


class Allowance:
    """So many at once, so many a second after that."""

    def __init__(self, burst: int = BURST, per_s: float = PER_S) -> None:
        self._burst = burst
        self._per_s = per_s
        self._left = float(burst)
        self._at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Take one; False where none is left. `now_s` is a monotonic clock's."""
        if self._at_s is not None:
            self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class FrameByHand:
    """Asks the CSMS, then sends on the connector's bus."""

    def __init__(self, csms: Api, can: CanListener) -> None:
        self._csms = csms
        self._can = can
        self._allowance = Allowance()

    async def send(self, frame: Frame) -> Sent:
        """Send a frame; raises TooManyFrames, NoSuchBus, and what `Api.ask` raises: it may not be allowed."""
        key = (frame.charge_point_id, frame.connector)
        data = bytes.fromhex(frame.data)
        # The bus is had before the label is: a label without a frame would be a lie.
        with self._can.sender(key) as send:
            if not self._allowance.take(time.monotonic()):
                raise TooManyFrames(f"more than {PER_S:g} frames a second by hand; wait a moment")
            wish = {**frame.model_dump(), "data": data.hex()}
            await self._csms.ask("POST", "/api/manual-frames", ManualFrame, body=wish)
            send(frame.can_id, data)
        bus = f"{key[0]}'s bus" if key[1] == 1 else f"the bus of {key[0]}'s connector {key[1]}"
        return Sent(sent=True, text=f"{log_entry.name_of(frame.can_id)} sent on {bus}")
