-- Version 1 of the CSMS's own state; later versions follow it, in files of their own. Instants are ISO 8601 texts in UTC, so they sort as they happened.

CREATE TABLE charge_points (
  charge_point_id TEXT PRIMARY KEY,
  enrolled INTEGER NOT NULL,
  connected INTEGER NOT NULL,
  last_seen_at TEXT NOT NULL,
  vendor TEXT, model TEXT, firmware TEXT, serial_number TEXT
) WITHOUT ROWID;

CREATE TABLE connectors (
  charge_point_id TEXT NOT NULL, connector INTEGER NOT NULL,
  status TEXT NOT NULL, error_code TEXT NOT NULL,
  PRIMARY KEY (charge_point_id, connector)
) WITHOUT ROWID;

CREATE TABLE id_tags (
  id_tag TEXT PRIMARY KEY COLLATE NOCASE,  -- OCPP's CiString
  status TEXT NOT NULL, expires_at TEXT, parent_id_tag TEXT, one_transaction INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE transactions (
  transaction_id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never gives an id twice, also not a deleted one
  charge_point_id TEXT NOT NULL, connector INTEGER NOT NULL,
  id_tag TEXT NOT NULL COLLATE NOCASE,
  sent_timestamp TEXT NOT NULL,
  started_at TEXT NOT NULL, meter_start_wh INTEGER NOT NULL,
  ended_at TEXT, meter_stop_wh INTEGER, reason TEXT, run_id TEXT
);
CREATE INDEX transactions_by_start ON transactions (charge_point_id, sent_timestamp);
CREATE INDEX transactions_active ON transactions (charge_point_id, connector) WHERE ended_at IS NULL;
CREATE INDEX transactions_active_by_tag ON transactions (id_tag) WHERE ended_at IS NULL;

CREATE TABLE runs (
  run_id TEXT PRIMARY KEY,
  scenario TEXT NOT NULL, anomaly TEXT, charge_point_ids TEXT NOT NULL, parameters TEXT NOT NULL,
  seed INTEGER NOT NULL, state TEXT NOT NULL, cycles INTEGER NOT NULL, reason TEXT,
  started_at TEXT NOT NULL, first_command_at TEXT, last_command_at TEXT, ended_at TEXT
);

-- What a scenario did at a charge point and has not undone yet.
CREATE TABLE interventions (
  charge_point_id TEXT PRIMARY KEY, run_id TEXT NOT NULL,
  id_tags TEXT NOT NULL, profile_ids TEXT NOT NULL
) WITHOUT ROWID;

-- Charge points at which someone stopped a scenario ('': at all of them): the default plan leaves them alone
-- until a clean restart.
CREATE TABLE left_alone (charge_point_id TEXT PRIMARY KEY) WITHOUT ROWID;

INSERT INTO id_tags VALUES ('BENCH', 'Accepted', NULL, NULL, 0);
