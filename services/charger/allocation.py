"""The charger's side of the backplane: which buses it serves. Pure; contracts/backplane.py says the protocol.

Only a lease that names this charger attaches; one that names another detaches at once. A lease without a
name asks for offers and neither renews nor ends anything, so a charge point that restarts within the timeout
finds its module as it left it. Once a lease has lapsed the module is left to come to rest (its keepalives
ended with the charge point) and then detached.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from contracts.backplane import LEASE_TIMEOUT_S, Lease, Offer

RELEASE_S = 6.0
"""How long a lapsed module may take to rest: 1 s to the keepalive's timeout, 1.5 s from 300 A, a margin."""


@dataclass(frozen=True, slots=True)
class Attach:
    """Put a module on this bus."""

    bus_port: int
    charge_point_id: str
    connector: int


@dataclass(frozen=True, slots=True)
class Detach:
    """Take the module off this bus."""

    bus_port: int
    reason: str


Action: TypeAlias = Attach | Detach | Offer


@dataclass(frozen=True, slots=True)
class Allocation:
    """Who we are, how many buses we can serve, and when each one that we serve was last leased to us."""

    charger_id: str
    capacity: int
    renewed_s: dict[int, float] = field(default_factory=dict)


def heard(allocation: Allocation, lease: Lease, now_s: float) -> tuple[Allocation, tuple[Action, ...]]:
    """Return the allocation and the actions after a lease; actions after a failed Attach are void."""
    port = lease.bus_port
    serving = port in allocation.renewed_s
    if lease.charger_id not in (None, allocation.charger_id):
        return (
            _without(allocation, port, f"the lease names {lease.charger_id}") if serving else (allocation, ())
        )
    if not serving and len(allocation.renewed_s) >= allocation.capacity:
        return allocation, ()
    if lease.charger_id is None:
        return allocation, (_offer(allocation, port),)
    if serving:
        # In place: a thousand buses are leased anew each second, and each copy would be of a thousand.
        allocation.renewed_s[port] = now_s
        return allocation, (_offer(allocation, port),)
    attached = replace(allocation, renewed_s={**allocation.renewed_s, port: now_s})
    return attached, (Attach(port, lease.charge_point_id, lease.connector), _offer(attached, port))


def ticked(
    allocation: Allocation, at_rest: AbstractSet[int], now_s: float
) -> tuple[Allocation, tuple[Action, ...]]:
    """Return the allocation without the lapsed buses whose module is at rest, and their Detach actions."""
    actions: list[Action] = []
    for port, renewed_s in allocation.renewed_s.items():
        lapsed_s = now_s - renewed_s - LEASE_TIMEOUT_S
        if lapsed_s > RELEASE_S or (lapsed_s > 0 and port in at_rest):
            allocation, detach = _without(allocation, port, "the lease lapsed")
            actions += detach
    return allocation, tuple(actions)


def failed(allocation: Allocation, bus_port: int) -> Allocation:
    """Return the allocation after an Attach that did not work: the next lease tries it again."""
    return _without(allocation, bus_port, "")[0]


def _offer(allocation: Allocation, port: int) -> Offer:
    return Offer(
        charger_id=allocation.charger_id,
        bus_port=port,
        attached=port in allocation.renewed_s,
        load=len(allocation.renewed_s),
    )


def _without(allocation: Allocation, port: int, reason: str) -> tuple[Allocation, tuple[Action, ...]]:
    kept = {other: renewed_s for other, renewed_s in allocation.renewed_s.items() if other != port}
    return replace(allocation, renewed_s=kept), (Detach(port, reason),)
