"""The limit that the CSMS asked of a connector, from the commands that the charge point accepted."""

import math
from dataclasses import dataclass, field
from typing import Any

from contracts.charging_profile import Purpose
from contracts.events import CommandSent

_MOST_PROFILES = 4
"""Kept at once: one of each purpose, and one that overrides."""


@dataclass(frozen=True, slots=True)
class SentProfile:
    """What counts of a profile: its first period's limit, in amperes."""

    profile_id: int
    purpose: str
    stack_level: int
    limit_a: float


@dataclass(slots=True)
class SentLimits:
    """The profiles in force, the newest last; changed in place. A schedule counts by its first period."""

    profiles: list[SentProfile] = field(default_factory=list)

    def note(self, command: CommandSent, voltage_v: float) -> SentProfile | None:
        """Take a command; return the profile that it set, if any. Watts become amperes by `voltage_v`."""
        if command.outcome not in ("Accepted", "Unknown"):
            return None
        if command.command == "ClearChargingProfile":
            self._clear(command)
            return None
        if command.command != "SetChargingProfile" or command.outcome != "Accepted":
            return None
        try:
            sent = _sent(command.parameters["csChargingProfiles"], voltage_v)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return None
        place = (sent.purpose, sent.stack_level)
        kept = [
            other
            for other in self.profiles
            if other.profile_id != sent.profile_id and (other.purpose, other.stack_level) != place
        ]
        self.profiles = [*kept, sent][-_MOST_PROFILES:]
        return sent

    def transaction_ended(self) -> None:
        """Forget the profiles that end with their transaction."""
        if any(profile.purpose == Purpose.TX for profile in self.profiles):
            self.profiles = [profile for profile in self.profiles if profile.purpose != Purpose.TX]

    @property
    def limit_a(self) -> float | None:
        """What they allow together, or None where they say nothing: OCPP 1.6, section 3.13."""
        station = self.leading(Purpose.CHARGE_POINT_MAX)
        own = self.leading(Purpose.TX) or self.leading(Purpose.TX_DEFAULT)
        limits = [found.limit_a for found in (station, own) if found is not None]
        return min(limits) if limits else None

    def leading(self, purpose: str) -> SentProfile | None:
        """Return the profile of the highest level of a purpose."""
        found = [profile for profile in self.profiles if profile.purpose == purpose]
        return max(found, key=lambda profile: profile.stack_level) if found else None

    def _clear(self, command: CommandSent) -> None:
        asked = command.parameters
        self.profiles = [
            profile
            for profile in self.profiles
            if not (
                asked.get("id", profile.profile_id) == profile.profile_id
                and asked.get("chargingProfilePurpose", profile.purpose) == profile.purpose
                and asked.get("stackLevel", profile.stack_level) == profile.stack_level
            )
        ]


def _sent(payload: dict[str, Any], voltage_v: float) -> SentProfile:
    """Return what counts of a profile that was accepted, so that there is no need to read it whole."""
    schedule = payload["chargingSchedule"]
    period = schedule["chargingSchedulePeriod"][0]
    limit = float(period["limit"])
    if not math.isfinite(limit):
        raise ValueError("a limit that is no number")
    if schedule.get("chargingRateUnit") == "W":
        # A direct current's voltage is the vehicle's; of an alternating one it is that to neutral.
        phases = period.get("numberPhases") or (3 if voltage_v < 300.0 else 1)
        limit /= max(50.0, voltage_v) * phases
    return SentProfile(
        int(payload["chargingProfileId"]),
        payload["chargingProfilePurpose"],
        int(payload["stackLevel"]),
        limit,
    )
