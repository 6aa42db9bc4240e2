-- What several dashboards ask. Charge points are chosen by = ANY (ARRAY[…]): with none to choose from, IN () would be an
-- error, and one or several are asked for alike.

-- charge_points_to_choose --
SELECT DISTINCT charge_point_id FROM dash.charge_points ORDER BY 1

-- connectors_to_choose --
SELECT DISTINCT connector::text
FROM dash.charge_points
WHERE charge_point_id = ${charge_point:sqlstring}
ORDER BY 1

-- anomaly_annotations --
SELECT started_at AS "time",
       coalesce(ended_at, least(now(), $__timeTo()::timestamptz)) AS "timeend",
       charge_point_id || ': ' || explanation AS "text",
       kind || ',' || severity AS "tags"
FROM dash.anomalies
WHERE severity = :severity AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  AND started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
ORDER BY 1 DESC
LIMIT 500

-- truth_annotations --
SELECT started_at AS "time",
       coalesce(ended_at, least(now(), $__timeTo()::timestamptz)) AS "timeend",
       charge_point_id || ': ' || scenario || ' was run' || coalesce(' with ' || parameters, '') AS "text",
       'ground truth,' || coalesce(anomaly, 'benign') AS "tags"
FROM dash.truth_runs
WHERE (anomaly IS NULL) = :benign AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
  AND started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
ORDER BY 1 DESC
LIMIT 500
