"""The limit that the CSMS asked of a connector, from the commands that the charge point accepted."""

import math
from typing import Any

from msgspec import Struct

from contracts.charging_profile import Purpose
from contracts.events import CommandSent

_STATION, _TX, _TX_DEFAULT = Purpose.CHARGE_POINT_MAX.value, Purpose.TX.value, Purpose.TX_DEFAULT.value
_MOST_PROFILES = 4
"""Kept at once: one of each purpose, and one that overrides."""


class SentProfile(Struct, frozen=True, gc=False):
    """What counts of a profile: its first period's limit, in amperes."""

    profile_id: int
    purpose: str
    stack_level: int
    limit_a: float


class SentLimits(Struct, gc=False):
    """The profiles in force, the newest last; changed in place. A schedule counts by its first period."""

    profiles: tuple[SentProfile, ...] = ()
    limit_a: float | None = None
    """What they allow together, or None where they say nothing: OCPP 1.6, section 3.13."""
    last: CommandSent | None = None
    """The command that was taken last: whoever shares this gives it again."""
    noted: SentProfile | None = None
    """The profile that it set."""

    def note(self, command: CommandSent, voltage_v: float) -> SentProfile | None:
        """Take a command; return the profile that it set, if any. Watts become amperes by `voltage_v`."""
        if command is not self.last:
            self.last, self.noted = command, self._noted(command, voltage_v)
        return self.noted

    def _noted(self, command: CommandSent, voltage_v: float) -> SentProfile | None:
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
        if self.profiles and sent == self.profiles[-1]:
            return sent
        place = (sent.purpose, sent.stack_level)
        kept = [
            other
            for other in self.profiles
            if other.profile_id != sent.profile_id and (other.purpose, other.stack_level) != place
        ]
        self._keep((*kept, sent)[-_MOST_PROFILES:])
        return sent

    def transaction_ended(self) -> None:
        """Forget the profiles that end with their transaction."""
        if any(profile.purpose == _TX for profile in self.profiles):
            self._keep(tuple(profile for profile in self.profiles if profile.purpose != _TX))

    def _keep(self, profiles: tuple[SentProfile, ...]) -> None:
        self.profiles = profiles
        station = self.leading(_STATION)
        own = self.leading(_TX) or self.leading(_TX_DEFAULT)
        self.limit_a = own.limit_a if own else None
        if station is not None and (own is None or station.limit_a < own.limit_a):
            self.limit_a = station.limit_a

    def leading(self, purpose: str) -> SentProfile | None:
        """Return the profile of the highest level of a purpose."""
        found = None
        for profile in self.profiles:
            if profile.purpose == purpose and (found is None or profile.stack_level > found.stack_level):
                found = profile
        return found

    def _clear(self, command: CommandSent) -> None:
        asked = command.parameters
        self._keep(
            tuple(
                profile
                for profile in self.profiles
                if not (
                    asked.get("id", profile.profile_id) == profile.profile_id
                    and asked.get("chargingProfilePurpose", profile.purpose) == profile.purpose
                    and asked.get("stackLevel", profile.stack_level) == profile.stack_level
                )
            )
        )


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
