"""What this charge point takes of charging profiles; the rest of what one must be is the contract's."""

from typing import Any

from contracts import charging_profile
from contracts.charging_profile import MalformedProfile, Profile

MAX_STACK_LEVEL = 10
MAX_PERIODS = 100


def from_payload(payload: dict[str, Any]) -> Profile:
    """Return the profile in a payload that fits OCPP's schema, or raise MalformedProfile."""
    profile = charging_profile.from_payload(payload)
    if profile.stack_level > MAX_STACK_LEVEL:
        raise MalformedProfile(f"stackLevel is not in 0 … {MAX_STACK_LEVEL}")
    if len(profile.periods) > MAX_PERIODS:
        raise MalformedProfile(f"there are not 1 … {MAX_PERIODS} periods")
    return profile
