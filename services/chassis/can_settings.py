"""Where CAN is: the settings that every node of a bus shares. A service's own settings inherit them."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from chassis import identity
from chassis.can_bus import LOOPBACK
from chassis.settings import setting, within
from contracts.backplane import BACKPLANE_PORT

NETWORK_SUFFIX = "_can"


def _interface(value: str) -> str | None:
    if value != "auto":
        try:
            IPv4Address(value)
        except ValueError:
            return f"{value!r} is neither an IPv4 address nor auto"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanSettings:
    """The interface of all buses, and the backplane on it."""

    can_interface: str = setting(
        "CAN_INTERFACE",
        "Own IPv4 address on which CAN buses and the backplane are; `auto`: the one on the container network "
        f"whose name ends in `{NETWORK_SUFFIX}`, else {LOOPBACK}",
        default="auto",
        check=_interface,
    )
    backplane_port: int = setting(
        "CAN_BACKPLANE_PORT", "UDP port of the backplane", default=BACKPLANE_PORT, check=within(1, 65535)
    )

    def interface_address(self) -> str:
        """Return the address that `auto` stands for; may ask the name server for seconds."""
        if self.can_interface != "auto":
            return self.can_interface
        return identity.address_on(NETWORK_SUFFIX) or LOOPBACK
