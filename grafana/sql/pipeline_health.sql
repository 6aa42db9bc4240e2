-- The queries of "Pipeline health". Every MemoryBank tells every ten seconds what it stored (dash.pulses); with several
-- that share the work their rates are added, and of their lags the worst counts.

-- stored --
SELECT sum(messages / length_s) AS "messages", sum(events / length_s) AS "events", sum(readings / length_s) AS "readings"
FROM (
  SELECT DISTINCT ON (partition) messages, events, readings, length_s
  FROM dash.pulses
  WHERE at > now() - interval '30 seconds'
  ORDER BY partition, at DESC
) AS latest

-- lag --
SELECT max(lag_p50_s) AS "p50", max(lag_p95_s) AS "p95", max(lag_p99_s) AS "p99"
FROM (
  SELECT DISTINCT ON (partition) lag_p50_s, lag_p95_s, lag_p99_s
  FROM dash.pulses
  WHERE at > now() - interval '30 seconds'
  ORDER BY partition, at DESC
) AS latest

-- lost --
SELECT coalesce((SELECT sum(lost) FROM dash.gaps WHERE $__timeFilter(noticed_at)), 0)::bigint AS "in this range",
       coalesce((SELECT sum(gaps) FROM dash.sources), 0)::bigint AS "ever"

-- again --
SELECT coalesce((SELECT sum(duplicates) FROM dash.pulses WHERE $__timeFilter(at)), 0)::bigint AS "in this range",
       coalesce((SELECT sum(duplicates) FROM dash.sources), 0)::bigint AS "ever"

-- waiting --
SELECT (SELECT sum(waiting_messages)
        FROM (SELECT DISTINCT ON (partition) waiting_messages FROM dash.pulses
              WHERE at > now() - interval '30 seconds' ORDER BY partition, at DESC) AS latest) AS "messages",
       (SELECT sum(committed_seq - rolled_seq) FROM dash.sources) AS "not rolled up"

-- set_aside --
SELECT count(*) AS "messages" FROM dash.poison WHERE $__timeFilter(last_at)

-- size --
SELECT pg_database_size(current_database()) AS "size"

-- stored_over_time --
SELECT bucket AS "time", sum(messages) AS "messages", sum(events) AS "events", sum(readings) AS "readings"
FROM (
  SELECT greatest(date_bin($__interval_ms * interval '1 ms', at, 'epoch'), $__timeFrom()::timestamptz) AS bucket, partition,
         sum(messages) / sum(length_s) AS messages, sum(events) / sum(length_s) AS events,
         sum(readings) / sum(length_s) AS readings
  FROM dash.pulses
  WHERE $__timeFilter(at)
  GROUP BY 1, 2
) AS rates
GROUP BY 1
ORDER BY 1

-- lag_over_time --
SELECT greatest(date_bin($__interval_ms * interval '1 ms', at, 'epoch'), $__timeFrom()::timestamptz) AS "time",
       max(lag_p50_s) AS "p50", max(lag_p95_s) AS "p95", max(lag_p99_s) AS "p99"
FROM dash.pulses
WHERE $__timeFilter(at)
GROUP BY 1
ORDER BY 1

-- faults_over_time --
SELECT greatest(date_bin($__interval_ms * interval '1 ms', at, 'epoch'), $__timeFrom()::timestamptz) AS "time",
       sum(gaps) AS "lost", sum(duplicates) AS "arrived again", sum(ahead) AS "ahead of their turn",
       max(waiting_messages) AS "waiting"
FROM dash.pulses
WHERE $__timeFilter(at)
GROUP BY 1
ORDER BY 1

-- services --
-- A MemoryBank is known by its pulses, a module by its readings, the CSMS and a charge point by what they tell.
WITH told AS (
  SELECT split_part(source, '/', 1) AS name, max(last_event_at) AS event_at, max(last_stored_at) AS stored_at
  FROM dash.sources
  GROUP BY 1
), seen AS (
  SELECT CASE split_part(name, ':', 1) WHEN 'csms' THEN 'CSMS' WHEN 'chargepoint' THEN 'charge point'
                                       ELSE split_part(name, ':', 1) END AS service,
         stored_at AS heard_at
  FROM told
  WHERE stored_at IS NOT NULL
  UNION ALL
  SELECT 'charger module', last_reading_at FROM dash.charge_points WHERE last_reading_at IS NOT NULL
  UNION ALL
  SELECT 'MemoryBank', max(at) FROM dash.pulses WHERE at > now() - interval '1 day' GROUP BY partition
  UNION ALL
  SELECT 'PostgreSQL', now() WHERE EXISTS (SELECT FROM told)
)
SELECT service,
       CASE WHEN count(*) FILTER (WHERE is_up) = count(*) THEN 'up'
            WHEN count(*) FILTER (WHERE is_up) = 0 THEN 'silent' ELSE 'some silent' END AS state,
       count(*) FILTER (WHERE is_up) AS up, count(*) AS known, max(heard_at) AS heard_at,
       greatest(0, extract(epoch FROM now() - max(heard_at))) AS age_s
FROM seen CROSS JOIN LATERAL (SELECT heard_at > now() - interval '30 seconds' AS is_up) AS judged
GROUP BY 1
ORDER BY 1

-- freshness --
SELECT charge_point_id || ' / ' || connector AS connector, greatest(0, extract(epoch FROM now() - last_reading_at)) AS age_s
FROM dash.charge_points
WHERE charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[]) AND connected AND last_reading_at IS NOT NULL
ORDER BY 2 DESC, 1
LIMIT 20

-- sources --
SELECT split_part(source, '/', 1) AS source,
       CASE WHEN max(last_stored_at) > now() - interval '30 seconds' THEN 'up' ELSE 'silent' END AS state,
       CASE WHEN max(last_event_at) IS NOT NULL THEN greatest(0, extract(epoch FROM now() - max(last_event_at))) END AS age_s,
       max(lag_s) FILTER (WHERE last_stored_at > now() - interval '30 seconds') AS lag_s,
       sum(events)::bigint AS events, sum(metrics)::bigint AS readings, sum(committed_seq - rolled_seq)::bigint AS behind,
       sum(gaps)::bigint AS lost, sum(duplicates)::bigint AS again, count(DISTINCT boot) AS outboxes
FROM dash.sources
GROUP BY 1
ORDER BY sum(gaps) DESC, 2, max(last_event_at) DESC, 1
LIMIT 200

-- sizes --
SELECT parent AS "table", sum(bytes)::bigint AS bytes
FROM dash.sizes()
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 20

-- partitions --
SELECT parent, part AS partition, bytes
FROM dash.sizes()
WHERE part IS NOT NULL
ORDER BY bytes DESC, part
LIMIT 100

-- newest_set_aside --
SELECT last_at AS "time", times, topic, reason
FROM dash.poison
WHERE first_at <= $__timeTo()::timestamptz AND last_at >= $__timeFrom()::timestamptz
ORDER BY last_at DESC
LIMIT 50

-- newest_gaps --
SELECT noticed_at AS "time", source, lost, first_seq::text AS first_seq, last_seq::text AS last_seq
FROM dash.gaps
WHERE $__timeFilter(noticed_at)
ORDER BY noticed_at DESC
LIMIT 50
