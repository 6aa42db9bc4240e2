-- The queries of "Charge point live", one under each name. Grafana replaces $__… macros and ${…} variables.
-- The variable `connector` is empty as long as nothing is known, hence nullif. Buckets are made by date_bin: Grafana's
-- own macro counts in numeric, ten times as slow.

-- status --
SELECT status_code AS "status"
FROM dash.charge_points
WHERE charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer

-- verdict --
SELECT coalesce(max(array_position(ARRAY['info', 'warning', 'critical'], a.severity)), 0) AS "verdict"
FROM dash.charge_points AS c
LEFT JOIN dash.anomalies AS a
  ON a.charge_point_id = c.charge_point_id AND a.connector = c.connector AND a.ended_at IS NULL
WHERE c.charge_point_id = ${charge_point:sqlstring}
  AND c.connector = nullif(${connector:sqlstring}, '')::integer
GROUP BY c.charge_point_id

-- present --
SELECT current_a AS "current"
FROM dash.charge_points
WHERE charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer

-- limit --
SELECT commanded_a AS "limit"
FROM dash.metrics
WHERE charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer
  AND origin = 'can' AND at > now() - interval '1 minute'
ORDER BY at DESC
LIMIT 1

-- session_energy --
-- Of one that began this moment no reading is known yet.
SELECT coalesce(energy_wh, 0) AS "energy"
FROM dash.sessions
WHERE charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer
ORDER BY started_at DESC
LIMIT 1

-- score --
SELECT score AS "score", threshold AS "threshold"
FROM dash.anomalies
WHERE charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer
  AND ended_at IS NULL
ORDER BY score / nullif(threshold, 0) DESC NULLS LAST
LIMIT 1

-- age_of_reading --
SELECT greatest(0, extract(epoch FROM now() - last_reading_at)) AS "age"
FROM dash.charge_points
WHERE charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer
  AND last_reading_at IS NOT NULL

-- current --
-- Sums per bucket first, so that mean and deviation of 60 s cost the same over a minute and over a month.
WITH buckets AS (
  SELECT date_bin($__interval_ms * interval '1 ms', at, 'epoch') AS bucket,
         sum(current_n) AS readings, sum(current_sum) AS sum_a, sum(current_squares) AS squares,
         max(commanded_max) AS limit_a
  FROM dash.readings($__interval_ms)
  WHERE charge_point_id = ${charge_point:sqlstring}
    AND connector = nullif(${connector:sqlstring}, '')::integer
    AND origin = 'can'
    AND at BETWEEN $__timeFrom()::timestamptz - interval '60 seconds' AND $__timeTo()::timestamptz
  GROUP BY 1
), rolling AS (
  SELECT bucket, sum_a / nullif(readings, 0) AS current_a, limit_a,
         sum(sum_a) OVER last_minute / nullif(sum(readings) OVER last_minute, 0) AS mean_a,
         sum(squares) OVER last_minute / nullif(sum(readings) OVER last_minute, 0) AS mean_square
  FROM buckets
  WINDOW last_minute AS (ORDER BY bucket RANGE BETWEEN interval '60 seconds' PRECEDING AND CURRENT ROW)
), banded AS (
  SELECT bucket, current_a, limit_a, mean_a, sqrt(greatest(0, mean_square - mean_a * mean_a)) AS deviation_a
  FROM rolling
)
SELECT bucket AS "time",
       current_a AS "current",
       limit_a AS "limit",
       mean_a AS "mean of 60 s",
       greatest(0, mean_a - 2 * deviation_a) AS "band, low",
       mean_a + 2 * deviation_a AS "band, high"
FROM banded
WHERE bucket >= $__timeFrom()::timestamptz
ORDER BY 1

