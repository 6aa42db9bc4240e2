"""The scenario runs, and what they did at charge points and still have to undo."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from csms.state.instants import from_text, to_text

RunState: TypeAlias = Literal["running", "stopped", "failed", "finished"]
KEPT_RUNS = 10_000
EVERY = ""
"""In place of a charge point's identity: all of them."""

_COLUMNS = (
    "run_id, scenario, anomaly, charge_point_ids, parameters, seed, state, cycles, reason, "
    "started_at, first_command_at, last_command_at, ended_at, lasts_s, physical_started_at, "
    "physical_ended_at, mix_run_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a scenario. `cycles`: complete ones, of all its charge points together.

    `lasts_s`: it ends then at the latest (None: by itself or by request). The physical instants: when its
    effect showed first and last, told at its end. `mix_run_id`: what started it, where no person did.
    """

    run_id: str
    scenario: str
    anomaly: str | None
    charge_point_ids: tuple[str, ...]
    parameters: dict[str, float]
    seed: int
    started_at: datetime
    state: RunState = "running"
    cycles: int = 0
    reason: str | None = None
    first_command_at: datetime | None = None
    last_command_at: datetime | None = None
    ended_at: datetime | None = None
    lasts_s: float | None = None
    physical_started_at: datetime | None = None
    physical_ended_at: datetime | None = None
    mix_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Intervention:
    """What a run did at a charge point: the tags it starts with, the profiles it set."""

    run_id: str
    id_tags: frozenset[str] = frozenset()
    profile_ids: frozenset[int] = frozenset()

    def starts_with(self, id_tag: str) -> bool:
        """Return whether a transaction with this tag is the run's; tags have no upper and lower case."""
        return id_tag.casefold() in {own.casefold() for own in self.id_tags}


class RunStore:
    """Tables runs, interventions and left_alone."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def save(self, run: Run) -> None:
        """Keep a run as it is now; forget the oldest ended ones beyond KEPT_RUNS."""
        values = (
            run.run_id,
            run.scenario,
            run.anomaly,
            json.dumps(run.charge_point_ids),
            json.dumps(run.parameters),
            run.seed,
            run.state,
            run.cycles,
            run.reason,
            to_text(run.started_at),
            to_text(run.first_command_at),
            to_text(run.last_command_at),
            to_text(run.ended_at),
            run.lasts_s,
            to_text(run.physical_started_at),
            to_text(run.physical_ended_at),
            run.mix_run_id,
        )
        places = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR REPLACE INTO runs ({_COLUMNS}) VALUES ({places})", values)  # noqa: S608 - constants
        if run.ended_at is not None:
            self._db.execute(
                "DELETE FROM runs WHERE run_id IN (SELECT run_id FROM runs WHERE state != 'running' "
                "ORDER BY started_at DESC LIMIT -1 OFFSET ?)",
                (KEPT_RUNS,),
            )

    def ended(self, limit: int = 50) -> list[Run]:
        """Return the runs that ended, the newest first."""
        return self._select("WHERE state != 'running' ORDER BY started_at DESC LIMIT ?", limit)

    def during(
        self,
        charge_point_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        mix_run_id: str | None = None,
        *,
        limit: int = 50,
    ) -> list[Run]:
        """Return runs that had not ended at `since` and had begun before `until`, the newest first."""
        return self._select(
            "WHERE (?1 IS NULL OR ?1 IN (SELECT value FROM json_each(charge_point_ids))) "
            "AND (?2 IS NULL OR ended_at IS NULL OR ended_at >= ?2) AND (?3 IS NULL OR started_at < ?3) "
            "AND (?4 IS NULL OR mix_run_id = ?4) ORDER BY started_at DESC LIMIT ?5",
            charge_point_id,
            to_text(since),
            to_text(until),
            mix_run_id,
            limit,
        )

    def get(self, run_id: str) -> Run | None:
        """Return a run, or None."""
        return next(iter(self._select("WHERE run_id = ?", run_id)), None)

    def running(self) -> list[Run]:
        """Return the runs that are running, as far as this file knows, the newest first."""
        return self._select("WHERE state = 'running' ORDER BY started_at DESC")

    def _select(self, where: str, *values: int | str | None) -> list[Run]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM runs {where}", values)  # noqa: S608 - constants
        return [
            Run(
                run_id=row[0],
                scenario=row[1],
                anomaly=row[2],
                charge_point_ids=tuple(json.loads(row[3])),
                parameters=json.loads(row[4]),
                seed=row[5],
                state=row[6],
                cycles=row[7],
                reason=row[8],
                started_at=from_text(row[9]),
                first_command_at=from_text(row[10]),
                last_command_at=from_text(row[11]),
                ended_at=from_text(row[12]),
                lasts_s=row[13],
                physical_started_at=from_text(row[14]),
                physical_ended_at=from_text(row[15]),
                mix_run_id=row[16],
            )
            for row in rows
        ]

    def intervened(self, charge_point_id: str, intervention: Intervention) -> None:
        """Keep what has to be undone at a charge point."""
        self._db.execute(
            "INSERT OR REPLACE INTO interventions VALUES (?, ?, ?, ?)",
            (
                charge_point_id,
                intervention.run_id,
                json.dumps(sorted(intervention.id_tags)),
                json.dumps(sorted(intervention.profile_ids)),
            ),
        )

    def intervention(self, charge_point_id: str) -> Intervention | None:
        """Return what has to be undone at a charge point, or None."""
        row = self._db.execute(
            "SELECT run_id, id_tags, profile_ids FROM interventions WHERE charge_point_id = ?",
            (charge_point_id,),
        ).fetchone()
        if row is None:
            return None
        return Intervention(row[0], frozenset(json.loads(row[1])), frozenset(json.loads(row[2])))

    def undone(self, charge_point_id: str) -> None:
        """Forget an intervention: everything of it is undone."""
        self._db.execute("DELETE FROM interventions WHERE charge_point_id = ?", (charge_point_id,))

    def intervened_at(self) -> list[str]:
        """Return the charge points at which something has to be undone."""
        return [
            charge_point_id
            for (charge_point_id,) in self._db.execute("SELECT charge_point_id FROM interventions")
        ]

    def leave_alone(self, charge_point_id: str = EVERY) -> None:
        """Keep the default plan from a charge point, or from all."""
        self._db.execute("INSERT OR IGNORE INTO left_alone VALUES (?)", (charge_point_id,))

    def is_left_alone(self, charge_point_id: str) -> bool:
        """Return whether the default plan keeps from a charge point."""
        query = "SELECT 1 FROM left_alone WHERE charge_point_id IN (?, ?)"
        return self._db.execute(query, (charge_point_id, EVERY)).fetchone() is not None

    def leave_none_alone(self) -> None:
        """Give every charge point back to the default plan."""
        self._db.execute("DELETE FROM left_alone")
