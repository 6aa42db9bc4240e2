"""Scenarios: what a file says, a cycle of it with its numbers drawn, and the OCPP command of each step.

A new kind of step is a Struct, a place in `Step`, and an entry in `COMMANDS`.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from contracts.errors import ContractError
from contracts.injections import AnyInjection
from contracts.ocpp_messages import Payload
from csms.authorisation import BENCH_TAG

FIRST_PROFILE_ID = 900_000_000
"""Charging profiles with this id or a higher one were set by scenarios."""

PRESENT_TAG = "present_tag"
"""The fault by which somebody holds an id tag to the reader."""

Word: TypeAlias = Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{0,49}$")]
Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2000)]
Reference: TypeAlias = Annotated[str, Meta(pattern=r"^\$[a-z][a-z0-9_]*$")]
"""`$name`: the value of a parameter."""


Number: TypeAlias = Annotated[float, Meta(ge=0, le=1e9)]  # le: TOML knows inf


class Between(Struct, frozen=True, forbid_unknown_fields=True, rename={"low": "from", "high": "to"}):
    """A number drawn anew in each cycle, evenly between two."""

    low: Number | Reference
    high: Number | Reference


Amount: TypeAlias = Number | Reference | Between


class StepBase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """A step; `do` in the file names its kind."""


class Wait(StepBase, frozen=True, kw_only=True, tag="wait"):
    """Do nothing for so long."""

    seconds: Amount


class SetChargingProfile(StepBase, frozen=True, kw_only=True, tag="set_charging_profile"):
    """Limit the current of a connector (0: of all)."""

    limit_a: Amount
    connector: Amount = 1
    purpose: Literal["TxDefaultProfile", "TxProfile", "ChargePointMaxProfile"] = "TxDefaultProfile"
    stack_level: Annotated[int, Meta(ge=0, le=99)] = 0


class ClearChargingProfile(StepBase, frozen=True, kw_only=True, tag="clear_charging_profile"):
    """Take back the limit that `set_charging_profile` set with the same words."""

    connector: Amount = 1
    purpose: Literal["TxDefaultProfile", "TxProfile", "ChargePointMaxProfile"] = "TxDefaultProfile"
    stack_level: Annotated[int, Meta(ge=0, le=99)] = 0


class RemoteStart(StepBase, frozen=True, kw_only=True, tag="remote_start"):
    """Ask for a transaction to be started."""

    connector: Amount = 1
    id_tag: Annotated[str, Meta(pattern="^[^$].{0,19}$")] = BENCH_TAG


class RemoteStop(StepBase, frozen=True, kw_only=True, tag="remote_stop"):
    """Ask for the connector's transaction to be stopped."""

    connector: Amount = 1


class Reset(StepBase, frozen=True, kw_only=True, tag="reset"):
    """Ask the charge point to boot again."""

    kind: Literal["Soft", "Hard"] = "Hard"
    connector: Amount = 0


class Inject(StepBase, frozen=True, kw_only=True, tag="inject", rename={"values": "with"}):
    """Begin an injection of `contracts.injections` and go on at once; it ends by itself after `seconds`."""

    fault: Annotated[str, Meta(pattern="^[a-z][a-z_]{0,49}$")]
    seconds: Amount
    connector: Amount = 1
    values: dict[str, Any] = {}
    """What the injection is made of; a text that begins with `$` is a parameter's value."""


CommandStep: TypeAlias = SetChargingProfile | ClearChargingProfile | RemoteStart | RemoteStop | Reset
Step: TypeAlias = Wait | Inject | CommandStep
AnyStep = TypeVar("AnyStep", bound=StepBase)


