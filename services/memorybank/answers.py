"""The JSON of the HTTP API."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


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
    energy_wh: float | None
    peak_a: float | None
    mean_a: float | None
    reason: str | None
    anomalies: int


class Event(BaseModel):
    """A past fact in one line."""

    at: datetime
    charge_point_id: str | None
    connector: int | None
    kind: str
    summary: str | None


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
