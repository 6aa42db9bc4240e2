-- Version 3: how long a run may last, when its effect showed, and the mix that started it.

ALTER TABLE runs ADD COLUMN lasts_s REAL;
ALTER TABLE runs ADD COLUMN physical_started_at TEXT;
ALTER TABLE runs ADD COLUMN physical_ended_at TEXT;
ALTER TABLE runs ADD COLUMN mix_run_id TEXT;
CREATE INDEX runs_by_start ON runs (started_at);

-- A mix or a sequence of scenarios on charge points; `mix` is the whole file, as JSON.
CREATE TABLE mix_runs (
  mix_run_id TEXT PRIMARY KEY,
  name TEXT NOT NULL, mix TEXT NOT NULL, charge_point_ids TEXT NOT NULL, seed INTEGER NOT NULL,
  count INTEGER, lasts_s REAL,
  state TEXT NOT NULL, reason TEXT, runs INTEGER NOT NULL, started_at TEXT NOT NULL, ended_at TEXT
);
