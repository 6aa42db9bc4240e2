"""Ports on the real machine: free, taken, moved."""

import os
import socket

import pytest

from chassis.can_bus import GROUP, LOOPBACK, open_receiver
from embedded import ports
from embedded.ports import PortsError, taken
from real_parts import free_port


def test_a_second_holder_moves_its_can_range_and_says_so() -> None:
    with taken({}) as (first, _), taken({}) as (second, lines):
        assert second.can_base - first.can_base >= ports.RANGE_STRIDE
        assert any("guarded by" in line for line in lines)
        assert {first.can_backplane, first.can_base} & {second.can_backplane, second.can_base} == set()


def test_benches_that_start_at_one_moment_have_no_port_in_common() -> None:
    """Between the choice of a port and its server's start lie seconds in which it is free for all to see."""
    with taken({}) as (first, _), taken({}) as (second, lines), taken({}) as (third, _):
        numbers = [getattr(chosen, name) for chosen in (first, second, third) for name in chosen.__slots__]
        assert len(set(numbers)) == len(numbers)
        assert any(f"using {second.postgres}" in line for line in lines)


def test_a_taken_port_moves_and_names_its_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        port = free_port()
        other.bind(("127.0.0.1", port))
        other.listen()
        monkeypatch.setattr(ports, "USUAL", ports.Ports(console=port))
        with taken({}) as (chosen, lines):
            assert chosen.console != port
    assert any(f"port {port} (console)" in line and f"process {os.getpid()}" in line for line in lines)


def test_a_wanted_port_that_is_taken_is_an_error() -> None:
    with socket.socket() as other:
        port = free_port()
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(PortsError, match=f"port {port} \\(OCPP\\) is taken by"), taken({"ocpp": port}):
            pass


def test_a_wanted_port_that_is_free_is_taken() -> None:
    port = free_port()
    with taken({"ocpp": port}) as (chosen, lines):
        assert chosen.ocpp == port
    assert not any("OCPP" in line for line in lines)


def test_a_wanted_port_is_nobody_elses_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the one of which nobody spoke would have it, and the wanted one could not start."""
    port = free_port()
    monkeypatch.setattr(ports, "USUAL", ports.Ports(ocpp=port))
    with taken({"console": port}) as (chosen, _):
        assert chosen.console == port
        assert chosen.ocpp != port


def test_one_port_wanted_for_two_uses_is_an_error() -> None:
    port = free_port()
    with pytest.raises(PortsError, match="twice"), taken({"console": port, "ocpp": port}):
        pass


def test_no_port_is_given_twice() -> None:
    with taken({}) as (chosen, _):
        numbers = [getattr(chosen, name) for name in chosen.__slots__]
        assert len(set(numbers)) == len(numbers)


def test_a_range_whose_backplane_is_in_use_is_left_alone() -> None:
    """A bus on the backplane's port is seen although nobody holds the guard."""
    with open_receiver(GROUP, ports.GUARD_PORT + 1, LOOPBACK), taken({}) as (chosen, _):
        assert chosen.can_backplane != ports.GUARD_PORT + 1


def test_a_range_with_a_taken_health_port_is_left_alone_and_it_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A charge point whose port is taken could not start."""
    with taken({}) as (free, _):
        first = free.can_backplane - 1
    monkeypatch.setattr(ports, "GUARD_PORT", first)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first + 6))
        other.listen()
        with taken({}) as (chosen, lines):
            assert chosen.can_base >= first + ports.RANGE_STRIDE
    assert any(f"CAN range {first} is in use at port {first + 6}: using" in line for line in lines)


def test_a_wanted_port_is_nobodys_for_health() -> None:
    """Else the page and CP-3 would both have it."""
    with taken({}) as (free, _):
        wanted = free.can_base + 8
    with taken({"console": wanted}) as (chosen, _):
        assert chosen.console == wanted
        assert chosen.can_base != free.can_base


def test_many_charge_points_take_ranges_that_follow_each_other() -> None:
    """And another bench has none of them."""
    with taken({}, charge_points=1000) as (large, _), taken({}) as (small, _):
        assert not large.can_backplane <= small.can_base < large.can_base + 1000 * 4
