"""Smart charging: which profiles are installed, and what current they allow now and later. Pure.

At each instant a transaction may draw the least of: what the module is rated for; its share of the leading
ChargePointMaxProfile; the leading TxProfile, or where none holds the leading TxDefaultProfile. Leading is the
highest stack level that says something for the instant; at the same level the connector's own profile goes
before the one of connector 0.

Watts become amperes by the supply's nominal voltage (by the measured one, noise would move the limit):
A = W / (V * phases), with the phases that the period names, at most the supply's; direct current has one. So
an ampere is always an ampere per phase.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

from msgspec import Struct

from contracts.charging_profile import Profile, Purpose, Unit

MAX_INSTALLED = 20
MAX_COMPOSITE_S = 2 * 86_400
"""A longer composite schedule is cut: daily profiles would make it endless."""


class Supply(Struct, frozen=True):
    """What stands behind a connector: the rated current per phase, nominal voltage, phases (1: DC)."""

    rated_a: float
    voltage_v: float
    phases: int = 1

    def watts(self, limit: "Limit") -> float:
        """Return the power that a limit allows."""
        return limit.limit_a * self.voltage_v * limit.phases


class Limit(Struct, frozen=True):
    """Amperes per phase, and over how many phases."""

    limit_a: float
    phases: int


class Installed(Struct, frozen=True):
    """A profile and the connector it was set on (0: the whole station)."""

    connector: int
    profile: Profile


Profiles: TypeAlias = tuple[Installed, ...]


class Load(Struct, frozen=True):
    """For whom a limit is asked: a connector, and since when it charges (idle: since now)."""

    connector: int
    charging_since: datetime
    sharing: int = 1
    """How many connectors share the ChargePointMaxProfile, this one included."""
    in_transaction: bool = True


def install(profiles: Profiles, connector: int, profile: Profile) -> Profiles | None:
    """Return the profiles with this one, in place of those with its id or its purpose, level and connector.

    None where the purpose does not fit the connector or there is no room. Whether a transaction runs for a
    TxProfile is the caller's to check.
    """
    if (profile.purpose is Purpose.CHARGE_POINT_MAX) != (connector == 0) and (
        profile.purpose is not Purpose.TX_DEFAULT
    ):
        return None
    kept = tuple(
        other
        for other in profiles
        if other.profile.profile_id != profile.profile_id
        and (other.connector, other.profile.purpose, other.profile.stack_level)
        != (connector, profile.purpose, profile.stack_level)
    )
    return None if len(kept) >= MAX_INSTALLED else (*kept, Installed(connector, profile))


def clear(
    profiles: Profiles,
    *,
    profile_id: int | None = None,
    connector: int | None = None,
    purpose: Purpose | None = None,
    stack_level: int | None = None,
) -> Profiles:
    """Return the profiles without those that fit every criterion given; an id alone decides where given."""

    def fits(one: Installed) -> bool:
        if profile_id is not None:
            return one.profile.profile_id == profile_id
        return (
            connector in (None, one.connector)
            and purpose in (None, one.profile.purpose)
            and stack_level in (None, one.profile.stack_level)
        )

    return tuple(one for one in profiles if not fits(one))


def limit_at(profiles: Profiles, load: Load, supply: Supply, at: datetime) -> Limit:
    """Return what the load may draw at an instant."""
    own = [one for one in profiles if one.connector in (0, load.connector)]
    if not own:
        return Limit(supply.rated_a, supply.phases)
    limits = [Limit(supply.rated_a, supply.phases)]
    station = _leading(own, Purpose.CHARGE_POINT_MAX, load, supply, at)
    if station is not None:
        limits.append(Limit(station.limit_a / load.sharing, station.phases))
    transaction = _leading(own, Purpose.TX, load, supply, at) if load.in_transaction else None
    transaction = transaction or _leading(own, Purpose.TX_DEFAULT, load, supply, at)
    if transaction is not None:
        limits.append(transaction)
    return Limit(min(limit.limit_a for limit in limits), min(limit.phases for limit in limits))


def _leading(
    profiles: Iterable[Installed], purpose: Purpose, load: Load, supply: Supply, at: datetime
) -> Limit | None:
    """Return what the leading profile of a purpose says for an instant, or None."""
    found = [
        (one.profile.stack_level, one.connector, one.profile.unit, period)
        for one in profiles
        if one.profile.purpose is purpose
        and (period := one.profile.period_at(at, load.charging_since)) is not None
    ]
    if not found:
        return None
    _, _, unit, period = max(found, key=lambda entry: entry[:2])
    phases = min(period.phases or supply.phases, supply.phases)
    return Limit(period.limit / (supply.voltage_v * phases) if unit is Unit.W else period.limit, phases)


class CompositePeriod(Struct, frozen=True):
    """From `start_s` on, this limit in the unit asked for, a multiple of 0.1 as OCPP wants it."""

    start_s: int
    limit: float
    phases: int


def composite(
    profiles: Profiles, load: Load, supply: Supply, start: datetime, duration_s: int, unit: Unit
) -> tuple[CompositePeriod, ...]:
    """Return the limits from `start` on for `duration_s` (MAX_COMPOSITE_S at most), above no ceiling."""
    end = start + timedelta(seconds=min(duration_s, MAX_COMPOSITE_S))
    offsets_s = {0}
    for one in profiles:
        for change in one.profile.changes(start, end, load.charging_since):
            if start < change < end:
                offsets_s.add(math.ceil((change - start).total_seconds()))
    periods: list[CompositePeriod] = []
    for start_s in sorted(offsets_s):
        limit = limit_at(profiles, load, supply, start + timedelta(seconds=start_s))
        value = supply.watts(limit) if unit is Unit.W else limit.limit_a
        period = CompositePeriod(start_s, _tenths(value), limit.phases)
        if not periods or (period.limit, period.phases) != (periods[-1].limit, periods[-1].phases):
            periods.append(period)
    return tuple(periods)


def _tenths(value: float) -> float:
    # Rounded down; the small sum undoes what binary fractions took from a limit that was whole tenths.
    return math.floor(value * 10 + 1e-6) / 10
