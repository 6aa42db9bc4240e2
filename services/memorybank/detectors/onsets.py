"""When the current of each connector of a fleet begins to move fast, and by which command.

A second's readings come spread over that second, and a linear ramp takes many; the onset of a movement is
sharp for every ramp law, and the command's own instant is sharper still.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from msgspec import Struct, structs

from contracts.events import CommandSent, Event, Reading

STEEP_A = 2.5
"""Amperes within a second from which a movement is fast: a taper has 1 A/s, a sensor less noise than that."""
IDLE_A = STEEP_A
"""A current up to which it is nothing yet, or nothing any more."""
_MOST_CONNECTORS = 20_000
_MOST_PLUGS = 8
"""Connectors of a charge point to which a command goes that names none."""
_LATE = timedelta(seconds=60)
"""A reading that is older than the one before is late; by more, a clock was set back."""
_AT_ONCE = timedelta(0)
_GAP = timedelta(seconds=5)
"""After such a gap nothing is known of when a current moved, unless it was nothing before."""
_CAUSE_S = 8.0
"""A movement so long after a command is not of it."""

Key: TypeAlias = tuple[str, int]


@dataclass(slots=True)
class Line:
    """A connector's last reading and commands."""

    key: Key
    at: datetime
    current_a: float
    power_w: float
    moving: int = 0
    up_command_s: float = float("-inf")
    down_command_s: float = float("-inf")


class Onset(Struct, frozen=True, gc=False):
    """The current of a connector begins to rise (`direction` 1) or to fall (-1)."""

    key: Key
    at_s: float
    direction: int
    is_whole: bool
    """Whether it starts from nothing, or is stopped altogether."""
    command_s: float | None = None
    """When the command that it follows was sent; None: no such command is known."""

    @property
    def cause_s(self) -> float:
        """The command's instant, or else the reading's."""
        return self.at_s if self.command_s is None else self.command_s


@dataclass(slots=True)
class Onsets:
    """The connectors of a fleet, bounded: the one first seen is forgotten first. Changed in place."""

    lines: dict[Key, Line] = field(default_factory=dict)
    total_w: float = 0.0
    """The sum of the last powers."""
    most_plugs: int = 0
    """The highest number of a connector that was seen."""
    last: Event | None = None
    """What was taken last: whoever shares this gives it again."""
    onset: Onset | None = None
    """What that showed."""

    def command(self, command: CommandSent) -> None:
        """Take note of a command that can move a current."""
        if command is self.last or command.outcome != "Accepted" or command.charge_point_id is None:
            return
        self.last = command
        directions = _directions(command)
        if not directions:
            return
        at_s = command.at.timestamp()
        named = command.connector
        for connector in (named,) if named else range(1, min(self.most_plugs, _MOST_PLUGS) + 1):
            line = self.lines.get((command.charge_point_id, connector))
            if line is None:
                continue
            if 1 in directions:
                line.up_command_s = max(line.up_command_s, at_s)
            if -1 in directions:
                line.down_command_s = max(line.down_command_s, at_s)

    def reading(self, reading: Reading) -> Onset | None:
        """Take a reading; return the movement that it shows the onset of."""
        if reading is self.last:
            return self.onset
        self.last, self.onset = reading, None
        current_a = reading.current_a
        if current_a is None or reading.charge_point_id is None or reading.connector is None:
            return None
        key, at, power_w = (reading.charge_point_id, reading.connector), reading.at, reading.power_w
        if power_w is None:
            power_w = current_a * (reading.voltage_v or 0.0)
        line = self.lines.get(key)
        if line is None:
            self._add(Line(key, at, current_a, power_w))
            return None
        before_at, before_a = line.at, line.current_a
        if at <= before_at and at > before_at - _LATE:
            return None
        self.total_w += power_w - line.power_w
        line.at, line.current_a, line.power_w = at, current_a, power_w
        if -STEEP_A < current_a - before_a < STEEP_A:
            line.moving = 0
            return None
        self.onset = self._moved(line, reading, before_at, before_a)
        return self.onset

    def _moved(self, line: Line, reading: Reading, before_at: datetime, before_a: float) -> Onset | None:
        """Return the onset of a fast movement, unless it goes on or nobody knows when it began."""
        before, line.moving = line.moving, 1 if line.current_a > before_a else -1
        if line.moving == before or not (_AT_ONCE < line.at - before_at <= _GAP or abs(before_a) <= IDLE_A):
            return None
        if line.moving > 0:
            is_whole = before_a <= IDLE_A
        else:
            is_whole = (
                reading.transaction_id is None or reading.commanded_a == 0.0 or line.current_a <= IDLE_A
            )
        return self.caused(Onset(line.key, line.at.timestamp(), line.moving, is_whole))

    def caused(self, onset: Onset) -> Onset:
        """Return the onset with its command, as far as that is known by now."""
        line = self.lines.get(onset.key)
        if line is None or onset.command_s is not None:
            return onset
        command_s = line.up_command_s if onset.direction > 0 else line.down_command_s
        follows = -1.0 <= onset.at_s - command_s <= _CAUSE_S
        return structs.replace(onset, command_s=command_s) if follows else onset

    def _add(self, line: Line) -> None:
        if len(self.lines) >= _MOST_CONNECTORS:
            oldest = next(iter(self.lines))
            self.total_w -= self.lines.pop(oldest).power_w
        self.lines[line.key] = line
        self.most_plugs = max(self.most_plugs, line.key[1])
        self.total_w += line.power_w


def _directions(command: CommandSent) -> tuple[int, ...]:
    """Return the ways in which a command can move a current."""
    match command.command:
        case "RemoteStartTransaction":
            return (1,)
        case "RemoteStopTransaction" | "Reset":
            return (-1,)
        case "SetChargingProfile":
            return (-1,) if _limits_to_nothing(command) else (1, -1)
    return ()


def _limits_to_nothing(command: CommandSent) -> bool:
    try:
        periods = command.parameters["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]
        return float(periods[0]["limit"]) <= 0.0
    except (KeyError, TypeError, ValueError, IndexError):
        return False
