"""A charging profile: read whole from an OCPP payload or refused; which of its periods holds when. Pure."""

import enum
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from contracts import ocpp_time
from contracts.errors import ContractError

_MAX_SECONDS = 366 * 86_400
_MAX_LIMIT = 10_000_000.0


class MalformedProfile(ContractError):  # noqa: N818 - named after what arrived
    """A profile that fits the schema but makes no sense; the message says why."""


class Purpose(enum.StrEnum):
    """What a profile is for."""

    CHARGE_POINT_MAX = "ChargePointMaxProfile"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


class Kind(enum.StrEnum):
    """What the start of a profile's schedule is counted from."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class Unit(enum.StrEnum):
    """The unit of limits: A per phase, or W over all phases."""

    A = "A"
    W = "W"


_RECURRENCE_S = {"Daily": 86_400, "Weekly": 7 * 86_400}


@dataclass(frozen=True, slots=True)
class Period:
    """A limit from `start_s` after the schedule's start to the next period. `phases`: None where not said."""

    start_s: int
    limit: float
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A charging profile with its one schedule. `start_at`: None counts from the transaction's start."""

    profile_id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    unit: Unit
    periods: tuple[Period, ...]
    duration_s: int | None = None
    start_at: datetime | None = None
    recurrence_s: int | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction_id: int | None = None

    @property
    def _counts_from_transaction(self) -> bool:
        return self.kind is Kind.RELATIVE or self.start_at is None

    def period_at(self, at: datetime, charging_since: datetime) -> Period | None:
        """Return the period that holds at an instant, or None where the profile says nothing."""
        if (self.valid_from and at < self.valid_from) or (self.valid_to and at >= self.valid_to):
            return None
        offset_s = (at - self._start(at, charging_since)).total_seconds()
        if self._counts_from_transaction:
            offset_s = max(0.0, offset_s)  # a clock set back must not lift the limit
        if offset_s < 0 or (self.duration_s is not None and offset_s >= self.duration_s):
            return None
        return next(period for period in reversed(self.periods) if period.start_s <= offset_s)

    def changes(self, start: datetime, end: datetime, charging_since: datetime) -> Iterator[datetime]:
        """Yield every instant in start … end at which another period may begin to hold, in no order."""
        yield from (edge for edge in (self.valid_from, self.valid_to) if edge is not None)
        offsets_s = [period.start_s for period in self.periods]
        if self.duration_s is not None:
            offsets_s.append(self.duration_s)
        begin = self._start(start, charging_since)
        while begin <= end:
            yield from (begin + timedelta(seconds=offset_s) for offset_s in offsets_s)
            if self.recurrence_s is None:
                return
            begin += timedelta(seconds=self.recurrence_s)

    def _start(self, at: datetime, charging_since: datetime) -> datetime:
        if self._counts_from_transaction or self.start_at is None:
            return charging_since
        if self.recurrence_s is None:
            return self.start_at
        recurrences = (at - self.start_at) // timedelta(seconds=self.recurrence_s)
        return self.start_at + timedelta(seconds=recurrences * self.recurrence_s)


def from_payload(payload: dict[str, Any]) -> Profile:
    """Return the profile in a payload that fits OCPP's schema, or raise MalformedProfile."""
    schedule = payload["chargingSchedule"]
    profile = Profile(
        profile_id=payload["chargingProfileId"],
        stack_level=payload["stackLevel"],
        purpose=Purpose(payload["chargingProfilePurpose"]),
        kind=Kind(payload["chargingProfileKind"]),
        unit=Unit(schedule["chargingRateUnit"]),
        periods=tuple(
            Period(period["startPeriod"], float(period["limit"]), period.get("numberPhases"))
            for period in schedule["chargingSchedulePeriod"]
        ),
        duration_s=schedule.get("duration"),
        start_at=_instant(schedule, "startSchedule", ocpp_time.parse),
        recurrence_s=_RECURRENCE_S.get(payload.get("recurrencyKind", "")),
        valid_from=_instant(payload, "validFrom", ocpp_time.parse_bound),
        valid_to=_instant(payload, "validTo", ocpp_time.parse_bound),
        transaction_id=payload.get("transactionId"),
    )
    complaint = _complaint(profile)
    if complaint:
        raise MalformedProfile(complaint)
    return profile


def _instant(payload: dict[str, Any], name: str, parse: Callable[[str], datetime]) -> datetime | None:
    text = payload.get(name)
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise MalformedProfile(f"{name}: {error}") from error


def _complaint(profile: Profile) -> str | None:
    starts_s = [period.start_s for period in profile.periods]
    in_order = starts_s == sorted(set(starts_s)) and starts_s[:1] == [0]
    checks = (
        (profile.stack_level >= 0, "stackLevel is negative"),
        (in_order, "the periods do not begin at 0 and rise"),
        (all(start_s <= _MAX_SECONDS for start_s in starts_s), "a period starts after more than a year"),
        (all(_is_limit(period.limit) for period in profile.periods), "a limit is negative or absurd"),
        (all(period.phases in (None, 1, 2, 3) for period in profile.periods), "numberPhases is not 1 … 3"),
        (
            profile.duration_s is None or 0 < profile.duration_s <= _MAX_SECONDS,
            "duration is not within a year",
        ),
        ((profile.kind is Kind.RECURRING) == (profile.recurrence_s is not None), "recurrencyKind"),
        (profile.kind is not Kind.RECURRING or profile.start_at is not None, "startSchedule is missing"),
        (
            None in (profile.valid_from, profile.valid_to) or profile.valid_from < profile.valid_to,  # type: ignore[operator]
            "validTo is not after validFrom",
        ),
    )
    return next((complaint for is_fine, complaint in checks if not is_fine), None)


def _is_limit(limit: float) -> bool:
    return math.isfinite(limit) and 0 <= limit <= _MAX_LIMIT
