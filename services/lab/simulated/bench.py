"""Simulated charge points together: what happens at them, in order of time, as fast as it can be computed."""

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime

from contracts.events import AnyEvent, ScenarioLabel
from lab.simulated.charge_point import ChargePoint
from lab.simulated.labels import Labels
from lab.simulated.plan import ChargePointPlan


class Bench:
    """Charge points on a simulated clock that starts at `begin_at`; the same seed gives the same events.

    A charge point's events depend on its own plan and the seed alone, not on its neighbours. `skips_idle`:
    while nothing flows and nothing happens there are no readings (False: every second is lived). `shows_wire`
    False leaves out CanFrameSeen and the OcppMessageSeen of MeterValues, which is a good deal faster.
    """

    def __init__(
        self,
        charge_points: Sequence[ChargePointPlan],
        *,
        seed: int,
        begin_at: datetime,
        skips_idle: bool = True,
        shows_wire: bool = True,
    ) -> None:
        self._labels = Labels()
        self.charge_points = tuple(
            ChargePoint(
                plan, number, seed=seed, begin_at=begin_at, skips_idle=skips_idle, shows_wire=shows_wire
            )
            for number, plan in enumerate(charge_points)
        )

    def run(self, until_s: float) -> Iterator[AnyEvent]:
        """Yield every event up to an instant, in seconds since the begin, in the order of their arrival.

        ScenarioLabel is among them. Take all of them, then it may be called again for what follows.
        """
        streams = [charge_point.run(until_s) for charge_point in self.charge_points]
        for _, event in heapq.merge(*streams, key=lambda arrived: arrived[0]):
            if isinstance(event, ScenarioLabel):
                label = self._labels.told(event)
                if label is not None:
                    yield label
            else:
                yield event
