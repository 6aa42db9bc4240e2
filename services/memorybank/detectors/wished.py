"""Which current was wished for at a connector, and whether the wish alternates."""

from dataclasses import dataclass, field

from contracts.events import CommandSent, Reading
from memorybank.detectors.cadence import Cadence
from memorybank.detectors.sent_limits import SentLimits

STEP_A = 8.0
"""Changes from here on alternate: a bit less than the 10 A from which a swing counts."""
_STALE_S = 3.0
"""So long after a remote start or stop a reading knows better whether a transaction runs."""
_LATELY_S = 90.0
"""Between limits that belong together: more than the longest period."""
_NOMINAL_V = 400.0


def _of_commands() -> Cadence:
    return Cadence(step_a=STEP_A, tolerance_s=0.75)


def _of_readings() -> Cadence:
    # They come once a second, and some are lost.
    return Cadence(step_a=STEP_A, tolerance_s=1.5)


@dataclass(slots=True)
class Wished:
    """What the CSMS and the charge point wish, changed in place. `rating_a`: no wish is more."""

    rating_a: float
    by_csms: Cadence = field(default_factory=_of_commands)
    """The limit while a transaction runs, else nothing."""
    by_charge_point: Cadence = field(default_factory=_of_readings)
    """The limit that it told its module while a transaction runs, else nothing."""
    limit_moves: int = 0
    """How often the CSMS's limit went up and down in turn lately, whether a transaction runs or not."""
    limit_a: float | None = None
    limit_way: int = 0
    limit_s: float = float("-inf")
    limits: SentLimits = field(default_factory=SentLimits)
    has_commands: bool = False
    voltage_v: float = _NOMINAL_V
    transaction_id: int | None = None
    running: bool = False
    remote_s: float = float("-inf")
    """When the last remote start or stop was."""

    def command(self, command: CommandSent) -> None:
        """Take note of a command of the CSMS; one that was not accepted changes nothing."""
        at_s = command.at.timestamp()
        match command.command:
            case "RemoteStartTransaction" | "RemoteStopTransaction":
                if command.outcome != "Accepted" or self._is_another(command):
                    return
                self.running, self.remote_s = command.command == "RemoteStartTransaction", at_s
                limit_a = self._limit_a()
            case "SetChargingProfile" | "ClearChargingProfile":
                self.limits.note(command, self.voltage_v)
                limit_a = self._limit_a()
                self._note_limit(at_s, limit_a)
            case _:
                return
        self.has_commands = True
        self.by_csms.note(at_s, limit_a if self.running else 0.0)

    def reading(self, reading: Reading, at_s: float) -> None:
        """Take note of what a reading says of the transaction and of the module's limit."""
        if reading.voltage_v:
            self.voltage_v = reading.voltage_v
        self.transaction_id = transaction_id = reading.transaction_id
        in_transaction = transaction_id is not None
        if in_transaction is not self.running and at_s - self.remote_s > _STALE_S:
            self.running = in_transaction
            if not in_transaction:
                self.limits.transaction_ended()
        wish_a = reading.commanded_a
        if wish_a is None:
            return
        if not in_transaction:
            wish_a = 0.0
        elif wish_a > self.rating_a:
            wish_a = self.rating_a
        if wish_a != self.by_charge_point.wish_a:
            self.by_charge_point.note(at_s, wish_a)
            if not self.has_commands:
                self.by_csms.wish_a = wish_a  # from which its first command departs

    def _note_limit(self, at_s: float, limit_a: float) -> None:
        """Count a limit that the CSMS asked for, if it goes the other way than the last one."""
        change_a = 0.0 if self.limit_a is None else limit_a - self.limit_a
        if self.limit_a is None or abs(change_a) >= STEP_A:
            self.limit_a = limit_a
        if abs(change_a) < STEP_A:
            return
        way = 1 if change_a > 0.0 else -1
        if at_s - self.limit_s > _LATELY_S:
            self.limit_moves = 0
        if way != self.limit_way or not self.limit_moves:
            self.limit_moves += 1
        self.limit_way, self.limit_s = way, at_s

    def _is_another(self, command: CommandSent) -> bool:
        """Return whether it stops another connector's transaction: a stop names no connector."""
        named = command.parameters.get("transactionId")
        return named is not None and self.transaction_id is not None and named != self.transaction_id

    def _limit_a(self) -> float:
        limit_a = self.limits.limit_a
        return self.rating_a if limit_a is None else min(limit_a, self.rating_a)
