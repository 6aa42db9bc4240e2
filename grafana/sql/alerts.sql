-- What the alert rules measure: each gives one number always, so that "no data" means that something is broken.

-- silence --
-- Seconds since the newest reading of any charge point that is connected, or since the statuses of those that never
-- measured; nobody connected: 0. Of all together, since a foreign charge point may measure while it charges only.
SELECT now() AS "time",
       coalesce(extract(epoch FROM now() - coalesce(max(last_reading_at), min(status_at))), 0) AS "silence"
FROM dash.charge_points
WHERE connected

-- lag --
-- Of 95 of 100 messages of the last half minute; and where no pulse comes, which is told every ten seconds, for how long.
SELECT now() AS "time",
       greatest(
         (SELECT max(lag_p95_s) FROM dash.pulses WHERE at > now() - interval '30 seconds'),
         (SELECT extract(epoch FROM now() - max(at)) - 10 FROM dash.pulses),
         0
       ) AS "lag"

-- critical --
SELECT now() AS "time", count(*) AS "open"
FROM dash.anomalies
WHERE ended_at IS NULL AND severity = 'critical'
