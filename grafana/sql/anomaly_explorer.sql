-- The queries of "Anomaly explorer". An anomaly is in a time range when it touches it, and so is a run of a scenario.
-- True is an anomaly that touches a run which provokes one, on its charge point, from the run's start to 60 s after its
-- end: detectors look back over a minute. An anomaly of the fleet ('*') is judged by the runs of several charge points.

-- anomalies_to_choose --
SELECT id AS "__value", to_char(started_at, 'MM-DD HH24:MI:SS') || ' ' || charge_point_id || ' ' || kind AS "__text"
FROM dash.anomalies
WHERE started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
  AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
ORDER BY started_at DESC
LIMIT 500

-- totals --
SELECT count(*) FILTER (WHERE severity = 'critical') AS "critical",
       count(*) FILTER (WHERE severity = 'warning') AS "warning",
       count(*) FILTER (WHERE severity = 'info') AS "info"
FROM dash.anomalies
WHERE started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
  AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])

-- open --
SELECT count(*) AS "open"
FROM dash.anomalies
WHERE ended_at IS NULL AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])

-- delay --
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM detected_at - started_at)::float8) AS "median",
       percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM detected_at - started_at)::float8) AS "95 of 100"
FROM dash.anomalies
WHERE started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
  AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])

-- precision --
-- In one sweep over both in order of time: had a run that began before the anomaly's end not ended before its start?
WITH marks AS (
  SELECT charge_point_id, started_at AS at, false AS is_anomaly, NULL::timestamptz AS begun_at,
         coalesce(ended_at, 'infinity') + interval '60 seconds' AS until
  FROM dash.truth_runs
  WHERE anomaly IS NOT NULL AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
    AND started_at <= $__timeTo()::timestamptz
  UNION ALL
  SELECT '*', min(started_at), false, NULL, max(coalesce(ended_at, 'infinity')) + interval '60 seconds'
  FROM dash.truth_runs
  WHERE anomaly IS NOT NULL AND '*' = ANY (ARRAY[${charge_point:sqlstring}]::text[]) AND started_at <= $__timeTo()::timestamptz
  GROUP BY run_id
  HAVING count(*) > 1
  UNION ALL
  SELECT charge_point_id, coalesce(ended_at, 'infinity'), true, started_at, NULL
  FROM dash.anomalies
  WHERE started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
    AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
), judged AS (
  SELECT is_anomaly, coalesce(max(until) OVER (PARTITION BY charge_point_id ORDER BY at, is_anomaly) >= begun_at, false) AS is_true
  FROM marks
)
SELECT count(*) FILTER (WHERE is_true)::float8 / nullif(count(*), 0) AS "precision",
       count(*) FILTER (WHERE is_true) AS "true",
       count(*) FILTER (WHERE NOT is_true) AS "false"
FROM judged
WHERE is_anomaly

-- recall --
-- The same sweep the other way: had an anomaly that began before the run's end not ended before its start?
WITH runs AS MATERIALIZED (
  SELECT charge_point_id, started_at, coalesce(ended_at, 'infinity') + interval '60 seconds' AS until,
         count(*) OVER (PARTITION BY run_id) > 1 AS is_of_several
  FROM dash.truth_runs
  WHERE anomaly IS NOT NULL AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
    AND started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
), marks AS (
  SELECT charge_point_id, started_at AS at, false AS is_run, NULL::timestamptz AS begun_at,
         coalesce(ended_at, 'infinity') AS until
  FROM dash.anomalies
  WHERE coalesce(ended_at, 'infinity') >= (SELECT min(started_at) FROM runs)
    AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[]) AND charge_point_id <> '*'
  UNION ALL
  SELECT places.charge_point_id, started_at, false, NULL, coalesce(ended_at, 'infinity')
  FROM dash.anomalies CROSS JOIN (SELECT DISTINCT charge_point_id FROM runs WHERE is_of_several) AS places
  WHERE coalesce(ended_at, 'infinity') >= (SELECT min(started_at) FROM runs)
    AND anomalies.charge_point_id = '*' AND '*' = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  UNION ALL
  SELECT charge_point_id, until, true, started_at, NULL FROM runs
), judged AS (
  SELECT is_run, coalesce(max(until) OVER (PARTITION BY charge_point_id ORDER BY at, is_run) >= begun_at, false) AS is_found
  FROM marks
)
SELECT count(*) FILTER (WHERE is_found)::float8 / nullif(count(*), 0) AS "recall",
       count(*) FILTER (WHERE is_found) AS "found",
       count(*) FILTER (WHERE NOT is_found) AS "missed"
FROM judged
WHERE is_run

