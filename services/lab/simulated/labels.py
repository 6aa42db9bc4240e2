"""One label for a run at several charge points, of the labels that each of them tells by itself. Pure."""

from msgspec.structs import replace

from contracts.events import ScenarioLabel


class Labels:
    """What runs told so far; a run whose last charge point has ended is forgotten."""

    def __init__(self) -> None:
        self._started: dict[str, ScenarioLabel] = {}
        self._ended: dict[str, list[ScenarioLabel]] = {}

    def told(self, label: ScenarioLabel) -> ScenarioLabel | None:
        """Return the run's label, where this one is its first start or its last end."""
        if len(label.charge_point_ids) == 1:
            return label
        label = replace(label, charge_point_id=None)
        if label.phase == "started":
            return label if self._started.setdefault(label.run_id, label) is label else None
        ended = self._ended.setdefault(label.run_id, [])
        ended.append(label)
        if len(ended) < len(label.charge_point_ids):
            return None
        del self._ended[label.run_id]
        self._started.pop(label.run_id, None)
        starts = [one.physical_started_at for one in ended if one.physical_started_at is not None]
        ends = [one.physical_ended_at for one in ended if one.physical_ended_at is not None]
        return replace(
            label,
            at=max(one.at for one in ended),
            physical_started_at=min(starts, default=None),
            physical_ended_at=max(ends, default=None),
        )
