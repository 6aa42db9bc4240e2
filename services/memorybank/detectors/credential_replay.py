"""Credential replay: an id tag is shown at several charge points sooner than anybody gets to the next.

Where charge points stand is not known, so they are taken for neighbours. A start that the central system
asked for shows no tag.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, TypeAlias, TypeVar

from contracts.events import CommandSent, Event, SystemEvent, TransactionStarted
from memorybank.detector import Layer, Place, Scope, Sign

KIND = "credential-replay"

_LATE_S = 3.0
"""A remote start may be told so much later than the transaction that it started."""
_CAUSE_S = 300.0
"""So long after a remote start its transaction may begin: the cable has to be plugged."""
_KEPT = 20_000
"""Shows, and remote starts, of a whole fleet within those seconds; the oldest make room."""

Use: TypeAlias = tuple[str, str]
"""An id tag, in small letters (OCPP's have no others), and a charge point."""


K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class State:
    """Which tags were shown, or used from afar, at which charge points when; changed in place."""

    waiting: deque[tuple[float, Use]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """Until it is known whether they were used from afar."""
    shown_s: dict[str, dict[str, float]] = field(default_factory=dict)
    """By tag and charge point; of each tag only what may belong to its newest show."""
    from_afar_s: dict[Use, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CredentialReplay:
    """The detector and its thresholds."""

    walk_s: float = 5.0
    """Seconds that it takes to show a tag, be refused, and show it at the next charge point."""
    critical_places: int = 3
    """Charge points from which on it is critical: two cards of one number may be an oversight."""
    name: ClassVar[str] = "credential_replay"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "fleet"
    takes: ClassVar[tuple[type[Event], ...]] = (SystemEvent, TransactionStarted, CommandSent)

    def start(self, _place: Place) -> State:
        """Return the state before the first event."""
        return State()

    def step(self, state: State, event: SystemEvent | TransactionStarted | CommandSent) -> Sign | None:
        """Take the fleet's next event; what it shows is known some seconds later."""
        match event:
            case SystemEvent(name="id_tag_shown"):
                use = _use(event, event.detail.get("id_tag"))
            case TransactionStarted():
                use = _use(event, event.id_tag)
            case CommandSent(command="RemoteStartTransaction"):
                use = _use(event, event.parameters.get("idTag"))
                if use is not None:
                    _put(state.from_afar_s, use, event.at.timestamp())
                return None
            case _:
                return None
        if use is not None:
            state.waiting.append((event.at.timestamp(), use))
        return None

    def tick(self, state: State, now: datetime) -> Sign | None:
        """Judge what was shown some seconds ago."""
        if not state.waiting:
            return None
        now_s, together_s, of_tag = now.timestamp(), dict[str, float](), ""
        for _ in range(len(state.waiting)):
            at_s, use = state.waiting.popleft()
            if 0.0 <= now_s - at_s < _LATE_S:
                state.waiting.append((at_s, use))
            elif not -_LATE_S <= at_s - state.from_afar_s.get(use, float("-inf")) <= _CAUSE_S:
                places_s = self._shown(state, at_s, use)
                if len(places_s) > max(1, len(together_s)):
                    together_s, of_tag = places_s, use[0]
        return self._sign(of_tag, together_s) if together_s else None

    def _shown(self, state: State, at_s: float, use: Use) -> dict[str, float]:
        """Return when the tag was shown here and wherever its owner cannot have come from, or gone."""
        id_tag, charge_point_id = use
        before_s = state.shown_s.pop(id_tag, {})
        places_s = {
            place: shown_s for place, shown_s in before_s.items() if abs(at_s - shown_s) < self.walk_s
        }
        places_s[charge_point_id] = at_s
        _put(state.shown_s, id_tag, places_s)
        return places_s

    def _sign(self, id_tag: str, places_s: dict[str, float]) -> Sign:
        places = sorted(places_s, key=places_s.__getitem__)
        count, since_s = len(places), places_s[places[0]]
        span_s = places_s[places[-1]] - since_s
        named = ", ".join(places[:5]) + (", …" if count > 5 else "")
        return Sign(
            kind=KIND,
            since=datetime.fromtimestamp(since_s, UTC),
            score=float(count - 1),
            threshold=1.0,
            deviation=float(count),
            severity="critical" if count >= self.critical_places else "warning",
            explanation=(
                f'id tag: "{id_tag}" was shown at {count} charge points within {span_s:.1f} s ({named})'
            ),
            pattern={"places": float(count), "span_s": round(span_s, 1)},
        )


def _use(event: Event, id_tag: object) -> Use | None:
    known = isinstance(id_tag, str) and event.charge_point_id is not None
    return (str(id_tag).casefold(), str(event.charge_point_id)) if known else None


def _put(kept: dict[K, V], key: K, value: V) -> None:
    """Keep the newest, and no more than there is room for."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]


DETECTOR = CredentialReplay()
