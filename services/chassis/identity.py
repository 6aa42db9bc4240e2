"""Which replica of a scaled container this is, and which of its addresses is on the CAN network.

The container network's name server answers a reverse query for an own address with
`<project>-<service>-<n>.<network>`; /etc/hosts, which the system's resolver asks first, hides that.
"""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import dns.exception
import dns.resolver
import dns.reversename

_REPLICA = re.compile(r"^(?P<project>.+)[-_](?P<service>[a-z][^-_]*)[-_](?P<number>[0-9]+)\.(?P<network>.+)$")
_ORDINAL = re.compile(r"-([0-9]+)$")
_DEADLINE_S = 3.0


@dataclass(frozen=True, slots=True)
class Replica:
    """One address of this container as the network's name server knows it."""

    address: str
    service: str
    number: int
    network: str


def parse_replica(address: str, name: str) -> Replica | None:
    """Return what a PTR answer tells, or None where the name is not a compose replica's."""
    match = _REPLICA.match(name.rstrip("."))
    if match is None:
        return None
    return Replica(address, match["service"], int(match["number"]), match["network"])


def ordinal_of(host_name: str) -> int | None:
    """Return the 1-based number of a Kubernetes StatefulSet's pod (`chargepoint-0` is 1), or None."""
    match = _ORDINAL.search(host_name)
    return int(match[1]) + 1 if match else None


def own_addresses() -> list[str]:
    """Return the IPv4 addresses of this host's interfaces but loopback, lowest interface first."""
    return list(_interface_addresses())


def _interface_addresses() -> Iterator[str]:
    import fcntl  # noqa: PLC0415 - Linux only, and only containers ask
    import struct  # noqa: PLC0415

    siocgifaddr = 0x8915
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(probe.fileno(), siocgifaddr, struct.pack("256s", name.encode()[:15]))
            except OSError:  # an interface without an IPv4 address
                continue
            address = socket.inet_ntoa(answer[20:24])
            if not address.startswith("127."):
                yield address


def replicas() -> list[Replica]:
    """Return what the name server knows of each own address; empty outside of container networks."""
    found = []
    for address in own_addresses():
        try:
            answer = dns.resolver.resolve(
                dns.reversename.from_address(address), "PTR", lifetime=_DEADLINE_S, search=False
            )
        except (dns.exception.DNSException, OSError):
            continue
        found += [replica for record in answer if (replica := parse_replica(address, str(record)))]
    return found


def address_on(network_suffix: str) -> str | None:
    """Return our address on the container network whose name ends so (e.g. `_can`), or None."""
    return next((r.address for r in replicas() if r.network.endswith(network_suffix)), None)
