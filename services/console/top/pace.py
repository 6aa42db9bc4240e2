"""How fast a counter counts, by its latest values. Pure."""

from dataclasses import dataclass

SPAN_S = 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What a counter said when: (seconds, total), none older than SPAN_S before the newest but one."""

    points: tuple[tuple[float, float], ...] = ()

    @property
    def per_s(self) -> float | None:
        """The rate; None until the counter was read twice."""
        if len(self.points) < 2:
            return None
        (begun_s, first), (ended_s, last) = self.points[0], self.points[-1]
        return (last - first) / (ended_s - begun_s)


def counted(pace: Pace, at_s: float, total: float) -> Pace:
    """Return the pace after the counter was read; one that went back began anew."""
    if pace.points and (total < pace.points[-1][1] or at_s <= pace.points[-1][0]):
        return Pace(((at_s, total),))
    return Pace((*(point for point in pace.points if point[0] >= at_s - SPAN_S), (at_s, total)))
