"""The JSON of the HTTP API."""

from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    model_config = ConfigDict(from_attributes=True)

    items: list[T]
    next: str | None = Field(
        description="The cursor of what follows: ask again with it as `after`; null: the end"
    )


class Unavailable(BaseModel):
    """Why there is no answer."""

    detail: str


class Summary(BaseModel):
    """How much is remembered; `gaps` are events known to be lost, `lag_s` is from event time to commit."""

    events: int
    metrics: int
    sessions: int
    anomalies: int
    open_anomalies: int
    charge_points: int
    first_event_at: datetime | None
    last_event_at: datetime | None
    gaps: int
    duplicates: int
    poison: int
    lag_s: float | None


class Anomaly(BaseModel):
    """What a detector found, as it is known now: the same fields as on the live topic."""

    id: UUID
    charge_point_id: str
    connector: int
    kind: str
    severity: str
    phase: str
    started_at: datetime
    detected_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    score: float
    threshold: float
    deviation: float
    pattern: dict[str, float]
    explanation: str


class Session(BaseModel):
    """What is remembered of a transaction."""

    transaction_id: str
    charge_point_id: str
    connector: int | None
    id_tag: str | None
    started_at: datetime
    ended_at: datetime | None
    duration_s: float | None
    energy_wh: float | None
    peak_a: float | None
    mean_a: float | None
    reason: str | None
    anomalies: int


class Event(BaseModel):
    """A past fact: in one line, and in full as `detail` (what equals the contract's default is left out).

    `source_no` and `seq` name it for good: who numbered it, and its number.
    """

    at: datetime
    charge_point_id: str | None
    connector: int | None
    kind: str
    summary: str | None
    detail: dict[str, Any]
    source_no: int
    seq: int


class Metric(BaseModel):
    """One connector at one instant from one origin; null: not measured."""

    at: datetime
    charge_point_id: str
    connector: int
    origin: str
    transaction_id: int | None
    current_a: float | None
    offered_a: float | None
    voltage_v: float | None
    power_w: float | None
    power_offered_w: float | None
    power_factor: float | None
    frequency_hz: float | None
    energy_wh: float | None
    temperature_c: float | None
    soc_percent: float | None
    commanded_a: float | None
    acknowledged_a: float | None
    source_no: int
    seq: int


class Rollup(BaseModel):
    """One connector over one stretch of time that begins `at`: means, and what is called so by its name.

    `offered_a`, `commanded_a`, `soc_percent` and `energy_wh` (the meter) are the highest.
    """

    at: datetime
    charge_point_id: str
    connector: int
    origin: str
    readings: int
    current_a: float | None
    current_min_a: float | None
    current_max_a: float | None
    offered_a: float | None
    commanded_a: float | None
    voltage_v: float | None
    power_w: float | None
    power_max_w: float | None
    temperature_c: float | None
    temperature_max_c: float | None
    soc_percent: float | None
    energy_wh: float | None


class ChargePoint(BaseModel):
    """A connector: its latest, the statistics of its sessions, the number of its anomalies."""

    charge_point_id: str
    connector: int
    status: str | None
    connected: bool
    last_reading_at: datetime | None
    current_a: float | None
    power_w: float | None
    meter_wh: float | None
    soc_percent: float | None
    transaction_id: int | None
    sessions: int
    energy_wh: float | None
    peak_a: float | None
    mean_a: float | None
    anomalies: int
    open_anomalies: int


class Pattern(BaseModel):
    """Anomalies of one charge point that look alike; `signature` is their mean."""

    id: UUID
    charge_point_id: str
    kind: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    signature: dict[str, float]


class Verdict(BaseModel):
    """What a detector of somebody else's said; `heard_at` is when the MemoryBank heard it first."""

    id: int
    detector: str
    charge_point_id: str
    connector: int
    kind: str
    at: datetime
    ended_at: datetime | None
    score: float | None
    explanation: str
    heard_at: datetime


class Source(BaseModel):
    """Who numbers events: everything up to `committed_seq` is stored, `gaps` numbers are lost."""

    source: str
    boot: UUID
    source_no: int
    committed_seq: int
    gaps: int
    duplicates: int
    ahead: int
    events: int
    metrics: int
    first_event_at: datetime | None
    last_event_at: datetime | None
    last_stored_at: datetime | None
    lag_s: float | None


class Gap(BaseModel):
    """Numbers that their source believes stored and that are not here."""

    source: str
    boot: UUID
    source_no: int
    first_seq: int
    last_seq: int
    lost: int
    noticed_at: datetime


class Poison(BaseModel):
    """What was no valid batch or event, and why."""

    id: int
    first_at: datetime
    last_at: datetime
    times: int
    topic: str
    source_no: int | None
    seq: int | None
    reason: str


class Size(BaseModel):
    """What a table takes on disk, its indexes and partitions included."""

    table: str
    bytes: int


class Anomalies(Page[Anomaly]):
    """Anomalies, newest first."""


class ChargePoints(Page[ChargePoint]):
    """Connectors, by name."""


class Events(Page[Event]):
    """Events, newest first."""


class Gaps(Page[Gap]):
    """Gaps, latest noticed first."""


class Metrics(Page[Metric]):
    """Readings, oldest first; `next` leads to those before."""


class Patterns(Page[Pattern]):
    """Patterns, latest seen first."""


class Poisoned(Page[Poison]):
    """What was set aside, latest first."""


class Rollups(Page[Rollup]):
    """Stretches, oldest first; `next` leads to those before."""


class Sessions(Page[Session]):
    """Sessions, newest first."""


class Sources(Page[Source]):
    """Sources, by name."""


class Verdicts(Page[Verdict]):
    """What foreign detectors said, newest first."""
