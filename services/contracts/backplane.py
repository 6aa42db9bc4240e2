"""How a charge point's bus finds its charger module: leases and offers on the backplane.

The backplane is a UDP multicast port of its own. Each charge point says once a second, for each of its
connectors, "this bus wants a module" (a lease). A charger that could serve it offers. The charge point, the
only judge of its bus, names the chosen charger in its next leases; only the charger that is named attaches a
module, and it lets go when the lease names another or is not renewed. So two chargers never serve one bus.

Who has many of them to say at one moment says them together, a line each in one packet.

The bench's injector says here, too, what is wrong with the module of a bus (a fault). It renews this every
second, as a lease is, so that no fault outlives who ordered it; the charger that serves the bus answers.
"""

from typing import Annotated, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from contracts.errors import MalformedDatagram
from contracts.injections import AtCharger

BACKPLANE_PORT = 19_999
FIRST_BUS_PORT = 20_000
"""Where CP-1's first bus is. Both lie below the ports that the kernel hands out by itself (from 32768)."""
BUSES_PER_CHARGE_POINT = 4

LEASE_PERIOD_S = 1.0
LEASE_TIMEOUT_S = 4.0
"""A lease, an offer or a fault that was not renewed for so long has ended."""

Port: TypeAlias = Annotated[int, Meta(ge=1, le=65535)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


class Lease(Struct, frozen=True, kw_only=True, tag="lease", forbid_unknown_fields=True):
    """From a charge point: the bus of one connector, and the charger chosen for it (None: make offers)."""

    charge_point_id: Name
    connector: Annotated[int, Meta(ge=1, le=255)]
    bus_port: Port
    charger_id: Name | None = None


class Offer(Struct, frozen=True, kw_only=True, tag="offer", forbid_unknown_fields=True):
    """From a charger: it would serve this bus, or (attached) does so. Renewed with every lease it hears."""

    charger_id: Name
    bus_port: Port
    attached: bool
    load: Annotated[int, Meta(ge=0)] = 0
    """How many buses it serves already; the charge point takes the least loaded."""


class Fault(Struct, frozen=True, kw_only=True, tag="fault", forbid_unknown_fields=True):
    """From the injector: the module on this bus is under this injection. `seed` decides its draws."""

    id: UUID
    bus_port: Port
    injection: AtCharger
    seed: int = 0


class FaultEnded(Struct, frozen=True, kw_only=True, tag="fault_ended", forbid_unknown_fields=True):
    """From the injector: it is over, before its time to live is."""

    id: UUID
    bus_port: Port


class FaultTaken(Struct, frozen=True, kw_only=True, tag="fault_taken", forbid_unknown_fields=True):
    """From the charger that serves the bus: the fault is in force."""

    id: UUID
    bus_port: Port


Datagram: TypeAlias = Lease | Offer | Fault | FaultEnded | FaultTaken

_ENCODER = msgspec.json.Encoder()
_DECODER: "msgspec.json.Decoder[Datagram]" = msgspec.json.Decoder(Datagram)


def encode(datagram: Datagram) -> bytes:
    """Return the JSON of a backplane datagram: a line of what is sent, without its end."""
    return _ENCODER.encode(datagram)


def decode(payload: bytes) -> list[Datagram]:
    """Return what is sent together, a line each and one at least; or raise MalformedDatagram."""
    try:
        datagrams = _DECODER.decode_lines(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedDatagram(str(error)) from error
    if not datagrams:
        raise MalformedDatagram("nothing in it")
    return datagrams
