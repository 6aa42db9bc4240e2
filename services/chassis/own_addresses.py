"""Addresses of Linux's loopback that only this process sends from, by which its nodes tell their own frames.

The same few for all its buses: the kernel compares each packet of a group with every address that anybody has
shut out, and with one of its own for each of 2,000 nodes a packet costs twice as much.
"""

import errno
import secrets
import socket
from typing import TypeAlias

_HOLDER_PORT, _TRIES = 19_998, 3

Bus: TypeAlias = tuple[str, int]
"""Group and port."""


class OwnAddresses:
    """Gives each node of a bus another address, each held by a port of it until the process ends."""

    def __init__(self) -> None:
        self._held: dict[str, socket.socket] = {}
        self._taken: set[tuple[Bus, str]] = set()

    def take(self, bus: Bus) -> str:
        """Return an address that no other node of this process has on that bus; raises OSError."""
        free = (own for own in self._held if (bus, own) not in self._taken)
        own = next(free, None) or self._hold_another()
        self._taken.add((bus, own))
        return own

    def give_back(self, bus: Bus, own: str) -> None:
        """Let another node have it."""
        self._taken.discard((bus, own))

    def close(self) -> None:
        """Hold none any longer."""
        for holder in self._held.values():
            holder.close()

    def _hold_another(self) -> str:
        for _ in range(_TRIES):
            own = f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"
            holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                holder.bind((own, _HOLDER_PORT))
            except OSError:  # another process's, or a system whose loopback has one address
                holder.close()
            else:
                self._held[own] = holder
                return own
        raise OSError(errno.EADDRNOTAVAIL, "no further address of loopback can be had")
