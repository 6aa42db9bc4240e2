"""A detector of somebody else's as a judge: a process that answers each line with a line (docs/scores.md).

A line has the events of a second, a batch like those on MQTT; the answer is a JSON list of verdicts, mostly
empty. An alarm counts from the last event that was told before it: nobody can claim to have known earlier.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from contracts import events
from contracts.errors import ContractError, MalformedVerdict
from contracts.events import AnyEvent, CanFrameSeen, CommandSent, OcppMessageSeen, SystemEvent
from contracts.verdicts import Verdict, decode_verdict, decode_verdicts
from lab.score.line_process import PATIENCE_S, LineProcess, ProcessFailed
from lab.score.matching import Alarm

LINE = timedelta(seconds=1)
MOST_COMPLAINTS = 20
"""Distinct reasons; further ones are counted together."""
_OTHERS = "other reasons"
_SOURCE = "simulated:bench/events/00"
_BOOT = uuid.UUID(int=1)


class Foreign:
    """One process for one stretch of life; `close` it. Once it failed it says nothing more."""

    def __init__(self, command: str, patience_s: float = PATIENCE_S) -> None:
        """Start it. Raises OSError and ValueError where that cannot be."""
        self.alarms: list[Alarm] = []
        self.complaints: Counter[str] = Counter()
        """What was wrong with it, by reason: nonsense is passed over, a failure ends it."""
        self._process = LineProcess(command, patience_s)
        self._failed = False
        self._known: set[tuple[object, ...]] = set()
        self._waiting: list[AnyEvent] = []
        self._seq = 1
        self._now: datetime | None = None

    def take(self, event: AnyEvent) -> None:
        """Take the next event of the bench; never a label."""
        if self._waiting and abs(event.at - self._waiting[0].at) >= LINE:
            self._ask()
        self._waiting.append(event)
        # Not what a charge point's clock stamps: scenarios put it wrong.
        if self._now is None or isinstance(event, CanFrameSeen | OcppMessageSeen | CommandSent):
            self._now = event.at

    def close(self) -> None:
        """Ask for what there is to say of the last events, and end the process."""
        try:
            if self._waiting:
                self._ask()
        finally:
            self._process.close(at_once=self._failed)

    def _ask(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._failed or self._now is None:
            return
        try:
            answer = self._process.answer(_line(waiting, self._seq))
        except ProcessFailed as error:
            self._failed = True
            self._complain(str(error))
            return
        self._seq += len(waiting)
        try:
            said = decode_verdicts(answer)
        except ContractError as error:
            self._complain(f"a line that is no list of verdicts: {error}")
            return
        for one in said:
            try:
                verdict = decode_verdict(one)
                if verdict.at > self._now + LINE:
                    raise MalformedVerdict("of a time yet to come - at `$.at`")
            except ContractError as error:
                self._complain(f"a verdict that is none: {error}")
                continue
            self._heard(verdict, self._now)

    def _heard(self, verdict: Verdict, now: datetime) -> None:
        # Told again, e.g. with its end, it is the same one.
        key = (verdict.detector, verdict.charge_point_id, verdict.connector, verdict.kind, verdict.at)
        if key not in self._known:
            self._known.add(key)
            self.alarms.append(Alarm(verdict.charge_point_id, verdict.kind, now))

    def _complain(self, reason: str) -> None:
        is_new = reason not in self.complaints
        self.complaints[_OTHERS if is_new and len(self.complaints) >= MOST_COMPLAINTS else reason] += 1


def complaint(command: str) -> str | None:
    """Return what is wrong with a detector, from how it answers a first line; None: it does as it should."""
    try:
        process = LineProcess(command)
    except (OSError, ValueError) as error:
        return f"the detector {command!r} cannot be started: {error}"
    started = SystemEvent(at=events.EARLIEST_AT, service="lab", name="service_started")
    try:
        decode_verdicts(process.answer(_line([started], 1)))
    except (ProcessFailed, ContractError) as error:
        return f"the detector {command!r} does not answer a line with a list of verdicts: {error}"
    finally:
        process.close()
    return None


def _line(happened: Sequence[AnyEvent], first_seq: int) -> bytes:
    encoded = [events.encode_event(event) for event in happened]
    return events.encode_batch(_SOURCE, _BOOT, first_seq, first_seq - 1, encoded) + b"\n"
