"""Limits: which current the CSMS commanded for a connector, and which the charge point acknowledged. Pure.

Two books of charging profiles are kept apart: of all that were sent, and of those that were accepted. Either
tells for an instant what its profiles allow together, as OCPP 1.6 (section 3.13) has it: the leading
ChargePointMaxProfile, and below it the leading TxProfile of the running transaction or else the leading
TxDefaultProfile. Leading is the highest stack level that says something for the instant; at the same level
the connector's own goes before that of connector 0. How a station shares its own limit is not known here.

A limit is in amperes per phase. One in watts becomes amperes by what the meter told at that instant, or is
not known (None). So is one of an instant that lies before the books begin.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts import charging_profile
from contracts.charging_profile import MalformedProfile, Period, Profile, Purpose, Unit
from contracts.ocpp_messages import Call, CallResult, Payload
from csms.transaction import Transaction

MAX_IN_FORCE = 50
"""Profiles in force at a charge point; beyond that the oldest is forgotten (one takes 20 of ours at most)."""
MAX_ENDED = 64
"""Profiles that ended and are still known, since queued readings come late."""
MAX_OPEN = 8
"""Commands without an answer, and remote starts without a transaction, of one charge point."""
PROMISE_S = 600.0
"""How long a remote start may take to become a transaction; a later one is not its."""
LOWEST_VOLTAGE_V = 50.0
"""Below that a connector has no voltage yet, and watts say nothing of amperes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A profile on a connector (0: all), in force from `since` on; `until` None: it still is."""

    connector: int
    profile: Profile
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """What a meter told at an instant: volts, and over how many phases (1: direct current); None: nothing."""

    voltage_v: float | None = None
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Profiles in force and ended ones, the oldest end first; nothing is known of before `known_from`."""

    in_force: tuple[Entry, ...] = ()
    ended: tuple[Entry, ...] = ()
    known_from: datetime | None = None

    def with_profile(
        self, connector: int, profile: Profile, at: datetime, since: datetime | None = None
    ) -> "Book":
        """Return the book with a profile in place of that of its id, or of its connector, purpose and level.

        `since`: from when on it is in force, where that is before now, which is `at`.
        """
        place = (connector, profile.purpose, profile.stack_level)
        book = self.without(
            lambda entry: (
                entry.profile.profile_id == profile.profile_id
                or (entry.connector, entry.profile.purpose, entry.profile.stack_level) == place
            ),
            at,
        )
        kept = (*book.in_force, Entry(connector, profile, since or at))
        return replace(book, in_force=kept[-MAX_IN_FORCE:])

    def without(self, is_out: Callable[[Entry], bool], at: datetime) -> "Book":
        """Return the book with those entries ended."""
        out = tuple(replace(entry, until=at) for entry in self.in_force if is_out(entry))
        if not out:
            return self
        ended = (*self.ended, *out)
        forgotten = ended[:-MAX_ENDED]
        return Book(
            tuple(entry for entry in self.in_force if not is_out(entry)),
            ended[-MAX_ENDED:],
            forgotten[-1].until if forgotten else self.known_from,
        )

    def lasting(self) -> "Book":
        """Return what is worth keeping over a restart: what is in force, and since when that is all."""
        return Book(self.in_force, known_from=self.ended[-1].until if self.ended else self.known_from)

    def limit_a(
        self,
        connector: int,
        at: datetime,
        transaction: Transaction | None = None,
        supply: Supply | None = None,
    ) -> float | None:
        """Return what the profiles allow at an instant, or None where they say nothing or it is not known.

        Connector 0 has the station's own limit alone. Relative profiles count from the transaction's start.
        """
        if not self.in_force and not self.ended:
            return None
        if self.known_from is not None and at < self.known_from:
            return None
        charging_since = transaction.started_at if transaction else at
        station = _leading(self._of(Purpose.CHARGE_POINT_MAX, connector, at), at, charging_since)
        own = None
        if connector != 0:
            if transaction is not None:
                fitting = (
                    entry
                    for entry in self._of(Purpose.TX, connector, at)
                    if entry.profile.transaction_id in (None, transaction.transaction_id)
                )
                own = _leading(fitting, at, charging_since)
            own = own or _leading(self._of(Purpose.TX_DEFAULT, connector, at), at, charging_since)
        limits = [_amperes(*found, supply or Supply()) for found in (station, own) if found is not None]
        known = [limit for limit in limits if limit is not None]
        return min(known) if known and len(known) == len(limits) else None

    def _of(self, purpose: Purpose, connector: int, at: datetime) -> Iterator[Entry]:
        for entry in self._at(at):
            if entry.profile.purpose is purpose and entry.connector in (0, connector):
                yield entry

    def _at(self, at: datetime) -> Iterator[Entry]:
        for entry in self.in_force:
            if entry.since <= at:
                yield entry
        for entry in reversed(self.ended):
            if entry.until is None or entry.until <= at:
                return
            if entry.since <= at:
                yield entry


@dataclass(frozen=True, slots=True)
class Promise:
    """A remote start's profile, which takes force with the transaction; `accepted`: the start was."""

    unique_id: str
    connector: int | None
    id_tag: str
    profile: Profile
    at: datetime
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What is known of one charge point's limits."""

    commanded: Book = Book()
    acknowledged: Book = Book()
    unanswered: tuple[Call, ...] = ()
    promises: tuple[Promise, ...] = ()

    def lasting(self) -> "Limits":
        """Return what is worth keeping over a restart."""
        return Limits(self.commanded.lasting(), self.acknowledged.lasting())


