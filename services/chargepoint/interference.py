"""What injections do to a charge point now, for whoever talks to the CSMS."""

import random
from dataclasses import dataclass, field

from chargepoint.injected import InForce
from chargepoint.line import Line

_NONE_YET = random.Random(0)  # 2.5 kB: one for all who never draw; each injection brings its own


@dataclass(slots=True)
class Falsified:
    """What injections make of one connector's word to the CSMS, and the draws that some of it needs."""

    in_force: InForce = field(default_factory=InForce)
    draws: random.Random = field(default_factory=lambda: _NONE_YET)


@dataclass(slots=True)
class Interference:
    """Everything that injections do to a charge point now; outlives its Resets."""

    line: Line = field(default_factory=Line)
    connectors: dict[int, Falsified] = field(default_factory=dict)

    def at(self, connector: int) -> Falsified:
        """Return what is done at a connector."""
        return self.connectors.setdefault(connector, Falsified())
