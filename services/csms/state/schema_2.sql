-- Version 2: the charging profiles in force at a charge point, as sent and as accepted (JSON of csms.limits).

CREATE TABLE limits (charge_point_id TEXT PRIMARY KEY, limits TEXT NOT NULL) WITHOUT ROWID;
