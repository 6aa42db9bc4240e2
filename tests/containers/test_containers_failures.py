"""What dies comes back by itself, and nothing that was numbered is lost."""

import time

import pytest

from container_stack import Stack
from real_parts import wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

NAMES = {"CP-1", "CP-2"}
RETURN_S = 15.0  # for the engine to bring a container back; from then the next count
WHOLE_AGAIN_S = 15.0
SERVICES = ("postgres", "mosquitto", "memorybank", "csms", "charger", "chargepoint", "console", "lab")


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_container_comes_back_and_the_chain_is_whole(stack: Stack, service: str) -> None:
    """SIGKILL of each in turn: whole again within 15 s of its return."""
    stack.wait_whole(NAMES, 60)
    died = stack.inspect(service)["State"]["Pid"]
    stack.kill(service)

    def returned() -> bool:
        state = stack.inspect(service)["State"]
        return state["Running"] and state["Pid"] not in {0, died}

    wait_until(returned, timeout_s=RETURN_S, what=f"{service} to be started again")
    stack.wait_whole(NAMES, WHOLE_AGAIN_S)


def test_after_all_these_deaths_every_event_is_there_once(stack: Stack) -> None:
    """The count over all sources, with what the outboxes say they numbered."""
    stack.assert_nothing_lost()


def test_postgres_and_broker_away_for_a_minute_lose_nothing(stack: Stack) -> None:
    """Each alone and both together; charging goes on, and what happened meanwhile is there afterwards."""
    before = stack.query("SELECT now() AS at")[0]["at"]
    stack.compose("stop", "postgres")
    time.sleep(30)  # the outage itself, as asked for, not a wait for something to happen
    stack.compose("stop", "mosquitto")
    time.sleep(30)
    stack.compose("start", "postgres")
    time.sleep(30)
    stack.compose("start", "mosquitto")
    stack.wait_whole(NAMES, 60)
    until = f"'{before}'::timestamptz + interval '90 s'"
    count = (
        "SELECT charge_point_id, count(DISTINCT date_trunc('second', at)) AS n FROM dash.metrics "
        f"WHERE origin = 'can' AND at BETWEEN '{before}' AND {until} GROUP BY 1"
    )

    def is_there() -> bool:
        """What was kept meanwhile comes in the order of its numbers, while the live goes on."""
        seconds = {row["charge_point_id"]: row["n"] for row in stack.query(count)}
        return seconds.keys() == NAMES and min(seconds.values()) >= 85

    wait_until(is_there, timeout_s=60, what="every second of the outage")
    stack.assert_nothing_lost()
