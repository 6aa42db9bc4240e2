-- What several dashboards ask. Charge points are chosen by = ANY (ARRAY[…]): with none to choose from, IN () would be an
-- error, and one or several are asked for alike.

-- charge_points_to_choose --
SELECT DISTINCT charge_point_id FROM dash.charge_points ORDER BY 1

-- places_to_choose --
-- The charge points, and the fleet, as which anomalies of all of them together are kept.
SELECT DISTINCT charge_point_id AS "__value", charge_point_id AS "__text" FROM dash.charge_points
UNION ALL
SELECT '*', 'the fleet' WHERE EXISTS (SELECT FROM dash.charge_points)
ORDER BY 1

-- connectors_to_choose --
SELECT DISTINCT connector::text
FROM dash.charge_points
WHERE charge_point_id = ${charge_point:sqlstring}
ORDER BY 1

-- anomaly_annotations --
-- What overlaps is one region: Grafana lays them over each other, and a hundred would hide the curve.
WITH spans AS (
  SELECT charge_point_id, kind, explanation, started_at, coalesce(ended_at, 'infinity') AS ended_at
  FROM dash.anomalies
  WHERE severity = :severity AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
    AND started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
), marked AS (
  SELECT charge_point_id, kind, explanation, started_at, ended_at,
         started_at <= max(ended_at) OVER (ORDER BY started_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS goes_on
  FROM spans
), regions AS (
  SELECT charge_point_id, kind, explanation, started_at, ended_at,
         count(*) FILTER (WHERE goes_on IS NOT TRUE) OVER (ORDER BY started_at ROWS UNBOUNDED PRECEDING) AS region
  FROM marked
)
SELECT min(started_at) AS "time",
       CASE WHEN max(ended_at) = 'infinity' THEN least(now(), $__timeTo()::timestamptz) ELSE max(ended_at) END AS "timeend",
       CASE WHEN count(*) = 1 THEN min(charge_point_id || ': ' || explanation)
            ELSE count(*) || ' anomalies on ' || array_to_string((array_agg(DISTINCT charge_point_id))[1:5], ', ')
                 || CASE WHEN count(DISTINCT charge_point_id) > 5 THEN ' and others' ELSE '' END END AS "text",
       string_agg(DISTINCT kind, ',') || ',' || :severity AS "tags"
FROM regions
GROUP BY region
ORDER BY 1 DESC
LIMIT 500

-- truth_annotations --
-- The same of the scenarios' runs.
WITH spans AS (
  SELECT charge_point_id, scenario, anomaly, parameters, started_at, coalesce(ended_at, 'infinity') AS ended_at
  FROM dash.truth_runs
  WHERE (anomaly IS NULL) = :benign AND charge_point_id = ANY (ARRAY[${charge_point:sqlstring}]::text[])
    AND started_at <= $__timeTo()::timestamptz AND coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
), marked AS (
  SELECT charge_point_id, scenario, anomaly, parameters, started_at, ended_at,
         started_at <= max(ended_at) OVER (ORDER BY started_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS goes_on
  FROM spans
), regions AS (
  SELECT charge_point_id, scenario, anomaly, parameters, started_at, ended_at,
         count(*) FILTER (WHERE goes_on IS NOT TRUE) OVER (ORDER BY started_at ROWS UNBOUNDED PRECEDING) AS region
  FROM marked
)
SELECT min(started_at) AS "time",
       CASE WHEN max(ended_at) = 'infinity' THEN least(now(), $__timeTo()::timestamptz) ELSE max(ended_at) END AS "timeend",
       string_agg(DISTINCT scenario, ', ') || ' on ' || array_to_string((array_agg(DISTINCT charge_point_id))[1:5], ', ')
         || CASE WHEN count(DISTINCT charge_point_id) > 5 THEN ' and others' ELSE '' END
         || CASE WHEN count(*) = 1 THEN coalesce(' with ' || min(parameters), '') ELSE '' END AS "text",
       'ground truth,' || string_agg(DISTINCT coalesce(anomaly, 'benign'), ',') AS "tags"
FROM regions
GROUP BY region
ORDER BY 1 DESC
LIMIT 500