-- swing --
WITH buckets AS (
  SELECT date_bin($__interval_ms * interval '1 ms', at, 'epoch') AS bucket,
         min(current_min) AS low_a, max(current_max) AS high_a, sum(current_sum) AS sum_a, sum(current_n) AS readings
  FROM dash.readings($__interval_ms)
  WHERE charge_point_id = ${charge_point:sqlstring}
    AND connector = nullif(${connector:sqlstring}, '')::integer
    AND origin = 'can'
    AND at BETWEEN $__timeFrom()::timestamptz - interval '60 seconds' AND $__timeTo()::timestamptz
  GROUP BY 1
), rolling AS (
  SELECT bucket, max(high_a) OVER last_minute - min(low_a) OVER last_minute AS swing_a,
         sum_a / nullif(readings, 0) - sum(sum_a) OVER last_minute / nullif(sum(readings) OVER last_minute, 0) AS residual_a
  FROM buckets
  WINDOW last_minute AS (ORDER BY bucket RANGE BETWEEN interval '60 seconds' PRECEDING AND CURRENT ROW)
), anomalies AS (
  SELECT greatest(detected_at, $__timeFrom()::timestamptz) AS begins_at,
         least(coalesce(ended_at, now()), $__timeTo()::timestamptz) AS ends_at, score, threshold
  FROM dash.anomalies
  WHERE charge_point_id = ${charge_point:sqlstring}
    AND connector = nullif(${connector:sqlstring}, '')::integer
    AND started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
), worst AS (
  -- Each anomaly looks for its buckets, not each bucket for its anomalies.
  SELECT DISTINCT ON (bucket) bucket, score, threshold
  FROM anomalies CROSS JOIN LATERAL generate_series(
    date_bin($__interval_ms * interval '1 ms', begins_at, 'epoch'), ends_at, $__interval_ms * interval '1 ms') AS bucket
  WHERE bucket >= begins_at
  ORDER BY bucket, score / nullif(threshold, 0) DESC NULLS LAST
)
SELECT bucket AS "time", swing_a AS "swing", residual_a AS "residual", worst.score AS "score", worst.threshold AS "threshold"
FROM rolling LEFT JOIN worst USING (bucket)
WHERE bucket >= $__timeFrom()::timestamptz
ORDER BY 1

-- limits --
-- What was accepted is in no rollup: single readings are asked where the panel draws them.
WITH limits AS (
  SELECT date_bin($__interval_ms * interval '1 ms', at, 'epoch') AS bucket,
         max(commanded_max) FILTER (WHERE origin = 'ocpp') AS commanded_a,
         max(commanded_max) FILTER (WHERE origin = 'can') AS sent_a,
         max(offered_max) FILTER (WHERE origin = 'can') AS offered_a,
         sum(current_sum) FILTER (WHERE origin = 'can') / nullif(sum(current_n) FILTER (WHERE origin = 'can'), 0) AS current_a
  FROM dash.readings($__interval_ms)
  WHERE $__timeFilter(at) AND charge_point_id = ${charge_point:sqlstring}
    AND connector = nullif(${connector:sqlstring}, '')::integer
  GROUP BY 1
), accepted AS (
  SELECT date_bin($__interval_ms * interval '1 ms', at, 'epoch') AS bucket, max(acknowledged_a) AS accepted_a
  FROM dash.metrics
  WHERE $__interval_ms < 10000 AND $__timeFilter(at) AND charge_point_id = ${charge_point:sqlstring}
    AND connector = nullif(${connector:sqlstring}, '')::integer AND origin = 'ocpp'
  GROUP BY 1
)
SELECT bucket AS "time", commanded_a AS "commanded by OCPP", accepted_a AS "accepted by OCPP", sent_a AS "sent on CAN",
       offered_a AS "offered by the module", current_a AS "current"
FROM limits LEFT JOIN accepted USING (bucket)
ORDER BY 1

-- origins --
WITH currents AS (
  SELECT date_bin($__interval_ms * interval '1 ms', at, 'epoch') AS bucket,
         sum(current_sum) FILTER (WHERE origin = 'can') / nullif(sum(current_n) FILTER (WHERE origin = 'can'), 0) AS can_a,
         sum(current_sum) FILTER (WHERE origin = 'ocpp') / nullif(sum(current_n) FILTER (WHERE origin = 'ocpp'), 0) AS ocpp_a
  FROM dash.readings($__interval_ms)
  WHERE $__timeFilter(at) AND charge_point_id = ${charge_point:sqlstring}
    AND connector = nullif(${connector:sqlstring}, '')::integer
  GROUP BY 1
)
SELECT bucket AS "time", can_a AS "observed on CAN", ocpp_a AS "reported by OCPP", ocpp_a - can_a AS "difference"
FROM currents
ORDER BY 1

-- power --
SELECT date_bin($__interval_ms * interval '1 ms', at, 'epoch') AS "time",
       sum(power_sum) FILTER (WHERE origin = 'can') / nullif(sum(power_n) FILTER (WHERE origin = 'can'), 0)
         AS "observed on CAN",
       sum(power_sum) FILTER (WHERE origin = 'ocpp') / nullif(sum(power_n) FILTER (WHERE origin = 'ocpp'), 0)
         AS "reported by OCPP"
FROM dash.readings($__interval_ms)
WHERE $__timeFilter(at)
  AND charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer
GROUP BY 1
ORDER BY 1

-- voltage --
SELECT date_bin($__interval_ms * interval '1 ms', at, 'epoch') AS "time",
       sum(voltage_sum) / nullif(sum(voltage_n), 0) AS "voltage"
FROM dash.readings($__interval_ms)
WHERE $__timeFilter(at) AND origin = 'can'
  AND charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer
GROUP BY 1
ORDER BY 1