-- by_kind --
WITH counted AS (
  SELECT date_bin($__interval_ms * interval '1 ms', detected_at, 'epoch') AS bucket, kind, count(*) AS anomalies
  FROM dash.anomalies
  WHERE $__timeFilter(detected_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  GROUP BY 1, 2
), places AS (
  SELECT kind, row_number() OVER (ORDER BY sum(anomalies) DESC, kind) AS place FROM counted GROUP BY 1
), buckets AS (
  -- Every bar has its place, also one of height 0: a bar is as wide as the way to the next.
  SELECT bucket
  FROM generate_series(date_bin($__interval_ms * interval '1 ms', $__timeFrom()::timestamptz, 'epoch'),
                       $__timeTo()::timestamptz, $__interval_ms * interval '1 ms') AS bucket
)
SELECT bucket AS "time", CASE WHEN place <= 19 THEN kind ELSE 'all others' END AS metric,
       coalesce(sum(anomalies), 0) AS "anomalies"
FROM buckets CROSS JOIN places LEFT JOIN counted USING (bucket, kind)
GROUP BY 1, 2
ORDER BY 1, 2

-- by_charge_point --
SELECT charge_point_id, count(*) AS anomalies
FROM dash.anomalies
WHERE started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
  AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 20

-- lanes --
-- Spans of both kinds, counted up in order at each edge: of several changes within a pixel the worst and the last.
WITH spans AS (
  SELECT charge_point_id, 'verdict' AS lane, array_position(ARRAY['info', 'warning', 'critical'], severity) AS code,
         started_at, ended_at
  FROM dash.anomalies
  WHERE started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
    AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  UNION ALL
  SELECT charge_point_id, 'truth', CASE WHEN anomaly IS NULL THEN 5 ELSE 6 END, started_at, ended_at
  FROM dash.truth_runs
  WHERE started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
    AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
), lanes AS (
  SELECT charge_point_id, kind.lane, kind.base
  FROM (
    SELECT charge_point_id, spans_of_it.code, spans_of_it.spans
    FROM (SELECT DISTINCT charge_point_id FROM dash.charge_points
          WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
          UNION SELECT charge_point_id FROM spans) AS known
    LEFT JOIN (SELECT charge_point_id, max(code) AS code, count(*) AS spans FROM spans GROUP BY 1) AS spans_of_it
      USING (charge_point_id)
    ORDER BY code DESC NULLS LAST, spans DESC, charge_point_id
    LIMIT 10
  ) AS shown CROSS JOIN (VALUES ('truth', 4), ('verdict', 0)) AS kind(lane, base)
), edges AS (
  SELECT charge_point_id, lane, base, ends.at, 0 AS code, 0 AS step
  FROM lanes CROSS JOIN unnest(ARRAY[$__timeFrom()::timestamptz, least(now(), $__timeTo()::timestamptz)]) AS ends(at)
  UNION ALL
  SELECT charge_point_id, lane, base, greatest(started_at, $__timeFrom()::timestamptz), code, 1
  FROM spans JOIN lanes USING (charge_point_id, lane)
  UNION ALL
  SELECT charge_point_id, lane, base, ended_at, code, -1
  FROM spans JOIN lanes USING (charge_point_id, lane)
  WHERE ended_at <= least(now(), $__timeTo()::timestamptz)
), states AS (
  SELECT charge_point_id, lane, at,
         CASE WHEN sum(step) FILTER (WHERE code = 6) OVER past > 0 THEN 6
              WHEN sum(step) FILTER (WHERE code = 5) OVER past > 0 THEN 5
              WHEN sum(step) FILTER (WHERE code = 3) OVER past > 0 THEN 3
              WHEN sum(step) FILTER (WHERE code = 2) OVER past > 0 THEN 2
              WHEN sum(step) FILTER (WHERE code = 1) OVER past > 0 THEN 1 ELSE base END AS code
  FROM edges
  WHERE at <= least(now(), $__timeTo()::timestamptz)
  WINDOW past AS (PARTITION BY charge_point_id, lane ORDER BY at)
), pixels AS (
  SELECT charge_point_id, lane, min(at) AS first_at, max(at) AS last_at, max(code) AS worst,
         (array_agg(code ORDER BY at DESC))[1] AS last
  FROM states
  GROUP BY charge_point_id, lane, date_bin($__interval_ms * interval '1 ms', at, $__timeFrom()::timestamptz)
)
SELECT first_at AS "time", charge_point_id, lane, worst AS "code" FROM pixels
UNION ALL
SELECT last_at, charge_point_id, lane, last FROM pixels WHERE last_at > first_at
ORDER BY 1, 2, 3

-- waveform --
-- Each earlier one is moved in time so that it begins where the chosen one does.
WITH chosen AS (
  SELECT anomaly_id, pattern_id, charge_point_id, connector_no, started_at
  FROM dash.anomalies
  WHERE anomaly_id = nullif(${anomaly:sqlstring}, '')::uuid
), alike AS (
  SELECT charge_point_id, connector_no, started_at AS chosen_at, interval '0' AS moved, 'chosen' AS name FROM chosen
  UNION ALL
  (SELECT a.charge_point_id, a.connector_no, c.started_at, c.started_at - a.started_at,
          to_char(a.started_at, 'YYYY-MM-DD HH24:MI:SS')
   FROM chosen AS c JOIN dash.anomalies AS a ON a.pattern_id = c.pattern_id AND a.started_at < c.started_at
   ORDER BY a.started_at DESC
   LIMIT 4)
)
SELECT wave.bucket AS "time", name AS metric, wave.current_a AS "current"
FROM alike CROSS JOIN LATERAL (
  -- Summed up in here, so that each finds its own readings by their index.
  SELECT date_bin($__interval_ms * interval '1 ms', at + moved, 'epoch') AS bucket,
         sum(current_sum) / nullif(sum(current_n), 0) AS current_a
  FROM dash.readings($__interval_ms)
  WHERE charge_point_id = alike.charge_point_id AND connector = alike.connector_no AND origin = 'can'
    AND at >= greatest($__timeFrom()::timestamptz, chosen_at - interval '2 minutes') - moved
    AND at <= least($__timeTo()::timestamptz, chosen_at + interval '10 minutes') - moved
  GROUP BY 1
) AS wave
ORDER BY 1, 2

-- anomalies --
WITH runs AS MATERIALIZED (
  SELECT charge_point_id, scenario, started_at, coalesce(ended_at, 'infinity') + interval '60 seconds' AS until,
         count(*) OVER (PARTITION BY run_id) > 1 AS is_of_several
  FROM dash.truth_runs
  WHERE anomaly IS NOT NULL AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
    AND started_at <= $__timeTo()::timestamptz
), newest AS MATERIALIZED (
  SELECT id, charge_point_id, connector, severity, kind, deviation, score, threshold, started_at, detected_at, ended_at,
         explanation, pattern
  FROM dash.anomalies
  WHERE started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
    AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  ORDER BY detected_at DESC
  LIMIT 100
)
SELECT detected_at AS "time", charge_point_id, connector::text AS connector, severity, kind,
       CASE WHEN scenario IS NULL THEN 'false alarm' ELSE 'true alarm' END AS judgement,
       extract(epoch FROM detected_at - started_at) AS delay_s,
       extract(epoch FROM coalesce(ended_at, now()) - started_at) AS lasted_s,
       CASE WHEN ended_at IS NULL THEN 'open' ELSE 'closed' END AS state,
       deviation, score, explanation, pattern, scenario, id,
       (extract(epoch FROM newest.started_at - interval '2 minutes') * 1000)::bigint AS moment_from_ms,
       (extract(epoch FROM detected_at + interval '2 minutes') * 1000)::bigint AS moment_to_ms
FROM newest LEFT JOIN LATERAL (
  SELECT scenario
  FROM runs
  WHERE (runs.charge_point_id = newest.charge_point_id OR newest.charge_point_id = '*' AND runs.is_of_several)
    AND runs.until >= newest.started_at
    AND runs.started_at <= coalesce(newest.ended_at, 'infinity')
  ORDER BY runs.started_at DESC
  LIMIT 1
) AS run ON true
ORDER BY detected_at DESC

-- runs --
WITH newest AS MATERIALIZED (
  SELECT run_id, charge_point_id, scenario, anomaly, started_at, ended_at, parameters, seed,
         count(*) OVER (PARTITION BY run_id) > 1 AS is_of_several
  FROM dash.truth_runs
  WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
    AND started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
  ORDER BY started_at DESC, charge_point_id
  LIMIT 100
), told AS (
  SELECT r.run_id, r.charge_point_id, count(*) AS anomalies, min(a.detected_at) AS first_at
  FROM newest AS r JOIN (
    SELECT charge_point_id, started_at, detected_at, coalesce(ended_at, 'infinity') AS until
    FROM dash.anomalies
    WHERE coalesce(ended_at, 'infinity') >= (SELECT min(started_at) FROM newest)
      AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  ) AS a ON a.charge_point_id = CASE WHEN a.charge_point_id = '*' AND r.is_of_several THEN '*' ELSE r.charge_point_id END
        AND a.until >= r.started_at
        AND a.started_at <= coalesce(r.ended_at, 'infinity') + interval '60 seconds'
  GROUP BY 1, 2
)
SELECT started_at AS "time", charge_point_id, scenario, coalesce(anomaly, 'none: benign') AS anomaly,
       CASE WHEN ended_at IS NULL THEN 'running' ELSE 'ended' END AS state,
       extract(epoch FROM coalesce(ended_at, now()) - started_at) AS lasted_s,
       CASE WHEN anomaly IS NOT NULL AND anomalies > 0 THEN 'found'
            WHEN anomaly IS NOT NULL THEN 'missed'
            WHEN anomalies > 0 THEN 'false alarm' ELSE 'quiet' END AS judgement,
       CASE WHEN anomaly IS NOT NULL AND first_at IS NOT NULL
            THEN extract(epoch FROM greatest(first_at - started_at, interval '0')) END AS delay_s,
       coalesce(anomalies, 0) AS anomalies, parameters, seed,
       (extract(epoch FROM started_at - interval '2 minutes') * 1000)::bigint AS moment_from_ms,
       (extract(epoch FROM least(coalesce(ended_at, now()), started_at + interval '10 minutes') + interval '2 minutes') * 1000)::bigint
         AS moment_to_ms
FROM newest LEFT JOIN told USING (run_id, charge_point_id)
ORDER BY started_at DESC, charge_point_id
