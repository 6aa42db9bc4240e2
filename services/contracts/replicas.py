"""Which of several CSMS replicas holds a charge point: computed from its identity, the same on every machine.

A replica's state (transactions, id tags) is a file of its own, so a charge point always goes to the same one.
"""

import hashlib

PLACE = "{replica}"
"""Stands in an address for the number of a replica."""


def holder_of(charge_point_id: str, replicas: int) -> int:
    """Return which of replicas 0 … `replicas` - 1 holds a charge point.

    By the highest of a hash for each (rendezvous hashing): when replicas are added, only those charge points
    move that the new ones take.
    """
    return max(range(replicas), key=lambda replica: _weight(charge_point_id, replica))


def _weight(charge_point_id: str, replica: int) -> bytes:
    return hashlib.sha256(f"{replica}/{charge_point_id}".encode()).digest()


def address_at(template: str, replica: int) -> str:
    """Return the address of one replica: `{replica}` in the template is its number."""
    return template.replace(PLACE, str(replica))


def address_for(template: str, charge_point_id: str, replicas: int) -> str:
    """Return the address at which a charge point is held."""
    return address_at(template, holder_of(charge_point_id, replicas)) if PLACE in template else template
