"""The runs of mixes."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from csms.state.instants import from_text, to_text
from csms.state.runs import RunState

KEPT_MIX_RUNS = 1000
_COLUMNS = (
    "mix_run_id, name, mix, charge_point_ids, seed, count, lasts_s, state, reason, runs, started_at, ended_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixRun:
    """A mix on charge points; it ends after `count` runs of each course or after `lasts_s`, or is stopped.

    `mix`: the whole mix as JSON, since a file may change. `runs`: how many began, of all courses together.
    """

    mix_run_id: str
    name: str
    mix: str
    charge_point_ids: tuple[str, ...]
    seed: int
    count: int | None
    lasts_s: float | None
    started_at: datetime
    state: RunState = "running"
    reason: str | None = None
    runs: int = 0
    ended_at: datetime | None = None


class MixStore:
    """Table mix_runs."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def save(self, run: MixRun) -> None:
        """Keep it as it is now; forget the oldest ended ones beyond KEPT_MIX_RUNS."""
        values = (
            run.mix_run_id,
            run.name,
            run.mix,
            json.dumps(run.charge_point_ids),
            run.seed,
            run.count,
            run.lasts_s,
            run.state,
            run.reason,
            run.runs,
            to_text(run.started_at),
            to_text(run.ended_at),
        )
        places = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR REPLACE INTO mix_runs ({_COLUMNS}) VALUES ({places})", values)  # noqa: S608 - constants
        if run.ended_at is not None:
            self._db.execute(
                "DELETE FROM mix_runs WHERE mix_run_id IN (SELECT mix_run_id FROM mix_runs "
                "WHERE state != 'running' ORDER BY started_at DESC LIMIT -1 OFFSET ?)",
                (KEPT_MIX_RUNS,),
            )

    def get(self, mix_run_id: str) -> MixRun | None:
        """Return one, or None."""
        return next(iter(self._select("WHERE mix_run_id = ?", mix_run_id)), None)

    def newest(self, limit: int = 50) -> list[MixRun]:
        """Return the newest first."""
        return self._select("ORDER BY started_at DESC LIMIT ?", limit)

    def running(self) -> list[MixRun]:
        """Return those that are running, as far as this file knows."""
        return self._select("WHERE state = 'running'")

    def _select(self, where: str, *values: int | str) -> list[MixRun]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM mix_runs {where}", values)  # noqa: S608 - constants
        return [
            MixRun(
                mix_run_id=row[0],
                name=row[1],
                mix=row[2],
                charge_point_ids=tuple(json.loads(row[3])),
                seed=row[4],
                count=row[5],
                lasts_s=row[6],
                state=row[7],
                reason=row[8],
                runs=row[9],
                started_at=from_text(row[10]),
                ended_at=from_text(row[11]),
            )
            for row in rows
        ]
