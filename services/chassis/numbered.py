"""Which charge points a process is for: one, or many that are numbered on from a first one."""

import re
from typing import Any

from chassis.settings import SettingsError, setting, within

MAX_CHARGE_POINTS = 10_000
"""In one process. Ports end before that: 4 a charge point from 20,000 on are room for 11,384."""
MAX_REPLICA = 99_999
"""An identity's number has at most five digits."""


def identity(value: str) -> str | None:
    """Check an identity, or what it begins with."""
    # A colon would end the user name of Basic authentication; 48 is what OCPP allows.
    wrong = not value.isprintable() or len(value) > 48 or re.search(r"[\s/:]", value)
    return f"{value!r} is not 1 to 48 printable characters without space, slash and colon" if wrong else None


def prefix() -> Any:
    """Declare the setting of what identities begin with."""
    return setting(
        "CHARGE_POINT_PREFIX",
        "Begins the identity that is made from the number of the container or pod, e.g. CP-3",
        default="CP",
        check=identity,
    )


def how_many() -> Any:
    """Declare the setting of how many they are."""
    return setting(
        "CHARGE_POINTS",
        "How many charge points this process is, numbered on from its first: replica 2 with 100 is CP-101 to "
        "CP-200, with CHARGE_POINT_ID=CP-7 it would be CP-7 to CP-106",
        default=1,
        check=within(1, MAX_CHARGE_POINTS),
    )


def replica() -> Any:
    """Declare the setting of which of several such processes this is."""
    return setting(
        "CHARGE_POINT_REPLICA",
        "Which of several such processes this is, from 1 on; not given: the number of the container or pod",
        default=None,
        check=lambda value: None if value is None else within(1, MAX_REPLICA)(value),
    )


def of_replica(prefix: str, replica: int, count: int) -> tuple[str, ...]:
    """Return the identities of the `replica`th process, from 1 on, of several with `count` each."""
    return on_from(f"{prefix}-{(replica - 1) * count + 1}", count)


def on_from(first: str, count: int) -> tuple[str, ...]:
    """Return so many identities: the first, and those with the numbers after its own.

    Raises SettingsError where it has none.
    """
    if count == 1:
        return (first,)
    number = re.search(r"(?<!\d)([1-9]\d{0,4})$", first)
    if number is None:
        raise SettingsError(f"CHARGE_POINT_ID: {first!r} does not end in a number from 1 on to count from")
    stem = first[: number.start()]
    return tuple(f"{stem}{int(number[1]) + further}" for further in range(count))
