"""The charge point's side of the backplane: it asks for a module, picks a charger, and names it. Pure.

contracts/backplane.py says the protocol. The charge point is the only judge of its bus: it takes the least
loaded of the chargers that offer, or the one that already serves the bus (so that a restarted charge point
keeps its module), and drops it when its offers are not renewed.
"""

from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from contracts.backplane import LEASE_TIMEOUT_S, Datagram, Lease, Offer

MAX_OFFERS = 256
"""More chargers than this at one backplane are nonsense; further ones are not listened to."""


class Happened(Struct, frozen=True):
    """A fact worth remembering: module_attached, module_lost, bus_contested."""

    name: str
    detail: dict[str, Any]


Output: TypeAlias = Lease | Happened


class Holder(Struct, frozen=True):
    """Whose bus it is, the chosen charger, and what each charger offered last and when."""

    charge_point_id: str
    connector: int
    bus_port: int
    charger_id: str | None = None
    attached: bool = False
    offers: dict[str, tuple[Offer, float]] = {}
    contested_s: float | None = None
    """When another charge point's lease for our bus was last heard."""


def heard(holder: Holder, datagram: Datagram, now_s: float) -> tuple[Holder, tuple[Output, ...]]:
    """Return the holder after a datagram; what is not about our bus changes nothing."""
    if datagram.bus_port != holder.bus_port:
        return holder, ()
    if isinstance(datagram, Lease):
        return _lease_heard(holder, datagram, now_s)
    if not isinstance(datagram, Offer):
        return holder, ()
    if datagram.charger_id not in holder.offers and len(holder.offers) >= MAX_OFFERS:
        return holder, ()
    offers = {**holder.offers, datagram.charger_id: (datagram, now_s)}
    holder = replace(holder, offers=offers)
    if datagram.charger_id != holder.charger_id or datagram.attached == holder.attached:
        return holder, ()
    name = "module_attached" if datagram.attached else "module_lost"
    return replace(holder, attached=datagram.attached), (Happened(name, {"charger_id": datagram.charger_id}),)


def _lease_heard(holder: Holder, lease: Lease, now_s: float) -> tuple[Holder, tuple[Output, ...]]:
    if (lease.charge_point_id, lease.connector) == (holder.charge_point_id, holder.connector):
        return holder, ()  # our own
    detail = {"by": lease.charge_point_id, "connector": lease.connector}
    report = () if holder.contested_s is not None else (Happened("bus_contested", detail),)
    return replace(holder, contested_s=now_s), report


def ticked(holder: Holder, now_s: float) -> tuple[Holder, tuple[Output, ...]]:
    """Return the holder and the lease to send now; comes every LEASE_PERIOD_S."""
    outputs: list[Output] = []
    offers = {
        charger_id: (offer, heard_s)
        for charger_id, (offer, heard_s) in holder.offers.items()
        if now_s - heard_s < LEASE_TIMEOUT_S
    }
    if len(offers) != len(holder.offers):
        holder = replace(holder, offers=offers)
    if holder.contested_s is not None and now_s - holder.contested_s >= LEASE_TIMEOUT_S:
        holder = replace(holder, contested_s=None)
    if holder.charger_id is not None and holder.charger_id not in offers:
        if holder.attached:
            outputs.append(Happened("module_lost", {"charger_id": holder.charger_id}))
        holder = replace(holder, charger_id=None, attached=False)
    if holder.charger_id is None and offers:
        best = min((offer for offer, _ in offers.values()), key=_rank)
        holder = replace(holder, charger_id=best.charger_id)
    lease = Lease(
        charge_point_id=holder.charge_point_id,
        connector=holder.connector,
        bus_port=holder.bus_port,
        charger_id=holder.charger_id,
    )
    return holder, (*outputs, lease)


def _rank(offer: Offer) -> tuple[bool, int, str]:
    return not offer.attached, offer.load, offer.charger_id
