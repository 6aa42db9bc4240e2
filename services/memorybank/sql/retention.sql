-- oldest --
-- The partitions that end before `yesterday` begins, hours before `last_hour`, in the order in which they may go: hours
-- and days first, they hold the most
SELECT p.parent, p.partition, p.to_at, coalesce(p.bytes, 0)
FROM memory.partitions p
WHERE p.to_at <= CASE p.span WHEN 'hour' THEN %(last_hour)s ELSE %(yesterday)s END
ORDER BY coalesce(array_position(ARRAY['month', 'year'], p.span), 0), p.from_at, p.parent;

-- bytes --
-- All of schema memory on disk, indexes included
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class c WHERE c.relnamespace = 'memory'::regnamespace AND c.relkind IN ('r', 'm', 'S');

-- not_rolled_up --
-- Whether a partition has readings that the rollups have not
SELECT EXISTS (
  SELECT FROM memory.sources s CROSS JOIN LATERAL (
    SELECT FROM {partition} m WHERE m.source_no = s.source_no AND m.seq > s.rolled_seq LIMIT 1) behind);

-- note_dropped --
-- Before a partition goes: up to where its sources lose numbers with it
UPDATE memory.sources s SET dropped_seq = n.seq
FROM (
  SELECT o.source_no, newest.seq
  FROM memory.sources o CROSS JOIN LATERAL (
    SELECT m.seq FROM {partition} m WHERE m.source_no = o.source_no ORDER BY m.seq DESC LIMIT 1) newest
) n
WHERE s.source_no = n.source_no AND s.dropped_seq < n.seq;

-- lock --
-- In the order in which a reader and DROP take them
LOCK TABLE ONLY {parent}, ONLY {partition} IN ACCESS EXCLUSIVE MODE;

-- not_noted --
-- Whether a partition has numbers beyond what was noted
SELECT EXISTS (
  SELECT FROM memory.sources s CROSS JOIN LATERAL (
    SELECT FROM {partition} m WHERE m.source_no = s.source_no AND m.seq > s.dropped_seq LIMIT 1) late);

-- drop --
DROP TABLE IF EXISTS {partition};

-- delete_events --
-- From a catch-all, a bounded number at a time
WITH gone AS (
  DELETE FROM {partition}
  WHERE at < %(before)s AND ctid = ANY (ARRAY(
    SELECT ctid FROM {partition} WHERE at < %(before)s LIMIT %(rows)s))
  RETURNING source_no, seq
), noted AS (
  UPDATE memory.sources s SET dropped_seq = n.seq
  FROM (SELECT source_no, max(seq) AS seq FROM gone GROUP BY source_no) n
  WHERE s.source_no = n.source_no AND s.dropped_seq < n.seq
)
SELECT count(*) FROM gone;

-- delete_readings --
-- The same, of what is in the rollups
WITH gone AS (
  DELETE FROM {partition}
  WHERE at < %(before)s AND ctid = ANY (ARRAY(
    SELECT m.ctid FROM {partition} m
    WHERE m.at < %(before)s AND NOT EXISTS (
      SELECT FROM memory.sources s WHERE s.source_no = m.source_no AND s.rolled_seq < m.seq)
    LIMIT %(rows)s))
  RETURNING source_no, seq
), noted AS (
  UPDATE memory.sources s SET dropped_seq = n.seq
  FROM (SELECT source_no, max(seq) AS seq FROM gone GROUP BY source_no) n
  WHERE s.source_no = n.source_no AND s.dropped_seq < n.seq
)
SELECT count(*) FROM gone;

-- delete --
-- From a catch-all of rollups, a bounded number at a time
WITH gone AS (
  DELETE FROM {partition}
  WHERE at < %(before)s AND ctid = ANY (ARRAY(SELECT ctid FROM {partition} WHERE at < %(before)s LIMIT %(rows)s))
  RETURNING 1
)
SELECT count(*) FROM gone;

-- delete_poison --
-- A set-aside event has a number, and goes before its neighbours' day does
WITH gone AS (
  DELETE FROM memory.poison WHERE last_at < %(before)s RETURNING source_no, seq
)
UPDATE memory.sources s SET dropped_seq = n.seq
FROM (SELECT source_no, max(seq) AS seq FROM gone GROUP BY source_no) n
WHERE s.source_no = n.source_no AND s.dropped_seq < n.seq;

-- delete_pulses --
DELETE FROM memory.pulses WHERE at < %(before)s;

-- delete_verdicts --
-- By age, and all but the latest so many: nobody bounds what foreign detectors say but us
DELETE FROM memory.verdicts
WHERE at < %(before)s OR id <= (SELECT max(id) - %(most)s FROM memory.verdicts);

-- forget_sources --
-- Sources that nothing was heard of for long and that have no rows left; what they lost goes with them
WITH gone AS (
  DELETE FROM memory.sources s
  WHERE s.partition = ANY(%(partitions)s) AND s.last_stored_at < %(before)s
    AND NOT EXISTS (SELECT FROM memory.events e WHERE e.source_no = s.source_no)
    AND NOT EXISTS (SELECT FROM memory.metrics m WHERE m.source_no = s.source_no)
    AND NOT EXISTS (SELECT FROM memory.poison p WHERE p.source_no = s.source_no)
    AND NOT EXISTS (SELECT FROM truth.labels l WHERE l.source_no = s.source_no)
  RETURNING s.source_no, s.source, s.boot, s.committed_seq
), remembered AS (
  INSERT INTO memory.forgotten (source, boot, committed_seq) SELECT source, boot, committed_seq FROM gone
), with_them AS (
  DELETE FROM memory.gaps g USING gone WHERE g.source_no = gone.source_no
)
SELECT count(*) FROM gone;
