"""The HTTP API: what the CSMS knows, any command, scenarios."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from chassis.http import add_health
from contracts.ocpp_messages import MalformedMessage
from csms.authorisation import IdTag
from csms.commander import Commander, NotConnected, TooManyCommands
from csms.connections import Connections
from csms.http_models import (
    ActiveTransaction,
    ChargePointAnswer,
    CommandAnswer,
    CommandRequest,
    ConnectorAnswer,
    IdTagAnswer,
    IdTagRequest,
    Instant,
    ManualFrameAnswer,
    ManualFrameRequest,
    ParameterAnswer,
    Refusal,
    RunAnswer,
    RunRequest,
    ScenarioAnswer,
    StopAllAnswer,
    TransactionAnswer,
)
from csms.mix_api import add_mixes
from csms.mix_file import MixFileError
from csms.mix_runner import Endless, MixRunner
from csms.scenario import WrongParameters
from csms.scenario_runner import Busy, NotAllowed, ScenarioRunner, UnknownName
from csms.state import State
from csms.state.charge_points import KnownChargePoint

_STATUS = {
    UnknownName: 404,
    NotAllowed: 403,
    NotConnected: 409,
    Busy: 409,
    WrongParameters: 422,
    MixFileError: 422,
    Endless: 422,
    MalformedMessage: 422,
    TooManyCommands: 429,
}

TagName = Annotated[str, Path(min_length=1, max_length=20)]


def make_app(
    state: State,
    connections: Connections,
    commander: Commander,
    runner: ScenarioRunner,
    mixes: MixRunner,
    health: Callable[[], dict[str, Any]],
) -> FastAPI:
    """Return the app; `chassis.http.served` guards it."""
    app = FastAPIOffline(
        title="ChargeBench CSMS",
        description="The central system: charge points, transactions, id tags, commands, scenarios. "
        "Whatever changes state needs the header X-ChargeBench-Token.",
        version="1",
        responses={403: {"model": Refusal}},
    )

    async def refuse(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, _STATUS[type(error)])

    for kind in _STATUS:
        app.add_exception_handler(kind, refuse)
    add_health(app, health)
    _add_charge_points(app, state, connections, commander, runner)
    _add_id_tags(app, state)
    _add_scenarios(app, state, runner, mixes)
    add_mixes(app, state, mixes)
    return app


def _add_charge_points(
    app: FastAPI, state: State, connections: Connections, commander: Commander, runner: ScenarioRunner
) -> None:
    def described(known: KnownChargePoint) -> ChargePointAnswer:
        connection = connections.get(known.charge_point_id)
        run = runner.run_at(known.charge_point_id)
        return ChargePointAnswer(
            charge_point_id=known.charge_point_id,
            connected=connection is not None,
            enrolled=known.enrolled,
            vendor=known.vendor,
            model=known.model,
            firmware=known.firmware,
            serial_number=known.serial_number,
            last_seen_at=known.last_seen_at if connection is None else connection.last_seen_at,
            connected_at=None if connection is None else connection.connected_at,
            connectors=_connectors(state, known),
            scenario=None if run is None else run.scenario,
            scenario_run_id=None if run is None else run.run_id,
        )

    @app.get("/api/charge-points", tags=["charge points"], summary="Every charge point that ever connected")
    async def list_charge_points() -> list[ChargePointAnswer]:
        return [described(known) for known in state.charge_points.all()]

    @app.get("/api/charge-points/{charge_point_id}", tags=["charge points"], summary="One charge point")
    async def get_charge_point(charge_point_id: str) -> ChargePointAnswer:
        return described(known_charge_point(charge_point_id))

    @app.post(
        "/api/charge-points/{charge_point_id}/commands",
        tags=["charge points"],
        summary="Send any OCPP request and wait for the answer",
    )
    async def send_command(charge_point_id: str, request: CommandRequest) -> CommandAnswer:
        known_charge_point(charge_point_id)
        outcome = await commander.send(charge_point_id, request.action, request.payload)
        return CommandAnswer(outcome=outcome.word, response=outcome.response)

    @app.get("/api/transactions", tags=["transactions"], summary="Transactions, the newest first")
    async def list_transactions(
        charge_point_id: str | None = None,
        active: bool | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[TransactionAnswer]:
        newest = state.transactions.newest(charge_point_id, active=active, limit=limit)
        return [TransactionAnswer.model_validate(found, from_attributes=True) for found in newest]

    def known_charge_point(charge_point_id: str) -> KnownChargePoint:
        known = state.charge_points.get(charge_point_id)
        if known is None:
            raise UnknownName(f"{charge_point_id!r:.60} never connected")
        return known


def _connectors(state: State, known: KnownChargePoint) -> list[ConnectorAnswer]:
    """Return the connectors that a charge point told of, with what is charged there and the limits on it."""
    now = datetime.now(UTC)
    limits = state.limits.get(known.charge_point_id)
    active = {running.connector: running for running in state.transactions.active(known.charge_point_id)}
    answers = []
    for told in known.connectors:
        running = active.get(told.connector)
        answers.append(
            ConnectorAnswer(
                connector=told.connector,
                status=told.status,
                error_code=told.error_code,
                transaction_id=None if running is None else running.transaction_id,
                transaction=None
                if running is None
                else ActiveTransaction.model_validate(running, from_attributes=True),
                commanded_a=limits.commanded.limit_a(told.connector, now, running),
                acknowledged_a=limits.acknowledged.limit_a(told.connector, now, running),
            )
        )
    return answers


def _add_id_tags(app: FastAPI, state: State) -> None:
    @app.get("/api/id-tags", tags=["id tags"], summary="The id tags that may charge, or may not")
    async def list_id_tags() -> list[IdTagAnswer]:
        return [IdTagAnswer.model_validate(tag, from_attributes=True) for tag in state.id_tags.all()]

    @app.put("/api/id-tags/{id_tag}", tags=["id tags"], summary="Add an id tag or change it")
    async def put_id_tag(id_tag: TagName, request: IdTagRequest) -> IdTagAnswer:
        tag = IdTag(
            id_tag=id_tag,
            status=request.status,
            expires_at=request.expires_at,
            parent_id_tag=request.parent_id_tag,
            one_transaction=request.one_transaction,
        )
        state.id_tags.put(tag)
        return IdTagAnswer.model_validate(tag, from_attributes=True)

    @app.delete("/api/id-tags/{id_tag}", tags=["id tags"], status_code=204, summary="Forget an id tag")
    async def delete_id_tag(id_tag: TagName) -> None:
        if not state.id_tags.delete(id_tag):
            raise UnknownName(f"there is no id tag {id_tag!r}")


def _add_scenarios(app: FastAPI, state: State, runner: ScenarioRunner, mixes: MixRunner) -> None:
    @app.get("/api/scenarios", tags=["scenarios"], summary="The scenarios that can be started")
    async def list_scenarios() -> list[ScenarioAnswer]:
        return [
            ScenarioAnswer(
                name=scenario.name,
                number=scenario.number,
                title=scenario.title,
                anomaly=scenario.anomaly,
                accepted=list(scenario.accepted),
                hard_negative=scenario.hard_negative,
                together=scenario.together,
                repeat=scenario.repeat,
                lasts_s=scenario.lasts_s,
                description=scenario.description,
                imitates=scenario.imitates,
                source=scenario.source,
                parameters={
                    name: ParameterAnswer.model_validate(parameter, from_attributes=True)
                    for name, parameter in scenario.parameters.items()
                },
            )
            for scenario in runner.scenarios.values()
        ]

    @app.get(
        "/api/scenario-runs",
        tags=["scenarios"],
        summary="Running runs, then the newest that ended",
        description="Without a filter: the running ones and the newest 50 that ended. Otherwise those that "
        "touch the time and the charge point, the newest first, frames sent by hand among them.",
    )
    async def list_runs(
        charge_point_id: Annotated[str | None, Query(max_length=255)] = None,
        since: Annotated[Instant | None, Query(description="Had not ended by then")] = None,
        until: Annotated[Instant | None, Query(description="Began before then")] = None,
        mix_run_id: Annotated[str | None, Query(max_length=255, description="Started by this mix")] = None,
        limit: Annotated[int | None, Query(ge=1, le=1000)] = None,
    ) -> list[RunAnswer]:
        if (charge_point_id, since, until, mix_run_id, limit) == (None,) * 5:
            runs = runner.runs()
        else:
            runs = state.runs.during(charge_point_id, since, until, mix_run_id, limit=limit or 50)
        return [RunAnswer.model_validate(run, from_attributes=True) for run in runs]

    @app.get("/api/scenario-runs/{run_id}", tags=["scenarios"], summary="One run")
    async def get_run(run_id: str) -> RunAnswer:
        run = state.runs.get(run_id)
        if run is None:
            raise UnknownName(f"there is no run {run_id!r:.60}")
        return RunAnswer.model_validate(run, from_attributes=True)

    @app.post("/api/scenario-runs", tags=["scenarios"], status_code=201, summary="Start a scenario")
    async def start_run(request: RunRequest) -> RunAnswer:
        run = await runner.start(
            request.scenario,
            request.charge_point_ids,
            request.parameters,
            request.seed,
            replace=request.replace,
            lasts_s=request.lasts_s,
        )
        return RunAnswer.model_validate(run, from_attributes=True)

    @app.delete("/api/scenario-runs/{run_id}", tags=["scenarios"], summary="Stop a run and undo what it did")
    async def stop_run(run_id: str) -> RunAnswer:
        return RunAnswer.model_validate(await runner.stop(run_id), from_attributes=True)

    @app.post("/api/stop-all", tags=["scenarios"], summary="Stop every mix and run and what they started")
    async def stop_all() -> StopAllAnswer:
        await mixes.halt("stopped with all")
        runs, transactions = await runner.stop_all()
        return StopAllAnswer(stopped_runs=runs, stopped_transactions=transactions)

    @app.post(
        "/api/manual-frames",
        tags=["scenarios"],
        status_code=201,
        summary="Put on record a CAN frame that is sent by hand",
        description="Checks that the charge point is the bench's own and keeps the ground truth, as of a "
        "scenario. Nothing is sent from here: the CSMS is on no bus.",
    )
    async def frame_by_hand(request: ManualFrameRequest) -> ManualFrameAnswer:
        run = runner.frame_by_hand(
            request.charge_point_id, request.connector, request.can_id, bytes.fromhex(request.data)
        )
        return ManualFrameAnswer(run_id=run.run_id)
