-- The fleet overview's queries, one under each name. Grafana replaces $__… macros and ${…} variables.
-- Charge points are chosen by = ANY (ARRAY[…]): with none to choose from, IN () would be an error.

-- online --
SELECT count(DISTINCT charge_point_id) FILTER (WHERE connected) AS "online",
       count(DISTINCT charge_point_id) AS "known"
FROM dash.charge_points
WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])

-- charging --
SELECT count(*) FILTER (WHERE status_code = 3) AS "charging",
       count(*) AS "connectors"
FROM dash.charge_points
WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])

-- power --
SELECT coalesce(sum(power_w), 0) AS "power"
FROM dash.charge_points
WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  AND last_reading_at > now() - interval '10 seconds'

-- energy_today --
SELECT coalesce(sum(energy_wh), 0) AS "energy"
FROM dash.sessions
WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  AND started_at >= $__timeFrom()::timestamptz

-- open_anomalies --
SELECT count(*) FILTER (WHERE severity = 'critical') AS "critical",
       count(*) FILTER (WHERE severity = 'warning') AS "warning",
       count(*) FILTER (WHERE severity = 'info') AS "info"
FROM dash.anomalies
WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[]) AND ended_at IS NULL

-- age_of_readings --
-- Without a reading no row: greatest() would make 0 s of nothing.
SELECT greatest(0, extract(epoch FROM now() - max(last_reading_at))) AS "newest",
       greatest(0, extract(epoch FROM now() - min(last_reading_at))) AS "oldest"
FROM dash.charge_points
WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[]) AND connected
HAVING max(last_reading_at) IS NOT NULL

-- states --
-- Each lane: the state at the start, the changes (of several within a pixel the last: looked up pixel by pixel, which
-- costs the same over a month as over an hour), and the last state once more at the end.
WITH lanes AS (
  SELECT charge_point_id, connector
  FROM dash.charge_points
  WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  ORDER BY open_anomalies DESC, status_at DESC NULLS LAST, charge_point_id, connector
  LIMIT 20
), ends AS (
  SELECT unnest(ARRAY[$__timeFrom()::timestamptz, least(now(), $__timeTo()::timestamptz)]) AS at
), pixels AS (
  SELECT pixel, pixel + $__interval_ms * interval '1 ms' AS next_pixel
  FROM generate_series($__timeFrom()::timestamptz, least(now(), $__timeTo()::timestamptz),
                       $__interval_ms * interval '1 ms') AS pixel
), changes AS (
  SELECT lanes.charge_point_id, lanes.connector, latest.at, latest.status_code
  FROM lanes CROSS JOIN pixels CROSS JOIN LATERAL (
    SELECT s.at, s.status_code
    FROM dash.status AS s
    WHERE s.charge_point_id = lanes.charge_point_id AND s.connector = lanes.connector
      AND s.at >= pixel AND s.at < next_pixel AND $__timeFilter(s.at)
    ORDER BY s.at DESC
    LIMIT 1
  ) AS latest
), edges AS (
  SELECT lanes.charge_point_id, lanes.connector, ends.at, state.status_code
  FROM lanes CROSS JOIN ends CROSS JOIN LATERAL (
    SELECT s.status_code
    FROM dash.status AS s
    WHERE s.charge_point_id = lanes.charge_point_id AND s.connector = lanes.connector AND s.at <= ends.at
    ORDER BY s.at DESC
    LIMIT 1
  ) AS state
  UNION ALL
  SELECT charge_point_id, connector, at, status_code FROM changes
)
SELECT at AS "time", charge_point_id, connector::text AS connector, status_code AS "status"
FROM edges
ORDER BY 1

-- power_over_time --
-- The 19 charge points with the most energy in the range, and all others as one. The more charge points and the longer
-- the range, the coarser: no more than 15 000 rows are read. All that chooses the fineness is known to the planner.
WITH buckets AS (
  SELECT date_bin($__interval_ms * interval '1 ms', at, 'epoch') AS bucket, charge_point_id, connector,
         sum(power_sum) / nullif(sum(power_n), 0) AS power_w
  FROM dash.readings(greatest($__interval_ms, dash.fineness_ms(
    cardinality(ARRAY[${charge_point:sqlstring}]::text[]),
    $__timeTo()::timestamptz - $__timeFrom()::timestamptz, 15000)))
  WHERE $__timeFilter(at) AND origin = 'can'
    AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  GROUP BY 1, 2, 3
), places AS (
  SELECT charge_point_id, row_number() OVER (ORDER BY sum(power_w) DESC NULLS LAST, charge_point_id) AS place
  FROM buckets
  GROUP BY 1
)
SELECT bucket AS "time",
       CASE WHEN place <= 19 THEN charge_point_id ELSE 'all others' END AS charge_point_id,
       sum(power_w) AS "power"
FROM buckets JOIN places USING (charge_point_id)
GROUP BY 1, 2
ORDER BY 1, 2

-- load --
SELECT charge_point_id || ' / ' || connector AS connector, power_w
FROM dash.charge_points
WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  AND last_reading_at > now() - interval '10 seconds' AND power_w IS NOT NULL
ORDER BY power_w DESC, 1
LIMIT 20

-- charge_points --
SELECT charge_point_id, connector::text AS connector, status, current_a, power_w, energy_wh, soc_percent,
       transaction_id::text AS transaction_id, open_anomalies,
       CASE WHEN last_reading_at IS NOT NULL THEN greatest(0, extract(epoch FROM now() - last_reading_at)) END AS reading_age_s
FROM dash.charge_points
WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
ORDER BY open_anomalies DESC, charge_point_id, connector
LIMIT 1000

-- anomalies_per_hour --
-- Every hour has its place, also one without: a bar is as wide as the way to the next.
WITH counted AS (
  SELECT date_bin('1 hour', detected_at, 'epoch') AS hour, count(*) FILTER (WHERE severity = 'critical') AS critical,
         count(*) FILTER (WHERE severity = 'warning') AS warning, count(*) FILTER (WHERE severity = 'info') AS info
  FROM dash.anomalies
  WHERE $__timeFilter(detected_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  GROUP BY 1
)
SELECT hour AS "time", coalesce(critical, 0) AS "critical", coalesce(warning, 0) AS "warning", coalesce(info, 0) AS "info"
FROM generate_series(date_bin('1 hour', $__timeFrom()::timestamptz, 'epoch'), $__timeTo()::timestamptz, '1 hour') AS hour
LEFT JOIN counted USING (hour)
WHERE EXISTS (SELECT FROM counted)
ORDER BY 1

-- newest_anomalies --
SELECT detected_at AS "time", charge_point_id, connector::text AS connector, severity, kind, deviation, score,
       extract(epoch FROM coalesce(ended_at, now()) - started_at) AS lasted_s,
       CASE WHEN ended_at IS NULL THEN 'open' ELSE 'closed' END AS state,
       explanation, pattern, id,
       (extract(epoch FROM started_at - interval '2 minutes') * 1000)::bigint AS moment_from_ms,
       (extract(epoch FROM detected_at + interval '2 minutes') * 1000)::bigint AS moment_to_ms
FROM dash.anomalies
WHERE started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
  AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
ORDER BY detected_at DESC
LIMIT 50
