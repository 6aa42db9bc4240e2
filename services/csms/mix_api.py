"""The HTTP API of mixes and sequences."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

import msgspec
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field, model_validator

from csms.http_models import Lasting, Request, Seed
from csms.mix_runner import MixRunner
from csms.scenario_runner import UnknownName
from csms.state import State
from csms.state.mixes import MixRun


class MixAnswer(BaseModel):
    """A mix that can be started; `runs`: its entries as its file has them."""

    name: str
    title: str
    description: str
    order: Literal["random", "sequence"]
    together: bool
    pause_s: Any = Field(description="A number, or {from, to}")
    runs: list[dict[str, Any]]


class MixRunRequest(Request):
    """Start a mix: one of the files by its name, or the text of another one.

    A mix drawn at random needs a count or a time; a sequence ends after one round where neither is given.
    """

    mix: str | None = Field(default=None, max_length=255)
    toml: str | None = Field(default=None, max_length=200_000, description="The text of a mix file")
    file_name: str = Field(default="mix.toml", max_length=255, description="What complaints call the text")
    charge_point_ids: list[str] = Field(min_length=1, max_length=10_000)
    seed: Seed = 0
    count: int | None = Field(default=None, ge=1, le=10_000, description="Runs of each course")
    lasts_s: Lasting | None = None
    replace: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.mix is None) == (self.toml is None):
            raise ValueError("give either mix, a name, or toml, the text of one")
        return self


class MixRunAnswer(BaseModel):
    """A mix on charge points; `runs`: how many began. They are listed by `mix_run_id`."""

    mix_run_id: str
    name: str
    mix: MixAnswer
    charge_point_ids: list[str]
    seed: int
    count: int | None
    lasts_s: float | None
    state: Literal["running", "stopped", "failed", "finished"]
    reason: str | None
    runs: int
    started_at: datetime
    ended_at: datetime | None


def add_mixes(app: FastAPI, state: State, mixes: MixRunner) -> None:
    """Add what can be asked of mixes."""

    @app.get("/api/mixes", tags=["scenarios"], summary="The mixes and sequences that can be started")
    async def list_mixes() -> list[MixAnswer]:
        return [MixAnswer.model_validate(msgspec.to_builtins(mix)) for mix in mixes.mixes.values()]

    @app.get("/api/mix-runs", tags=["scenarios"], summary="Mixes that run or ran, the newest first")
    async def list_mix_runs(limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> list[MixRunAnswer]:
        return [_answer(run) for run in state.mixes.newest(limit)]

    @app.get("/api/mix-runs/{mix_run_id}", tags=["scenarios"], summary="One of them")
    async def get_mix_run(mix_run_id: str) -> MixRunAnswer:
        run = state.mixes.get(mix_run_id)
        if run is None:
            raise UnknownName(f"there is no run {mix_run_id!r:.60} of a mix")
        return _answer(run)

    @app.post(
        "/api/mix-runs", tags=["scenarios"], status_code=201, summary="Start a mix: at random, or in sequence"
    )
    async def start_mix(request: MixRunRequest) -> MixRunAnswer:
        mix = (
            mixes.named(request.mix or "")
            if request.toml is None
            else mixes.parsed(request.toml, request.file_name)
        )
        run = await mixes.start(
            mix,
            request.charge_point_ids,
            request.seed,
            count=request.count,
            lasts_s=request.lasts_s,
            replace=request.replace,
        )
        return _answer(run)

    @app.delete("/api/mix-runs/{mix_run_id}", tags=["scenarios"], summary="Stop a mix and undo what it did")
    async def stop_mix(mix_run_id: str) -> MixRunAnswer:
        return _answer(await mixes.stop(mix_run_id))


def _answer(run: MixRun) -> MixRunAnswer:
    mix = MixAnswer.model_validate(msgspec.json.decode(run.mix))
    return MixRunAnswer(
        mix_run_id=run.mix_run_id,
        name=run.name,
        mix=mix,
        charge_point_ids=list(run.charge_point_ids),
        seed=run.seed,
        count=run.count,
        lasts_s=run.lasts_s,
        state=run.state,
        reason=run.reason,
        runs=run.runs,
        started_at=run.started_at,
        ended_at=run.ended_at,
    )
