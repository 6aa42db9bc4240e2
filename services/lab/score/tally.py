"""Counting: what one judge (our detectors, a layer less, a baseline) did on one kind of life."""

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from lab.score import intervals
from lab.score.matching import Judged


@dataclass(slots=True)
class Tally:
    """Sums over stretches of life; `days` are charge-point-days of life, idle time included."""

    events: int = 0
    detected: int = 0
    named: int = 0
    named_first: int = 0
    alarms: int = 0
    false_alarms: int = 0
    days: float = 0.0
    delays_s: list[float] = field(default_factory=list)
    physical_delays_s: list[float] = field(default_factory=list)
    false_kinds: dict[str, int] = field(default_factory=dict)
    wrong_names: dict[str, int] = field(default_factory=dict)

    def add(self, judged: Judged, days: float) -> None:
        """Count a stretch of life."""
        self.days += days
        self.events += len(judged.found)
        for found in judged.found:
            self.detected += found.detected
            self.named += found.named
            self.named_first += found.named_first
            self.alarms += len(found.alarms)
            if found.delay_s is not None:
                self.delays_s.append(found.delay_s)
            if found.physical_delay_s is not None:
                self.physical_delays_s.append(found.physical_delay_s)
            if found.detected and not found.named:
                kind = found.alarms[0].kind
                self.wrong_names[kind] = self.wrong_names.get(kind, 0) + 1
        self.false_alarms += len(judged.false_alarms)
        for alarm in judged.false_alarms:
            self.false_kinds[alarm.kind] = self.false_kinds.get(alarm.kind, 0) + 1

    def merge(self, other: "Tally") -> None:
        """Count what another one counted."""
        for name in ("events", "detected", "named", "named_first", "alarms", "false_alarms", "days"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.delays_s += other.delays_s
        self.physical_delays_s += other.physical_delays_s
        for own, others in ((self.false_kinds, other.false_kinds), (self.wrong_names, other.wrong_names)):
            for kind, count in others.items():
                own[kind] = own.get(kind, 0) + count

    def row(self) -> dict[str, Any]:
        """Return the figures, for score.json; a share or delay of nothing is None."""
        return {
            "events": self.events,
            "detected": self.detected,
            "recall": share(self.detected, self.events),
            "recall_interval": intervals.of_share(self.detected, self.events) if self.events else None,
            "named": self.named,
            "named_share": share(self.named, self.detected),
            "named_first_share": share(self.named_first, self.detected),
            "wrong_names": self.wrong_names,
            "delay_from_command_s": spread(self.delays_s),
            "delay_from_physical_start_s": spread(self.physical_delays_s),
            "alarms_per_event": self.alarms / self.detected if self.detected else None,
            "charge_point_days": self.days,
            "false_alarms": self.false_alarms,
            "false_alarms_per_charge_point_day": self.false_alarms / self.days if self.days else None,
            "false_alarms_interval": intervals.of_rate(self.false_alarms, self.days) if self.days else None,
            "false_kinds": self.false_kinds,
        }


def share(part: int, of: int) -> float | None:
    """Return a part of a whole; None of nothing."""
    return part / of if of else None


def spread(values: list[float]) -> dict[str, float] | None:
    """Return median and 95th percentile (the value below which at least 95 % lie); None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    index = max(0, -(-len(ordered) * 95 // 100) - 1)
    return {"median": median(ordered), "p95": ordered[index]}
