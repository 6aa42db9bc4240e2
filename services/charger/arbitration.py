"""What a flooded bus does to the frames of others. Pure.

On real CAN a low identifier wins every arbitration; UDP multicast has none. So the charger, at which every
frame between charge point and module begins or ends, delays and drops them as a full bus would.
"""

from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from charger import noise
from charger.noise import Noise
from contracts.injections import CanFlood


class Flooded(Struct, frozen=True):
    """The floods of a bus, oldest first; the last one counts."""

    floods: tuple[tuple[UUID, CanFlood], ...] = ()
    draws: Noise = noise.seeded(0)


def began(flooded: Flooded, flood_id: UUID, flood: CanFlood, seed: int) -> Flooded:
    """Return the bus with one more flood; its `seed` decides the draws from now on."""
    return Flooded((*ended(flooded, flood_id).floods, (flood_id, flood)), noise.seeded(seed))


def ended(flooded: Flooded, flood_id: UUID) -> Flooded:
    """Return the bus without that flood."""
    return replace(flooded, floods=tuple(one for one in flooded.floods if one[0] != flood_id))


def late_s(flooded: Flooded) -> tuple[Flooded, float | None]:
    """Return how late the next frame of the others comes; None: not at all."""
    if not flooded.floods:
        return flooded, 0.0
    share, draws = noise.uniform(flooded.draws)
    return replace(flooded, draws=draws), fate_s(flooded.floods[-1][1], share)


def fate_s(flood: CanFlood, share: float) -> float | None:
    """Return how late a frame of the others comes while the bus is flooded; None: not at all.

    `share` is an even draw from 0 to 1. Frames wait the longer the fuller the bus is (as in a queue with one
    server, by the free share of the capacity), up to a second; beyond that the next one is due and they are
    lost. Judgement, since multicast has no arbitration.
    """
    load = flood.frames_per_s / flood.capacity_frames_per_s
    if load >= 1:
        return None
    delay_s = share * load / (1 - load) * 0.1
    return delay_s if delay_s < 1.0 else None