def sent(limits: Limits, call: Call, now: datetime) -> Limits:
    """Return the limits after a command went out. What it says that is no profile changes nothing."""
    match call.action:
        case "SetChargingProfile" | "ClearChargingProfile":
            return replace(
                limits,
                commanded=_obeyed(limits.commanded, call, now),
                unanswered=(*limits.unanswered, call)[-MAX_OPEN:],
            )
        case "RemoteStartTransaction" if (
            profile := _profile(call.payload.get("chargingProfile"))
        ) and profile.purpose is Purpose.TX:
            connector = call.payload.get("connectorId")
            promise = Promise(call.unique_id, connector, call.payload["idTag"], profile, now)
            return replace(limits, promises=(*limits.promises, promise)[-MAX_OPEN:])
    return limits


def answered(limits: Limits, answer: CallResult, now: datetime) -> Limits:
    """Return the limits after an answer, which may be one to any call."""
    status = answer.payload.get("status")
    call = next((call for call in limits.unanswered if call.unique_id == answer.unique_id), None)
    if call is not None:
        waiting = tuple(other for other in limits.unanswered if other is not call)
        # One who knows no such profile has none in force either.
        obeyed = status == "Accepted" or (call.action == "ClearChargingProfile" and status == "Unknown")
        book = _obeyed(limits.acknowledged, call, now) if obeyed else limits.acknowledged
        return replace(limits, acknowledged=book, unanswered=waiting)
    if not any(promise.unique_id == answer.unique_id for promise in limits.promises):
        return limits
    promises = (
        replace(promise, accepted=True) if promise.unique_id == answer.unique_id else promise
        for promise in limits.promises
        if promise.unique_id != answer.unique_id or status == "Accepted"
    )
    return replace(limits, promises=tuple(promises))


def started(limits: Limits, transaction: Transaction, now: datetime) -> Limits:
    """Return the limits after a transaction's start: a remote start's profile takes force with it."""
    earliest = now - timedelta(seconds=PROMISE_S)
    fitting = [
        promise
        for promise in limits.promises
        if promise.at >= earliest
        and promise.connector in (None, transaction.connector)
        and promise.id_tag.casefold() == transaction.id_tag.casefold()
    ]
    if not fitting:
        return limits
    kept = fitting[-1]
    profile = replace(kept.profile, transaction_id=transaction.transaction_id)
    since = min(now, transaction.started_at)  # the first reading may be as old
    commanded = limits.commanded.with_profile(transaction.connector, profile, now, since)
    acknowledged = limits.acknowledged
    if kept.accepted:
        acknowledged = acknowledged.with_profile(transaction.connector, profile, now, since)
    remaining = tuple(promise for promise in limits.promises if promise not in fitting)
    return replace(limits, commanded=commanded, acknowledged=acknowledged, promises=remaining)


def ended(limits: Limits, transaction: Transaction, now: datetime) -> Limits:
    """Return the limits after a transaction's end, with which its TxProfiles end."""

    def is_its(entry: Entry) -> bool:
        return (
            entry.profile.purpose is Purpose.TX
            and entry.connector == transaction.connector
            and entry.profile.transaction_id in (None, transaction.transaction_id)
        )

    commanded, acknowledged = limits.commanded, limits.acknowledged
    return replace(
        limits, commanded=commanded.without(is_its, now), acknowledged=acknowledged.without(is_its, now)
    )


def _obeyed(book: Book, call: Call, now: datetime) -> Book:
    payload = call.payload
    if call.action == "ClearChargingProfile":
        return book.without(lambda entry: _is_meant(entry, payload), now)
    profile = _profile(payload["csChargingProfiles"])
    return book if profile is None else book.with_profile(payload["connectorId"], profile, now)


def _is_meant(entry: Entry, clear: Payload) -> bool:
    """Return whether a ClearChargingProfile means an entry: by the id alone, or by all else that it names."""
    if "id" in clear:
        return bool(entry.profile.profile_id == clear["id"])
    has = {
        "connectorId": entry.connector,
        "chargingProfilePurpose": entry.profile.purpose,
        "stackLevel": entry.profile.stack_level,
    }
    return all(clear[name] == value for name, value in has.items() if name in clear)


def _profile(payload: Payload | None) -> Profile | None:
    try:
        return None if payload is None else charging_profile.from_payload(payload)
    except MalformedProfile:
        return None


def _leading(entries: Iterator[Entry], at: datetime, charging_since: datetime) -> tuple[Period, Unit] | None:
    found = [
        ((entry.profile.stack_level, entry.connector), (period, entry.profile.unit))
        for entry in entries
        if (period := entry.profile.period_at(at, charging_since)) is not None
    ]
    return max(found, key=lambda one: one[0])[1] if found else None


def _amperes(period: Period, unit: Unit, supply: Supply) -> float | None:
    if unit is Unit.A or period.limit == 0:
        return period.limit
    named = [phases for phases in (period.phases, supply.phases) if phases is not None]
    if not named or supply.voltage_v is None or supply.voltage_v < LOWEST_VOLTAGE_V:
        return None
    return round(period.limit / (supply.voltage_v * min(named)), 2)
