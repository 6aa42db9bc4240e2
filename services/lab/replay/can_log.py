"""Events out of a CAN log (.asc, .blf, .log, .trc): the frames, and the readings that they make.

A log knows no charge point: each channel becomes one, LOG-0, LOG-1, … What OCPP said is not in it, so what a
detector learns from commands is missing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import can

from chargepoint import bridge, meter
from chargepoint.bridge import Heard
from chargepoint.meter import Meter
from chargepoint.smart_charging import Supply
from contracts import can_frames
from contracts.can_frames import SetLimit
from contracts.errors import ContractError, MalformedFrame
from contracts.events import AnyEvent, CanFrameSeen

_SUPPLY = Supply(rated_a=300.0, voltage_v=400.0)
_FREQUENCY_HZ = 50.0


class NotALog(ContractError):  # noqa: N818 - named after what it is
    """A file that is no CAN log; the message says why."""


class _Channel:
    """What is known of one bus so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard = Heard()
        self.meter = Meter()
        self.commanded_a: float | None = None


def events(path: Path) -> Iterator[AnyEvent]:
    """Yield the frames of a log and, with each 0x300, its reading. Raises NotALog.

    Frames that are malformed are events all the same, as on a bus.
    """
    channels: dict[Any, _Channel] = {}
    try:
        with can.LogReader(path) as reader:
            for message in reader:
                channel = channels.get(message.channel)
                if channel is None:
                    channel = channels[message.channel] = _Channel(f"LOG-{len(channels)}")
                yield from _events(channel, message)
    except (OSError, ValueError, can.CanError) as error:
        raise NotALog(f"{path}: {error}") from error


def _events(channel: _Channel, message: can.Message) -> Iterator[AnyEvent]:
    if message.is_error_frame or message.is_remote_frame:
        return
    at = datetime.fromtimestamp(message.timestamp, UTC)
    yield CanFrameSeen(
        at=at,
        charge_point_id=channel.name,
        connector=1,
        can_id=message.arbitration_id,
        data=bytes(message.data).hex(),
    )
    try:
        frame = (
            None if message.is_extended_id else can_frames.decode(message.arbitration_id, bytes(message.data))
        )
    except MalformedFrame:
        return
    if frame is None:
        return
    if isinstance(frame, SetLimit):
        channel.commanded_a = float(frame.limit_a)
    channel.heard, report = bridge.hear(channel.heard, frame)
    if report is not None:
        channel.meter = meter.read(channel.meter, bridge.power_w(report, _SUPPLY), message.timestamp)
        yield bridge.reading(
            report,
            _SUPPLY,
            at=at,
            charge_point_id=channel.name,
            connector=1,
            energy_wh=channel.meter.energy_wh,
            commanded_a=channel.commanded_a,
            transaction_id=None,
            frequency_hz=_FREQUENCY_HZ,
        )
