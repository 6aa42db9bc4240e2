"""What the CSMS and the MemoryBank answer, as far as the console reads it. Unknown fields are passed over."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from contracts.events import Anomaly


class TransactionFacts(Struct, frozen=True, kw_only=True):
    """The transaction that is active at a connector."""

    transaction_id: int
    id_tag: str
    started_at: str


class ConnectorStatus(Struct, frozen=True, kw_only=True):
    """A connector as the CSMS knows it: `commanded_a` is the limit last sent, the other the one accepted."""

    connector: Annotated[int, Meta(ge=0, le=255)]
    status: str | None = None
    error_code: str | None = None
    transaction_id: int | None = None
    commanded_a: float | None = None
    acknowledged_a: float | None = None
    transaction: TransactionFacts | None = None


class ChargePoint(Struct, frozen=True, kw_only=True):
    """A charge point as the CSMS knows it; `scenario` is the name of what runs on it."""

    charge_point_id: str
    connected: bool = False
    enrolled: bool = False
    connectors: list[ConnectorStatus] = []
    scenario: str | None = None


class Scenario(Struct, frozen=True, kw_only=True):
    """A scenario that can be started."""

    name: str
    number: str = ""
    title: str = ""
    anomaly: str | None = None
    accepted: list[str] = []
    hard_negative: bool = False
    together: bool = False
    repeat: int | None = None
    lasts_s: float = 0.0
    description: str = ""
    imitates: str = ""
    source: str = ""
    parameters: dict[str, Any] = {}


class ScenarioRun(Struct, frozen=True, kw_only=True):
    """A scenario on charge points: `state` is running, stopped, failed or finished.

    The last four are the ground truth's: first and last command, first and last sign of its effect.
    """

    run_id: str
    scenario: str
    state: str
    anomaly: str | None = None
    charge_point_ids: list[str] = []
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cycles: int = 0
    parameters: dict[str, float] = {}
    seed: int = 0
    reason: str | None = None
    mix_run_id: str | None = None
    first_command_at: datetime | None = None
    last_command_at: datetime | None = None
    physical_started_at: datetime | None = None
    physical_ended_at: datetime | None = None


class Mix(Struct, frozen=True, kw_only=True):
    """Several scenarios that can be started as one: `order` is random, by weights, or sequence."""

    name: str
    title: str = ""
    description: str = ""
    order: str = "random"
    together: bool = False
    pause_s: Any = 0.0
    runs: list[dict[str, Any]] = []


class MixRun(Struct, frozen=True, kw_only=True):
    """A mix on charge points: `state` as a run's; `runs`: how many began."""

    mix_run_id: str
    name: str
    state: str
    charge_point_ids: list[str] = []
    seed: int = 0
    count: int | None = None
    lasts_s: float | None = None
    runs: int = 0
    reason: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class ManualFrame(Struct, frozen=True, kw_only=True):
    """A frame that may be sent by hand, and the run under which its ground truth stands."""

    run_id: str


class MemoryBankHealth(Struct, frozen=True, kw_only=True):
    """How the MemoryBank itself fares."""

    ok: bool
    broker: bool = True
    database: bool = True


class Anomalies(Struct, frozen=True, kw_only=True):
    """A part of the anomalies, newest first; `next` is the cursor of what follows, None at the end."""

    items: list[Anomaly]
    next: str | None = None


class ForeignVerdict(Struct, frozen=True, kw_only=True):
    """What a detector of somebody else's said."""

    detector: str
    kind: str
    connector: int
    at: datetime
    explanation: str


class ForeignVerdicts(Struct, frozen=True, kw_only=True):
    """What foreign detectors said, newest first."""

    items: list[ForeignVerdict]


class StoppedAll(Struct, frozen=True, kw_only=True):
    """What was stopped with everything."""

    stopped_runs: int = 0
    stopped_transactions: int = 0


class Pattern(Struct, frozen=True, kw_only=True):
    """What was learned from the anomalies that look alike."""

    id: UUID
    charge_point_id: str
    kind: str
    count: int
    first_seen_at: datetime
    signature: dict[str, float]


class Stretch(Struct, frozen=True, kw_only=True):
    """A reading, or the readings of a stretch of time that begins `at`, rolled up."""

    at: datetime
    current_a: float | None = None
    current_min_a: float | None = None
    current_max_a: float | None = None
    commanded_a: float | None = None


class Stretches(Struct, frozen=True, kw_only=True):
    """Readings or roll-ups, oldest first; `next`: there are older ones."""

    items: list[Stretch]
    next: str | None = None


class Remembered(Struct, frozen=True, kw_only=True):
    """A page of a list of the MemoryBank, passed on as it is."""

    items: list[dict[str, Any]]
    next: str | None = None


ChargePoints = list[ChargePoint]
Scenarios = list[Scenario]
ScenarioRuns = list[ScenarioRun]
Mixes = list[Mix]
MixRuns = list[MixRun]
