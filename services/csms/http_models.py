"""The JSON of the HTTP API."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from csms.authorisation import TagStatus


def _in_utc(at: datetime) -> datetime:
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]


Seed = Annotated[int, Field(ge=0, lt=2**53)]
Lasting = Annotated[float, Field(gt=0, le=30 * 86_400.0, description="Seconds")]


class Request(BaseModel):
    """What is sent; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class ActiveTransaction(BaseModel):
    """The transaction that is active at a connector."""

    transaction_id: int
    id_tag: str
    started_at: datetime
    meter_start_wh: int


class ConnectorAnswer(BaseModel):
    """A connector as it last told. `commanded_a`: the limit now in force as it was sent, and as accepted."""

    connector: int
    status: str
    error_code: str
    transaction_id: int | None
    transaction: ActiveTransaction | None
    commanded_a: float | None = Field(description="By what was sent; null: no profile, or in watts")
    acknowledged_a: float | None = Field(description="By what the charge point accepted")


class ChargePointAnswer(BaseModel):
    """A charge point that is or was connected; `enrolled`: it is one of the bench's own."""

    charge_point_id: str
    connected: bool
    enrolled: bool
    vendor: str | None
    model: str | None
    firmware: str | None
    serial_number: str | None
    last_seen_at: datetime
    connected_at: datetime | None
    connectors: list[ConnectorAnswer]
    scenario: str | None
    scenario_run_id: str | None


class CommandRequest(Request):
    """Any OCPP 1.6 request of a CSMS, its payload as in the specification."""

    action: str = Field(examples=["RemoteStartTransaction"], max_length=50)
    payload: dict[str, Any] = Field(default_factory=dict, examples=[{"connectorId": 1, "idTag": "BENCH"}])


class CommandAnswer(BaseModel):
    """OCPP's status word (`Answered`: there is none), `Timeout`, `ConnectionLost`, or OCPP's error code."""

    outcome: str
    response: dict[str, Any] | None


class TransactionAnswer(BaseModel):
    """A transaction; the last three are null while it is active."""

    transaction_id: int
    charge_point_id: str
    connector: int
    id_tag: str
    started_at: datetime
    meter_start_wh: int
    ended_at: datetime | None
    meter_stop_wh: int | None
    reason: str | None


class IdTagRequest(Request):
    """What an id tag may do. `one_transaction`: a second one at the same time is ConcurrentTx."""

    status: TagStatus = "Accepted"
    expires_at: Annotated[datetime, AfterValidator(_in_utc)] | None = None
    parent_id_tag: str | None = Field(default=None, min_length=1, max_length=20)
    one_transaction: bool = False


class IdTagAnswer(BaseModel):
    """An id tag in the list."""

    id_tag: str
    status: TagStatus
    expires_at: datetime | None
    parent_id_tag: str | None
    one_transaction: bool


class ParameterAnswer(BaseModel):
    """A number that whoever starts a scenario may choose."""

    default: float
    unit: str
    minimum: float
    maximum: float
    description: str


class ScenarioAnswer(BaseModel):
    """A scenario; `anomaly` null: benign life; `repeat` null: without end."""

    name: str
    number: str = Field(description="Its place in the catalogue: A1 to A22, H1 to H9; empty: none")
    title: str
    anomaly: str | None
    accepted: list[str] = Field(description="Other names that are right for what it provokes")
    hard_negative: bool
    together: bool = Field(description="Its charge points move in phase")
    repeat: int | None
    lasts_s: float = Field(description="How long a run of it is when it is scored")
    description: str
    imitates: str
    source: str
    parameters: dict[str, ParameterAnswer]


class RunRequest(Request):
    """Start a scenario. `replace`: stop what the charge points are in, instead of refusing."""

    scenario: str
    charge_point_ids: list[str] = Field(min_length=1, max_length=10_000)
    parameters: dict[str, float] = Field(default_factory=dict)
    seed: Seed = 0
    replace: bool = False
    lasts_s: Lasting | None = Field(default=None, description="End it then at the latest")


class RunAnswer(BaseModel):
    """A run. `cycles`: complete ones, of all charge points together; `reason`: why it ended or stumbles.

    The ground truth of it: what it provokes where, from the first command to the last, and when its effect
    showed first and last (told at its end).
    """

    run_id: str
    scenario: str
    anomaly: str | None = Field(description="Which anomaly it provokes; null: benign life")
    charge_point_ids: list[str]
    started_at: datetime
    ended_at: datetime | None
    state: Literal["running", "stopped", "failed", "finished"]
    cycles: int
    parameters: dict[str, float]
    seed: int
    reason: str | None
    lasts_s: float | None
    mix_run_id: str | None = Field(description="The mix that started it")
    first_command_at: datetime | None
    last_command_at: datetime | None
    physical_started_at: datetime | None
    physical_ended_at: datetime | None


class ManualFrameRequest(Request):
    """A CAN frame (classic, 11-bit identifier) that a person is about to send on a connector's bus."""

    charge_point_id: str = Field(min_length=1, max_length=255)
    connector: int = Field(ge=1, le=255)
    can_id: int = Field(ge=0, le=0x7FF, examples=[0x210])
    data: str = Field(pattern=r"^([0-9a-f]{2}){0,8}$", description="Bytes in hexadecimal", examples=["2000"])


class ManualFrameAnswer(BaseModel):
    """The frame may be sent; its ground truth stands under this run."""

    run_id: str


class StopAllAnswer(BaseModel):
    """What was stopped."""

    stopped_runs: int
    stopped_transactions: int


class Refusal(BaseModel):
    """Why not."""

    detail: str
