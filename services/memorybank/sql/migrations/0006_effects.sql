-- When the effects of a scenario showed, beside when it was commanded.

ALTER TABLE truth.labels ADD COLUMN physical_started_at timestamptz, ADD COLUMN physical_ended_at timestamptz;
COMMENT ON COLUMN truth.labels.physical_started_at IS 'When its first effect showed at the charge point; null: not known, or not yet';
COMMENT ON COLUMN truth.labels.physical_ended_at IS 'When its last effect was over; null: not known, or not yet';

CREATE OR REPLACE VIEW dash.truth_runs AS
  SELECT run_id, s.scenario, s.anomaly, c.charge_point_id, s.at AS started_at, e.at AS ended_at,
         nullif(s.parameters, '{}')::text AS parameters, s.seed::text AS seed,
         coalesce(e.physical_started_at, s.physical_started_at) AS physical_started_at, e.physical_ended_at
  FROM truth.labels s
  CROSS JOIN LATERAL unnest(s.charge_point_ids) AS c(charge_point_id)
  LEFT JOIN (
    SELECT run_id, max(at) AS at, min(physical_started_at) AS physical_started_at, max(physical_ended_at) AS physical_ended_at
    FROM truth.labels WHERE phase = 'ended' GROUP BY run_id
  ) AS e USING (run_id)
  WHERE s.phase = 'started';
