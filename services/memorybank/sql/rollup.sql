-- advance --
-- Add the readings after sources.rolled_seq to all three levels and move rolled_seq on, in one statement: each
-- reading once, whatever happens; a late one like any other. `rows` readings at most, shared among the sources that
-- are behind. Gives how many numbers are left. The braces take `coarser` (a level is the sum of the finer one) and
-- `written` (added to what the level has of the stretch already), once a level.
WITH behind AS MATERIALIZED (
  SELECT source_no, rolled_seq, committed_seq,
         greatest(1, %(rows)s / count(*) OVER ()) AS share
  FROM memory.sources
  WHERE partition = ANY(%(partitions)s) AND rolled_seq < committed_seq
), read AS MATERIALIZED (
  SELECT b.source_no, r.*
  FROM behind b CROSS JOIN LATERAL (
    SELECT m.seq, m.at, m.charge_point_id, m.connector, m.origin,
           dash.bounded(m.current_a) AS current_a, dash.bounded(m.voltage_v) AS voltage_v,
           dash.bounded(m.power_w) AS power_w, dash.bounded(m.temperature_c) AS temperature_c,
           dash.bounded(m.offered_a) AS offered_a, dash.bounded(m.commanded_a) AS commanded_a,
           dash.bounded(m.soc_percent) AS soc_percent, dash.bounded(m.energy_wh) AS energy_wh
    FROM memory.metrics m
    WHERE m.source_no = b.source_no AND m.seq > b.rolled_seq AND m.seq <= b.committed_seq
    ORDER BY m.seq LIMIT (SELECT min(share) FROM behind)
  ) r
), moved AS (
  -- Where another statement was quicker, nothing is moved here, and then nothing is added either.
  UPDATE memory.sources s SET rolled_seq = n.up_to
  FROM (
    SELECT b.source_no, b.rolled_seq,
           -- Fewer readings than its share: it has no more, and what is left are numbers of events.
           CASE WHEN count(r.seq) < b.share THEN b.committed_seq ELSE max(r.seq) END AS up_to
    FROM behind b LEFT JOIN read r USING (source_no)
    GROUP BY b.source_no, b.rolled_seq, b.committed_seq, b.share
  ) n
  WHERE s.source_no = n.source_no AND s.rolled_seq = n.rolled_seq
  RETURNING s.source_no, n.up_to - n.rolled_seq AS numbers
), tens AS MATERIALIZED (
  SELECT charge_point_id, connector, origin, date_bin('10 seconds', at, 'epoch') AS at,
         sum(current_a) AS current_sum, sum(current_a * current_a) AS current_squares,
         sum(voltage_v) AS voltage_sum, sum(power_w) AS power_sum, sum(temperature_c) AS temperature_sum,
         count(*)::integer AS readings, count(current_a)::integer AS current_n,
         count(voltage_v)::integer AS voltage_n, count(power_w)::integer AS power_n,
         count(temperature_c)::integer AS temperature_n, min(current_a)::real AS current_min,
         max(current_a)::real AS current_max, max(offered_a)::real AS offered_max,
         max(commanded_a)::real AS commanded_max, max(power_w)::real AS power_max,
         max(temperature_c)::real AS temperature_max, max(soc_percent)::real AS soc_max,
         max(energy_wh) AS energy_max
  FROM read JOIN moved USING (source_no)
  GROUP BY charge_point_id, connector, origin, date_bin('10 seconds', at, 'epoch')
),
{coarser},
{written}
SELECT coalesce((SELECT sum(committed_seq - rolled_seq) FROM behind), 0)
       - coalesce((SELECT sum(numbers) FROM moved), 0) AS left_over;

-- coarser --
{rows} AS MATERIALIZED (
  SELECT charge_point_id, connector, origin, date_bin('{stretch}', at, 'epoch') AS at,
         sum(current_sum) AS current_sum, sum(current_squares) AS current_squares,
         sum(voltage_sum) AS voltage_sum, sum(power_sum) AS power_sum, sum(temperature_sum) AS temperature_sum,
         sum(readings)::integer AS readings, sum(current_n)::integer AS current_n,
         sum(voltage_n)::integer AS voltage_n, sum(power_n)::integer AS power_n,
         sum(temperature_n)::integer AS temperature_n, min(current_min) AS current_min,
         max(current_max) AS current_max, max(offered_max) AS offered_max, max(commanded_max) AS commanded_max,
         max(power_max) AS power_max, max(temperature_max) AS temperature_max, max(soc_max) AS soc_max,
         max(energy_max) AS energy_max
  FROM {finer} GROUP BY charge_point_id, connector, origin, date_bin('{stretch}', at, 'epoch')
)

-- written --
put_{level} AS (
  INSERT INTO memory.metrics_{level} AS m (
    charge_point_id, connector, origin, at, current_sum, current_squares, voltage_sum, power_sum,
    temperature_sum, readings, current_n, voltage_n, power_n, temperature_n, current_min, current_max,
    offered_max, commanded_max, power_max, temperature_max, soc_max, energy_max)
  SELECT
    charge_point_id, connector, origin, at, current_sum, current_squares, voltage_sum, power_sum,
    temperature_sum, readings, current_n, voltage_n, power_n, temperature_n, current_min, current_max,
    offered_max, commanded_max, power_max, temperature_max, soc_max, energy_max
  FROM {rows} ORDER BY charge_point_id, connector, origin, at
  ON CONFLICT (charge_point_id, connector, origin, at) DO UPDATE SET
    current_sum = coalesce(m.current_sum + excluded.current_sum, m.current_sum, excluded.current_sum),
    current_squares = coalesce(
      m.current_squares + excluded.current_squares, m.current_squares, excluded.current_squares),
    voltage_sum = coalesce(m.voltage_sum + excluded.voltage_sum, m.voltage_sum, excluded.voltage_sum),
    power_sum = coalesce(m.power_sum + excluded.power_sum, m.power_sum, excluded.power_sum),
    temperature_sum = coalesce(
      m.temperature_sum + excluded.temperature_sum, m.temperature_sum, excluded.temperature_sum),
    readings = m.readings + excluded.readings, current_n = m.current_n + excluded.current_n,
    voltage_n = m.voltage_n + excluded.voltage_n, power_n = m.power_n + excluded.power_n,
    temperature_n = m.temperature_n + excluded.temperature_n,
    current_min = least(m.current_min, excluded.current_min),
    current_max = greatest(m.current_max, excluded.current_max),
    offered_max = greatest(m.offered_max, excluded.offered_max),
    commanded_max = greatest(m.commanded_max, excluded.commanded_max),
    power_max = greatest(m.power_max, excluded.power_max),
    temperature_max = greatest(m.temperature_max, excluded.temperature_max),
    soc_max = greatest(m.soc_max, excluded.soc_max), energy_max = greatest(m.energy_max, excluded.energy_max)
)
