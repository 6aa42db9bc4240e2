"""What the bench's own charge points live by themselves."""

import re


def planned(charge_point_id: str) -> tuple[str, float, int] | None:
    """Return scenario, delay in seconds and seed for an enrolled charge point; None for one without number.

    Odd numbers fluctuate, even ones charge benignly, staggered by their numbers.
    """
    match = re.search(r"([0-9]{1,9})$", charge_point_id)
    if match is None:
        return None
    number = int(match[1])
    scenario = "repeated-current-fluctuation" if number % 2 else "benign-charging"
    return scenario, float(number % 8), number
