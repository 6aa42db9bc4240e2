"""What a detector is: a step over events that says what it sees, and nothing about an anomaly's life.

A detector sees what happened at its place and nothing else: no sender, no label, no scenario. Its state
belongs to whoever calls it and is changed in place, since at 1 Hz and many places a copy each step is what
would cost most; the same events give the same signs, whenever and wherever they are fed. Opening, updating
and closing anomalies is the watch's work.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, get_args

from msgspec import Struct

from contracts.events import Event, Severity

Layer: TypeAlias = Literal["consistency", "residual", "periodicity", "fleet"]
Scope: TypeAlias = Literal["connector", "charge_point", "fleet"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

S = TypeVar("S")
C = TypeVar("C")


class Expected(Struct, frozen=True):
    """What was learned of a metric: its mean, its standard deviation, from how many clean samples."""

    mean: float
    sd: float
    count: int


Expectation: TypeAlias = Callable[[str, str], Expected | None]
"""(metric, phase of charging) -> what was learned of it at a place; None: nothing yet."""


def nothing_learned(_metric: str, _phase: str) -> Expected | None:
    """Return what a memory knows that has learned nothing."""
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a state belongs: a connector, a whole charge point (connector 0), or the fleet (FLEET, 0)."""

    charge_point_id: str
    connector: int
    expected: Expectation = nothing_learned
    cores: list[Any] = field(default_factory=list, compare=False, repr=False)

    def core(self, kind: type[C]) -> C:
        """Return what the place's detectors share: the one of its kind, made when it is first asked for.

        Each of them gives it every event, so it must know the event that it was given last.
        """
        for core in self.cores:
            if type(core) is kind:
                return core
        self.cores.append(kind())
        return self.core(kind)


class Sign(Struct, frozen=True, kw_only=True):
    """What a detector sees at one instant. It is told again at least every 20 s for as long as it lasts.

    `since`: event time at which what it shows began. `severity` comes from the physics, never from the score.
    `deviation` is in the unit of the evidence. `pattern` is the signature by which a later one is recognised.
    `explanation`: one sentence with numbers, for a person.
    """

    kind: str
    since: datetime
    score: float
    threshold: float
    deviation: float
    severity: Severity
    explanation: str
    pattern: dict[str, float] = {}


class Detector(Protocol[S]):
    """A frozen dataclass whose fields are its thresholds, each documented with unit and reason.

    What it is not given costs nothing: with `can_ids: ClassVar[frozenset[int]]` these frames alone are, with
    `origins: ClassVar[frozenset[str]]` the readings of these, with
    `messages: ClassVar[frozenset[tuple[str, str]]]` OCPP's messages of these types and actions; and
    `tick = no_tick` is never called.
    """

    @property
    def name(self) -> str:
        """Its own name, that of its file."""

    @property
    def layer(self) -> Layer:
        """Which layer it belongs to; layers can be turned off."""

    @property
    def scope(self) -> Scope:
        """What one state of it watches."""

    @property
    def takes(self) -> tuple[type[Event], ...]:
        """The types of events that it is given; of other places and types it sees none."""

    def start(self, place: Place) -> S:
        """Return the state before the first event."""

    def step(self, state: S, event: Any) -> Sign | None:
        """Take the place's next event, changing `state`; return what is seen now, if anything.

        Events of one source come in order; those of two sources (the charge point's CAN readings and frames,
        the CSMS's commands and transactions) may come in either order within a few seconds of event time.
        """

    def tick(self, state: S, now: datetime) -> Sign | None:
        """Take note, about once a second of event time, that it is `now`: absences show here."""


AnyDetector: TypeAlias = Detector[Any]


def no_tick(_detector: Any, _state: Any, _now: datetime) -> Sign | None:
    """Be the tick of a detector to which an absence says nothing."""
    return None
