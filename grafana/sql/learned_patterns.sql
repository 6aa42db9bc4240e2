-- The queries of "Learned patterns". The baseline is what 28 days of rollups say of each hour of the day (UTC); it comes
-- from sums, so that it costs the same however many readings there were.

-- known --
SELECT count(*) AS "patterns", sum(count) AS "anomalies"
FROM dash.patterns
WHERE charge_point_id = ${charge_point:sqlstring}

-- seen_again --
SELECT sum(count - 1)::float8 / nullif(sum(count), 0) AS "recognised"
FROM dash.patterns
WHERE charge_point_id = ${charge_point:sqlstring}

-- most_seen --
SELECT period_s AS "period", amplitude_a AS "amplitude", duty AS "duty", count AS "seen"
FROM dash.patterns
WHERE charge_point_id = ${charge_point:sqlstring}
  AND period_s IS NOT NULL AND amplitude_a IS NOT NULL AND duty IS NOT NULL
ORDER BY count DESC, last_seen_at DESC
LIMIT 1

-- learned_from --
SELECT sum(readings) AS "readings", count(*) AS "hours"
FROM dash.metrics_1h
WHERE charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::smallint AND origin = 'can'
  AND at > now() - interval '28 days'
HAVING count(*) > 0

-- current --
WITH learned AS (
  SELECT extract(hour FROM at) AS hour, sum(current_sum) / nullif(sum(current_n), 0) AS mean_a,
         sum(current_squares) / nullif(sum(current_n), 0) AS mean_square
  FROM dash.metrics_1h
  WHERE charge_point_id = ${charge_point:sqlstring}
    AND connector = nullif(${connector:sqlstring}, '')::smallint AND origin = 'can'
    AND at > $__timeTo()::timestamptz - interval '28 days' AND at <= $__timeTo()::timestamptz
  GROUP BY 1
), banded AS (
  SELECT hour, mean_a, 2 * sqrt(greatest(0, mean_square - mean_a * mean_a)) AS width_a FROM learned
), buckets AS (
  SELECT date_bin($__interval_ms * interval '1 ms', at, 'epoch') AS bucket,
         sum(current_sum) / nullif(sum(current_n), 0) AS current_a
  FROM dash.readings($__interval_ms)
  WHERE $__timeFilter(at) AND charge_point_id = ${charge_point:sqlstring}
    AND connector = nullif(${connector:sqlstring}, '')::smallint AND origin = 'can'
  GROUP BY 1
)
SELECT bucket AS "time", current_a AS "current", mean_a AS "learned mean",
       greatest(0, mean_a - width_a) AS "band, low", mean_a + width_a AS "band, high"
FROM buckets LEFT JOIN banded ON hour = extract(hour FROM bucket)
ORDER BY 1

-- hours --
SELECT to_char(extract(hour FROM at), 'FM00') || ':00' AS hour, count(*) AS days, sum(readings) AS readings,
       sum(current_sum) / nullif(sum(current_n), 0) AS mean_a,
       sqrt(greatest(0, sum(current_squares) / nullif(sum(current_n), 0)
                        - (sum(current_sum) / nullif(sum(current_n), 0)) ^ 2)) AS deviation_a,
       max(current_max)::float8 AS peak_a
FROM dash.metrics_1h
WHERE charge_point_id = ${charge_point:sqlstring}
  AND connector = nullif(${connector:sqlstring}, '')::smallint AND origin = 'can'
  AND at > now() - interval '28 days'
GROUP BY 1
ORDER BY 1

-- seen --
WITH counted AS (
  SELECT date_bin($__interval_ms * interval '1 ms', started_at, 'epoch') AS bucket, pattern_id, count(*) AS anomalies
  FROM dash.anomalies
  WHERE $__timeFilter(started_at) AND charge_point_id = ${charge_point:sqlstring}
  GROUP BY 1, 2
), places AS (
  SELECT pattern_id, row_number() OVER (ORDER BY sum(anomalies) DESC, pattern_id) AS place FROM counted GROUP BY 1
), buckets AS (
  -- Every bar has its place, also one of height 0: a bar is as wide as the way to the next.
  SELECT bucket
  FROM generate_series(date_bin($__interval_ms * interval '1 ms', $__timeFrom()::timestamptz, 'epoch'),
                       $__timeTo()::timestamptz, $__interval_ms * interval '1 ms') AS bucket
)
SELECT buckets.bucket AS "time",
       CASE WHEN place > 19 THEN 'all others'
            ELSE place || '. ' || concat_ws(', ', coalesce(p.kind, 'no pattern'), round(p.period_s::numeric, 1) || ' s',
                                            round(p.amplitude_a::numeric) || ' A') END AS metric,
       coalesce(sum(anomalies), 0) AS "anomalies"
FROM buckets CROSS JOIN places
LEFT JOIN counted ON counted.bucket = buckets.bucket AND counted.pattern_id IS NOT DISTINCT FROM places.pattern_id
LEFT JOIN dash.patterns AS p ON p.pattern_id = places.pattern_id
GROUP BY 1, 2
ORDER BY 1, 2

-- thresholds --
WITH anomalies AS (
  SELECT date_bin($__interval_ms * interval '1 ms', detected_at, 'epoch') AS bucket, kind, max(score) AS score,
         max(threshold) AS threshold
  FROM dash.anomalies
  WHERE $__timeFilter(detected_at) AND charge_point_id = ${charge_point:sqlstring}
  GROUP BY 1, 2
), kinds AS (
  SELECT kind FROM anomalies GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 10
)
SELECT greatest(bucket, $__timeFrom()::timestamptz) AS "time", kind, score AS "score", threshold AS "threshold"
FROM anomalies JOIN kinds USING (kind)
ORDER BY 1, 2

-- patterns --
SELECT kind, count, period_s, amplitude_a, duty, first_seen_at, last_seen_at,
       (extract(epoch FROM last_seen_at - interval '2 minutes') * 1000)::bigint AS moment_from_ms,
       (extract(epoch FROM last_seen_at + interval '5 minutes') * 1000)::bigint AS moment_to_ms
FROM dash.patterns
WHERE charge_point_id = ${charge_point:sqlstring}
ORDER BY last_seen_at DESC
LIMIT 100

-- fleet --
SELECT charge_point_id, count(*) AS patterns, sum(count)::bigint AS anomalies, max(count) AS most_seen,
       min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at
FROM dash.patterns
GROUP BY 1
ORDER BY 3 DESC, 1
LIMIT 200

-- versions --
SELECT kind, threshold, count(*) AS anomalies, min(score) AS least_score, max(score) AS highest_score,
       min(detected_at) AS first_at, max(detected_at) AS last_at
FROM dash.anomalies
WHERE charge_point_id = ${charge_point:sqlstring}
GROUP BY 1, 2
ORDER BY last_at DESC
LIMIT 50

-- usual --
SELECT own.metric, own.phase, own.sessions, own.mean, own.sd, fleet.mean AS fleet_mean, own.recent_mean,
       CASE WHEN own.is_held THEN 'yes' ELSE 'no' END AS held, own.version, own.updated_at
FROM dash.baselines own
LEFT JOIN dash.baselines fleet ON (fleet.charge_point_id, fleet.metric, fleet.phase) = ('*', own.metric, own.phase)
WHERE own.charge_point_id = ${charge_point:sqlstring}
  AND own.connector = nullif(${connector:sqlstring}, '')::smallint
ORDER BY 1, 2

-- learned --
SELECT version, sessions, changed, at
FROM dash.baseline_versions
ORDER BY at DESC
LIMIT 50