class Parameter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number that whoever starts the scenario may choose."""

    default: Number
    unit: Annotated[str, Meta(max_length=20)]
    minimum: Number
    maximum: Number
    description: Text


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole scenario. `anomaly` None: benign life; `repeat` None: without end.

    `number`: its place in the catalogue, A1 to A22 or H1 to H9. `accepted`: other names that are right for
    what it provokes, since some look alike on the wire. `hard_negative`: benign, and easily taken for one.
    `lasts_s`: how long a run of it is when it is scored. `together`: its charge points move in phase.
    `prepare`: what comes once before all cycles, and again after a failure: harmless, so not in the truth.
    """

    name: Word
    title: Text
    description: Text
    imitates: Text
    source: Text
    anomaly: Word | None
    parameters: dict[str, Parameter]
    prepare: tuple[Step, ...] = ()
    steps: tuple[Step, ...]
    repeat: Annotated[int, Meta(ge=1)] | None
    number: Annotated[str, Meta(pattern="^([AH][1-9][0-9]?)?$")] = ""
    accepted: tuple[Word, ...] = ()
    hard_negative: bool = False
    lasts_s: Annotated[float, Meta(gt=0, le=86_400.0)] = 300.0
    together: bool = False

    @property
    def id_tags(self) -> frozenset[str]:
        """The tags that it starts transactions with: from afar, or at the reader."""
        steps = (*self.prepare, *self.steps)
        from_afar = {step.id_tag for step in steps if isinstance(step, RemoteStart)}
        injected = [step for step in steps if isinstance(step, Inject) and step.fault == PRESENT_TAG]
        return frozenset(from_afar | {str(step.values["id_tag"]) for step in injected})


class WrongParameters(ContractError):  # noqa: N818 - named after what was given
    """Parameters that the scenario does not have or that are out of range; the message names them all."""


class WrongInjection(ContractError):  # noqa: N818 - named after what was given
    """A step that injects what there is not; the message names the place within the step."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a command depends on besides its step: the connector's transaction, how limits are understood."""

    transaction_id: int | None = None
    rate_unit: Literal["A", "W"] = "A"
    voltage_v: float = 400.0


@dataclass(frozen=True, slots=True)
class Command:
    """An OCPP request and the outcomes with which the scenario goes on."""

    action: str
    payload: Payload
    welcome: frozenset[str] = frozenset({"Accepted"})


def chosen_parameters(scenario: Scenario, given: Mapping[str, float]) -> dict[str, float]:
    """Return every parameter's value, the default where none is given; raise WrongParameters."""
    wrong = [
        f"{name}: {scenario.name} has no such parameter" for name in given.keys() - scenario.parameters.keys()
    ]
    values = {}
    for name, parameter in scenario.parameters.items():
        values[name] = value = float(given.get(name, parameter.default))
        if not parameter.minimum <= value <= parameter.maximum:
            span = f"{parameter.minimum:g} … {parameter.maximum:g} {parameter.unit}".rstrip()
            wrong.append(f"{name}: {value:g} is not in {span}")
    if wrong:
        raise WrongParameters("; ".join(sorted(wrong)))
    return values


def references(step: Step) -> list[tuple[str, str]]:
    """Return (field, parameter) for each parameter that a step refers to."""
    found = []
    for name in step.__struct_fields__:
        value = getattr(step, name)
        parts = [value]
        if isinstance(value, Between):
            parts = [value.low, value.high]
        elif isinstance(value, dict):
            parts = list(value.values())
        found += [(name, part[1:]) for part in parts if isinstance(part, str) and part.startswith("$")]
    return found


def cycle(scenario: Scenario, values: Mapping[str, float], rng: random.Random) -> list[Step]:
    """Return one cycle's steps with every amount a number; the same `rng` draws the same."""
    return [settled(step, values, rng) for step in scenario.steps]


def preparation(scenario: Scenario, values: Mapping[str, float], rng: random.Random) -> list[Step]:
    """Return what comes before the first cycle, with every amount a number."""
    return [settled(step, values, rng) for step in scenario.prepare]


