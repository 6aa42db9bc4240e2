"""Real charger processes and the leases on their backplane."""

import signal
import socket
import time
from contextlib import contextmanager

import pytest

from charger_process import Lessor, charger
from contracts import can_frames
from contracts.backplane import LEASE_TIMEOUT_S
from contracts.can_frames import Current, Faults, ModuleState, SetLimit, Start
from real_parts import free_port


@pytest.fixture
def backplane_port():
    return free_port(socket.SOCK_DGRAM)


@pytest.fixture
def lessor(backplane_port):
    with Lessor(backplane_port, free_port(socket.SOCK_DGRAM)) as lessor:
        yield lessor


@contextmanager
def two_chargers(backplane_port):
    with (
        charger(backplane_port=backplane_port, CHARGER_ID="charger-a") as a,
        charger(backplane_port=backplane_port, CHARGER_ID="charger-b") as b,
    ):
        yield {"charger-a": a, "charger-b": b}


def lease_to(lessor, charger_id):
    """Ask for offers, name the charger, wait for its module."""
    lessor.charger_id = None
    lessor.until(lambda: charger_id in lessor.offers, what=f"an offer of {charger_id}")
    lessor.charger_id = charger_id
    lessor.until(lambda: lessor.offers[charger_id].attached, what=f"{charger_id} to attach")
    hears_a_reading(lessor)


def hears_a_reading(lessor, timeout_s=15.0):
    begun = len(lessor.tool.heard)
    lessor.until(
        lambda: any(isinstance(frame, Current) for frame in lessor.tool.heard[begun:]),
        timeout_s=timeout_s,
        what="a reading",
    )


def charge(lessor, limit_a=100):
    for frame in (SetLimit(limit_a), Start()):
        lessor.tool.send(*can_frames.encode(frame))
    lessor.until(lambda: lessor.tool.heard[-1:] == [Current(limit_a)], what=f"{limit_a} A")


def test_without_a_lease_that_names_it_a_charger_stays_off_the_bus(backplane_port, lessor):
    with charger(backplane_port=backplane_port, CHARGER_ID="charger-a"):
        lessor.until(lambda: "charger-a" in lessor.offers, what="an offer")
        lessor.charger_id = "charger-of-another"
        lessor.live(2.5)
        assert lessor.tool.heard == []


def test_exactly_the_one_that_is_named_serves(backplane_port, lessor):
    with two_chargers(backplane_port):
        lessor.until(lambda: len(lessor.offers) == 2, what="both offers")
        assert not any(offer.attached for offer in lessor.offers.values())
        lease_to(lessor, "charger-b")
        lessor.live(4.0)
        assert lessor.offers["charger-b"].attached
        assert not lessor.offers["charger-a"].attached
        counters = [status.counter for status in lessor.tool.statuses]
        assert counters == list(range(len(counters)))


def test_another_takes_over_when_the_serving_one_is_killed(backplane_port, lessor):
    with two_chargers(backplane_port) as processes:
        lease_to(lessor, "charger-a")
        processes["charger-a"].kill()
        killed_at_s = time.monotonic()
        # The charge point's rule: an offer not renewed for so long has ended, ask for others.
        lessor.until(
            lambda: time.monotonic() - lessor.offered_at_s["charger-a"] > LEASE_TIMEOUT_S,
            what="the offer to lapse",
        )
        lessor.offers.clear()
        lease_to(lessor, "charger-b")
        assert time.monotonic() - killed_at_s < 6.5


def test_a_killed_charger_that_returns_under_its_name_attaches_again(backplane_port, lessor):
    with charger(backplane_port=backplane_port, CHARGER_ID="charger-a") as process:
        lease_to(lessor, "charger-a")
        process.kill()
        process.wait(10)
    with charger(backplane_port=backplane_port, CHARGER_ID="charger-a"):
        hears_a_reading(lessor)
        assert lessor.tool.statuses[-1].counter == 0


def test_a_lease_that_names_another_takes_the_module_off_at_once(backplane_port, lessor):
    with charger(backplane_port=backplane_port, CHARGER_ID="charger-a"):
        lease_to(lessor, "charger-a")
        lessor.charger_id = "charger-of-another"
        lessor.live(1.0)
        heard = len(lessor.tool.heard)
        lessor.live(2.5)
        assert len(lessor.tool.heard) == heard


def test_a_charge_point_that_restarts_in_time_finds_its_module_as_it_was(backplane_port, lessor):
    with charger(backplane_port=backplane_port, CHARGER_ID="charger-a"):
        lessor.keepalives = True
        lease_to(lessor, "charger-a")
        charge(lessor)
        lessor.leases = lessor.keepalives = False
        lessor.live(2.5)
        lessor.leases = lessor.keepalives = True
        lease_to(lessor, "charger-a")
        lessor.live(4.0)
        status = lessor.tool.statuses[-1]
        assert (status.state, status.closures) == (ModuleState.CHARGING, 1)
        counters = [status.counter for status in lessor.tool.statuses]
        assert counters == list(range(len(counters)))


def test_when_the_charge_point_vanishes_the_module_comes_to_rest_before_it_goes(backplane_port, lessor):
    with charger(backplane_port=backplane_port, CHARGER_ID="charger-a"):
        lessor.keepalives = True
        lease_to(lessor, "charger-a")
        charge(lessor, limit_a=300)
        lessor.leases = lessor.keepalives = False
        lessor.until(lambda: lessor.tool.heard[-1] == Current(0), what="0 A")
        status = lessor.tool.statuses[-1]
        assert (status.faults, status.contactor_closed) == (Faults.KEEPALIVE_LOST, False)
        assert status.hot_openings == 0
        lessor.live(1.5)
        heard = len(lessor.tool.heard)
        lessor.live(2.5)
        assert len(lessor.tool.heard) == heard


def test_a_stopped_charger_that_wakes_up_leaves_the_bus_to_its_successor(backplane_port, lessor):
    with two_chargers(backplane_port) as processes:
        lease_to(lessor, "charger-a")
        processes["charger-a"].send_signal(signal.SIGSTOP)
        lease_to(lessor, "charger-b")
        processes["charger-a"].send_signal(signal.SIGCONT)
        lessor.live(1.5)
        begun = len(lessor.tool.statuses)
        lessor.live(3.5)
        counters = [status.counter for status in lessor.tool.statuses[begun:]]
        assert len(counters) >= 2
        assert counters == list(range(counters[0], counters[0] + len(counters)))


def test_nonsense_on_the_backplane_is_no_lease(backplane_port, lessor):
    with charger(backplane_port=backplane_port, CHARGER_ID="charger-a"):
        lessor.until(lambda: "charger-a" in lessor.offers, what="an offer")
        for payload in (b"", b"\xff\xfe", b"[" * 4000, b'{"type":"lease"}', b'{"type":"lease","bus_port":0}'):
            lessor.send(payload)
        lease_to(lessor, "charger-a")


def test_ids_that_were_not_given_differ(backplane_port, lessor):
    with charger(backplane_port=backplane_port), charger(backplane_port=backplane_port):
        lessor.until(lambda: len(lessor.offers) == 2, what="two names")
