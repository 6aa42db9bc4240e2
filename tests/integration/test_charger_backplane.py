"""Real charger processes and the leases on their backplane."""

import signal
import socket
import time
from contextlib import contextmanager

import pytest

from charger_process import Lessor, charger
from contracts import backplane, can_frames
from contracts.backplane import LEASE_TIMEOUT_S, Lease
from contracts.can_frames import Current, Faults, ModuleState, Output, SetLimit, Start
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


def noise_of_a_new_module(lessor):
    """Lease the bus to charger-a, close the contactor at 0 A, and return what the sensor reads first."""
    begun, statuses = len(lessor.tool.heard), len(lessor.tool.statuses)
    lessor.charger_id = "charger-a"
    lessor.until(
        lambda: any(status.counter == 0 for status in lessor.tool.statuses[statuses:]), what="a new module"
    )
    for frame in (SetLimit(0), Start()):
        lessor.tool.send(*can_frames.encode(frame))

    def read_a():
        outputs = (frame for frame in lessor.tool.heard[begun:] if isinstance(frame, Output))
        return tuple(output.current_a for output in outputs if output.current_a)

    lessor.until(lambda: len(read_a()) >= 2, what="two readings")
    return read_a()[:2]


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


def test_no_module_repeats_the_noise_of_the_one_before(backplane_port, lessor):
    environ = {"CHARGER_ID": "charger-a", "CHARGER_SEED": "1", "CHARGER_NOISE_SD_A": "10"}
    with charger(backplane_port=backplane_port, **environ) as process:
        first_a = noise_of_a_new_module(lessor)
        to_another = Lease(
            charge_point_id="CP-1", connector=1, bus_port=lessor.bus_port, charger_id="charger-of-another"
        )
        lessor.send(backplane.encode(to_another))
        attached_again_a = noise_of_a_new_module(lessor)
        process.kill()
        process.wait(10)
    with charger(backplane_port=backplane_port, **environ):
        started_again_a = noise_of_a_new_module(lessor)
    assert len({first_a, attached_again_a, started_again_a}) == 3


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
