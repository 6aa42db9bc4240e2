"""`CHARGE_POINTS=3 docker compose up --scale chargepoint=2`: several charge points in each of two containers.

The last of this folder, since the stack is another one afterwards.
"""

import pytest

from container_stack import Stack
from real_parts import wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

PROCESSES = {"chargepoint:CP-1": {"CP-1", "CP-2", "CP-3"}, "chargepoint:CP-4": {"CP-4", "CP-5", "CP-6"}}
NAMES = set().union(*PROCESSES.values())

_HEARD_BY = """
SELECT DISTINCT split_part(s.source, '/', 1) AS process, m.charge_point_id
FROM memory.metrics AS m JOIN memory.sources AS s USING (source_no)
WHERE m.origin = 'can' AND m.at > '{since}'
"""


def test_two_containers_of_three_are_six_charge_points_that_charge(stack: Stack) -> None:
    """Each is one process's and nobody else's, with a module of its own, known to the CSMS, and charges."""
    # Asked for other settings and fewer containers at once, compose keeps those with the highest numbers.
    stack.compose("rm", "--stop", "--force", "chargepoint")
    stack.configure(CHARGE_POINTS="3")
    stack.up("--no-build", "--scale", "chargepoint=2")
    wait_until(lambda: stack.connected() == NAMES, what="exactly CP-1 … CP-6")
    stack.wait_whole(NAMES, 60)  # readings of all six, by CAN and by OCPP
    since = stack.query("SELECT now() AS at")[0]["at"]

    stack.charge(NAMES, 50)
    wait_until(lambda: min(stack.currents().get(name, 0) for name in NAMES) > 40, what="six at 50 A")

    heard: dict[str, set[str]] = {}
    for row in stack.query(_HEARD_BY.format(since=since)):
        heard.setdefault(row["process"], set()).add(row["charge_point_id"])
    assert heard == PROCESSES
    assert stack.connected() == NAMES