def settled(step: AnyStep, values: Mapping[str, float], rng: random.Random) -> AnyStep:
    """Return a step with every amount a number: a parameter's value, or drawn."""

    def number(amount: float | str) -> float:
        return values[amount[1:]] if isinstance(amount, str) else amount

    def settled_value(value: Any) -> Any:
        if isinstance(value, Between):
            return rng.uniform(number(value.low), number(value.high))
        if isinstance(value, dict):
            return {name: settled_value(part) for name, part in value.items()}
        return number(value) if isinstance(value, str) and value.startswith("$") else value

    changes = {name: settled_value(getattr(step, name)) for name in step.__struct_fields__}
    return msgspec.structs.replace(step, **changes)


def needs_transaction(step: CommandStep) -> bool:
    """Return whether a step's command names the connector's transaction."""
    return isinstance(step, RemoteStop) or (
        isinstance(step, SetChargingProfile) and step.purpose == "TxProfile"
    )


def connector_of(step: CommandStep | Inject) -> int:
    """Return the connector of a settled step."""
    return round(settled_number(step.connector))


def settled_number(amount: Amount) -> float:
    """Return an amount that `cycle` has made a number; TypeError for any other."""
    if isinstance(amount, (str, Between)):
        raise TypeError(f"{amount!r} is not settled")
    return float(amount)


def profile_id(step: SetChargingProfile | ClearChargingProfile) -> int:
    """Return the id of the profile that a step sets or clears: one for each connector, purpose and level."""
    purpose = ("TxDefaultProfile", "TxProfile", "ChargePointMaxProfile").index(step.purpose)
    return FIRST_PROFILE_ID + connector_of(step) * 1000 + purpose * 100 + step.stack_level


def injection(step: Inject) -> AnyInjection:
    """Return the injection of a settled step; raise WrongInjection where there is none like it."""
    try:
        made: AnyInjection = msgspec.convert({"fault": step.fault, **step.values}, AnyInjection)
    except msgspec.ValidationError as error:
        raise WrongInjection(str(error)) from error
    return made


def command(step: CommandStep, situation: Situation) -> Command:
    """Return the OCPP request of a settled step."""
    return COMMANDS[type(step)](step, situation)


def clearing(profile: int) -> Command:
    """Return the request that takes back one profile, which may be gone already."""
    return Command("ClearChargingProfile", {"id": profile}, frozenset({"Accepted", "Unknown"}))


def stopping(transaction_id: int) -> Command:
    """Return the request that stops a transaction."""
    return Command("RemoteStopTransaction", {"transactionId": transaction_id})


def _set_charging_profile(step: SetChargingProfile, situation: Situation) -> Command:
    limit = settled_number(step.limit_a)
    if situation.rate_unit == "W":
        limit *= situation.voltage_v
    profile: Payload = {
        "chargingProfileId": profile_id(step),
        "stackLevel": step.stack_level,
        "chargingProfilePurpose": step.purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": situation.rate_unit,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": round(limit, 1)}],
        },
    }
    if step.purpose == "TxProfile":
        profile["transactionId"] = situation.transaction_id
    return Command("SetChargingProfile", {"connectorId": connector_of(step), "csChargingProfiles": profile})


def _clear_charging_profile(step: ClearChargingProfile, _: Situation) -> Command:
    return clearing(profile_id(step))


def _reset(step: Reset, _: Situation) -> Command:
    return Command("Reset", {"type": step.kind})


def _remote_start(step: RemoteStart, _: Situation) -> Command:
    return Command("RemoteStartTransaction", {"connectorId": connector_of(step), "idTag": step.id_tag})


def _remote_stop(_: RemoteStop, situation: Situation) -> Command:
    if situation.transaction_id is None:
        raise ValueError("a remote stop needs a transaction")
    return stopping(situation.transaction_id)


COMMANDS: Mapping[type[Struct], Callable[[Any, Situation], Command]] = {
    SetChargingProfile: _set_charging_profile,
    ClearChargingProfile: _clear_charging_profile,
    RemoteStart: _remote_start,
    RemoteStop: _remote_stop,
    Reset: _reset,
}