-- temperature --
SELECT date_bin($__interval_ms * interval '1 ms', at, 'epoch') AS "time",
       sum(temperature_sum) / nullif(sum(temperature_n), 0) AS "temperature"
FROM dash.readings($__interval_ms)
WHERE $__timeFilter(at) AND origin = 'can'
  AND charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer
GROUP BY 1
ORDER BY 1

-- lanes --
-- Each lane: the state at the start, the changes (of several within a pixel the last: looked up pixel by pixel, which
-- costs the same over a month as over an hour), and the last state once more at the end.
WITH ends AS (
  SELECT unnest(ARRAY[$__timeFrom()::timestamptz, least(now(), $__timeTo()::timestamptz)]) AS at
  FROM dash.charge_points
  WHERE charge_point_id = ${charge_point:sqlstring}
    AND connector = nullif(${connector:sqlstring}, '')::integer
), anomalies AS (
  SELECT started_at, ended_at, array_position(ARRAY['info', 'warning', 'critical'], severity) AS code
  FROM dash.anomalies
  WHERE charge_point_id = ${charge_point:sqlstring}
    AND connector = nullif(${connector:sqlstring}, '')::integer
    AND started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
), verdicts AS (
  -- How many of each severity went on at each edge, counted up in order.
  SELECT at, CASE WHEN sum(step) FILTER (WHERE code = 3) OVER past > 0 THEN 3
                  WHEN sum(step) FILTER (WHERE code = 2) OVER past > 0 THEN 2
                  WHEN sum(step) FILTER (WHERE code = 1) OVER past > 0 THEN 1 ELSE 0 END AS code
  FROM (
    SELECT at, 0 AS code, 0 AS step FROM ends
    UNION ALL SELECT started_at, code, 1 FROM anomalies
    UNION ALL SELECT ended_at, code, -1 FROM anomalies WHERE ended_at IS NOT NULL
  ) AS edges
  WINDOW past AS (ORDER BY at)
), pixels AS (
  SELECT pixel, pixel + $__interval_ms * interval '1 ms' AS next_pixel
  FROM generate_series($__timeFrom()::timestamptz, least(now(), $__timeTo()::timestamptz),
                       $__interval_ms * interval '1 ms') AS pixel
), changes AS (
  SELECT latest.at, latest.status_code
  FROM pixels CROSS JOIN LATERAL (
    SELECT s.at, s.status_code
    FROM dash.status AS s
    WHERE s.charge_point_id = ${charge_point:sqlstring}
      AND s.connector = nullif(${connector:sqlstring}, '')::integer
      AND s.at >= pixel AND s.at < next_pixel AND $__timeFilter(s.at)
    ORDER BY s.at DESC
    LIMIT 1
  ) AS latest
), lanes AS (
  SELECT ends.at, 'status' AS lane, state.status_code AS code
  FROM ends CROSS JOIN LATERAL (
    SELECT s.status_code
    FROM dash.status AS s
    WHERE s.charge_point_id = ${charge_point:sqlstring}
      AND s.connector = nullif(${connector:sqlstring}, '')::integer AND s.at <= ends.at
    ORDER BY s.at DESC
    LIMIT 1
  ) AS state
  UNION ALL
  SELECT at, 'status', status_code FROM changes
  UNION ALL
  SELECT DISTINCT at, 'verdict', code FROM verdicts WHERE $__timeFilter(at)
)
SELECT at AS "time", lane AS metric, code AS "value"
FROM lanes
ORDER BY 1

-- anomalies --
SELECT detected_at AS "time", severity, kind, deviation, score,
       extract(epoch FROM coalesce(ended_at, now()) - started_at) AS lasted_s,
       CASE WHEN ended_at IS NULL THEN 'open' ELSE 'closed' END AS state,
       explanation, pattern, id,
       (extract(epoch FROM started_at - interval '2 minutes') * 1000)::bigint AS moment_from_ms,
       (extract(epoch FROM detected_at + interval '2 minutes') * 1000)::bigint AS moment_to_ms
FROM dash.anomalies
WHERE charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer
  AND started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
ORDER BY detected_at DESC
LIMIT 50

-- events --
SELECT at AS "time", kind, summary
FROM dash.events
WHERE $__timeFilter(at) AND charge_point_id = ${charge_point:sqlstring}
  AND (connector IS NULL OR connector IN (0, nullif(${connector:sqlstring}, '')::integer))
  AND kind NOT IN ('can_frame_seen', 'ocpp_message_seen')
ORDER BY at DESC
LIMIT 100

-- annotations --
SELECT started_at AS "time",
       coalesce(ended_at, least(now(), $__timeTo()::timestamptz)) AS "timeend",
       explanation AS "text",
       kind || ',' || severity AS "tags"
FROM dash.anomalies
WHERE severity = :severity
  AND charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::integer
  AND started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
ORDER BY 1
LIMIT 500
