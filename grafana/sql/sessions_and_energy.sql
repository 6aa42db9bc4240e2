-- The queries of "Sessions and energy": transactions that began in the time range. Days and hours are those of UTC.

-- sessions --
SELECT count(*) AS "begun", count(*) FILTER (WHERE ended_at IS NULL) AS "running"
FROM dash.sessions
WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])

-- energy --
SELECT sum(energy_wh) AS "in all", avg(energy_wh) AS "per session"
FROM dash.sessions
WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])

-- duration --
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_s) AS "median",
       percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_s) AS "95 of 100"
FROM dash.sessions
WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])

-- current --
SELECT max(peak_a) AS "highest", avg(mean_a) AS "mean"
FROM dash.sessions
WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])

-- with_anomalies --
SELECT count(*) FILTER (WHERE anomalies > 0)::float8 / nullif(count(*), 0) AS "share"
FROM dash.sessions
WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])

-- energy_per_day --
-- Every day has its place, also one without energy: a bar is as wide as the way to the next.
WITH summed AS (
  SELECT date_bin('1 day', started_at, 'epoch') AS day, sum(energy_wh) AS energy_wh
  FROM dash.sessions
  WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  GROUP BY 1
)
SELECT day AS "time", coalesce(energy_wh, 0) AS "energy"
FROM generate_series(date_bin('1 day', $__timeFrom()::timestamptz, 'epoch'), $__timeTo()::timestamptz, '1 day') AS day
LEFT JOIN summed USING (day)
WHERE EXISTS (SELECT FROM summed)
ORDER BY 1

-- sessions_per_day --
WITH counted AS (
  SELECT date_bin('1 day', started_at, 'epoch') AS day,
         CASE WHEN ended_at IS NULL THEN 'still running' ELSE coalesce(reason, 'no reason given') END AS reason,
         count(*) AS sessions
  FROM dash.sessions
  WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  GROUP BY 1, 2
)
SELECT day AS "time", reason AS metric, coalesce(sessions, 0) AS "sessions"
FROM generate_series(date_bin('1 day', $__timeFrom()::timestamptz, 'epoch'), $__timeTo()::timestamptz, '1 day') AS day
CROSS JOIN (SELECT DISTINCT reason FROM counted) AS reasons
LEFT JOIN counted USING (day, reason)
ORDER BY 1, 2

-- start_hours --
-- Every day and every hour, so that each has its place.
WITH counted AS (
  SELECT date_bin('1 hour', started_at, 'epoch') AS hour_at, count(*) AS sessions
  FROM dash.sessions
  WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  GROUP BY 1
), days AS (
  SELECT day
  FROM generate_series(date_bin('1 day', $__timeFrom()::timestamptz, 'epoch'), $__timeTo()::timestamptz, '1 day') AS day
  WHERE EXISTS (SELECT FROM counted)
)
SELECT day AS "time", to_char(hour, 'FM00') || ':00' AS metric, coalesce(sessions, 0) AS "sessions"
FROM days CROSS JOIN generate_series(0, 23) AS hour
LEFT JOIN counted ON hour_at = day + hour * interval '1 hour'
ORDER BY 1, 2

-- stop_reasons --
SELECT CASE WHEN ended_at IS NULL THEN 'still running' ELSE coalesce(reason, 'no reason given') END AS reason,
       count(*) AS sessions
FROM dash.sessions
WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 20

-- durations --
SELECT length, count(s.place) AS sessions
FROM (VALUES (0, 'under 10 s'), (1, '10 s to 1 min'), (2, '1 to 10 min'), (3, '10 min to 1 h'), (4, '1 h and more'))
  AS lengths(place, length)
JOIN (
  SELECT width_bucket(duration_s, ARRAY[10, 60, 600, 3600]::float8[]) AS place
  FROM dash.sessions
  WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
    AND ended_at IS NOT NULL
) AS s USING (place)
GROUP BY place, length
ORDER BY place

-- by_charge_point --
SELECT charge_point_id, sum(energy_wh) AS energy
FROM dash.sessions
WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  AND energy_wh IS NOT NULL
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 20

-- newest --
SELECT started_at AS "time", charge_point_id, connector::text AS connector, transaction_id, id_tag,
       CASE WHEN ended_at IS NULL THEN 'still running' ELSE coalesce(reason, 'no reason given') END AS reason,
       extract(epoch FROM coalesce(ended_at, now()) - started_at) AS duration_s, energy_wh, mean_a, peak_a, anomalies,
       (extract(epoch FROM started_at - interval '30 seconds') * 1000)::bigint AS moment_from_ms,
       (extract(epoch FROM coalesce(ended_at, now()) + interval '30 seconds') * 1000)::bigint AS moment_to_ms
FROM dash.sessions
WHERE $__timeFilter(started_at) AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
ORDER BY started_at DESC
LIMIT 200
