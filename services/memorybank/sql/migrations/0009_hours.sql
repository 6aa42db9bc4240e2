-- Rows of a large fleet, cut by the hour: where two days of them do not fit on the disk.

ALTER TABLE memory.partitioning DROP CONSTRAINT partitioning_span_check;
ALTER TABLE memory.partitioning ADD CONSTRAINT partitioning_span_check CHECK (span IN ('hour', 'day', 'month', 'year'));

-- How the time around `utc` is cut: as it is begun, whatever was decided for the time to come.
CREATE FUNCTION memory.span_around(parent text, utc timestamp) RETURNS text
LANGUAGE sql STABLE AS $body$
  SELECT CASE
    WHEN p.span = 'hour' AND to_regclass(format('memory.%I', day.name)) IS NOT NULL THEN 'day'
    WHEN p.span = 'day' AND EXISTS (
      SELECT FROM pg_class c
      WHERE c.relnamespace = 'memory'::regnamespace AND c.relname ~ ('^' || day.name || '[0-9]{2}$')) THEN 'hour'
    ELSE p.span END
  FROM memory.partitioning p CROSS JOIN LATERAL (SELECT p.parent || to_char(utc, '_YYYYMMDD') AS name) AS day
  WHERE p.parent = span_around.parent
$body$;
COMMENT ON FUNCTION memory.span_around IS 'Whether an hour, a day, a month or a year is one partition of a table around a time (UTC)';

CREATE FUNCTION memory.partition_name(parent text, span text, utc timestamp) RETURNS text
LANGUAGE sql IMMUTABLE AS $body$
  SELECT parent || to_char(utc, CASE span
    WHEN 'hour' THEN '_YYYYMMDDHH24' WHEN 'day' THEN '_YYYYMMDD' WHEN 'month' THEN '_YYYYMM' ELSE '_YYYY' END)
$body$;
COMMENT ON FUNCTION memory.partition_name IS 'The name of the partition in which a time (UTC) lies';

DROP FUNCTION memory.make_partition(text, date);
CREATE FUNCTION memory.make_partition(parent text, utc timestamp) RETURNS void
LANGUAGE plpgsql SET timezone TO 'UTC' AS $body$
DECLARE
  span text := memory.span_around(parent, utc);
  name text := memory.partition_name(parent, span, utc);
  from_at timestamptz;
  to_at timestamptz;
BEGIN
  IF to_regclass(format('memory.%I', name)) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format('LOCK TABLE ONLY memory.%I IN SHARE UPDATE EXCLUSIVE MODE', parent);
  -- Another may have made it, or cut it otherwise, while we waited.
  span := memory.span_around(parent, utc);
  name := memory.partition_name(parent, span, utc);
  IF to_regclass(format('memory.%I', name)) IS NOT NULL THEN
    RETURN;
  END IF;
  from_at := date_trunc(span, utc);
  to_at := from_at + ('1 ' || span)::interval;
  EXECUTE format(
    'CREATE TABLE memory.%I (LIKE memory.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) WITH (fillfactor = %s)',
    name, parent, (SELECT p.fillfactor FROM memory.partitioning p WHERE p.parent = make_partition.parent));
  -- Else another MemoryBank could put rows of that time into the catch-all after they were moved out of it.
  EXECUTE format('LOCK TABLE memory.%I IN ACCESS EXCLUSIVE MODE', parent || '_other');
  EXECUTE format(
    'WITH moved AS (DELETE FROM memory.%I WHERE at >= %L AND at < %L RETURNING *) INSERT INTO memory.%I SELECT * FROM moved',
    parent || '_other', from_at, to_at, name);
  EXECUTE format(
    'ALTER TABLE memory.%I ATTACH PARTITION memory.%I FOR VALUES FROM (%L) TO (%L)',
    parent, name, from_at, to_at);
END
$body$;
COMMENT ON FUNCTION memory.make_partition IS 'Make the partition in which a time (UTC) lies; safe to repeat';

-- Single rows and rollups over 10 s are cut by the day or by the hour from tomorrow on (UTC), and today where nothing is cut
-- yet: what is begun goes on as it is. What was made ahead for later and is empty goes.
CREATE FUNCTION memory.cut_by(wanted text) RETURNS void
LANGUAGE plpgsql SET timezone TO 'UTC' AS $body$
DECLARE
  tomorrow timestamptz := date_trunc('day', now()) + interval '1 day';
  ahead record;
  has_rows boolean;
BEGIN
  IF NOT EXISTS (SELECT FROM memory.partitioning p WHERE p.span IN ('day', 'hour') AND p.span <> wanted) THEN
    RETURN;
  END IF;
  IF wanted = 'day' THEN
    PERFORM memory.make_partition(p.parent, hour::timestamp)
    FROM memory.partitioning p, generate_series(date_trunc('hour', now()), tomorrow - interval '1 hour', '1 hour') hour
    WHERE p.span = 'hour' AND EXISTS (
      SELECT FROM memory.partitions q WHERE q.parent = p.parent AND q.span = 'hour' AND q.to_at > date_trunc('day', now()));
  END IF;
  FOR ahead IN
    SELECT p.parent, p.partition FROM memory.partitions p WHERE p.span IN ('hour', 'day') AND p.from_at >= tomorrow ORDER BY 1, 2
  LOOP
    EXECUTE format('LOCK TABLE ONLY memory.%I, ONLY memory.%I IN ACCESS EXCLUSIVE MODE', ahead.parent, ahead.partition);
    EXECUTE format('SELECT EXISTS (SELECT FROM memory.%I)', ahead.partition) INTO has_rows;
    IF NOT has_rows THEN
      EXECUTE format('DROP TABLE memory.%I', ahead.partition);
    END IF;
  END LOOP;
  UPDATE memory.partitioning SET span = wanted WHERE span IN ('day', 'hour');
END
$body$;
COMMENT ON FUNCTION memory.cut_by IS 'Cut single rows and rollups over 10 s by the day or by the hour, from tomorrow on (UTC)';

CREATE OR REPLACE VIEW memory.partitions AS
  SELECT p.parent, part.relname::text AS partition, cut.span, begin.utc AT TIME ZONE 'UTC' AS from_at,
         (begin.utc + ('1 ' || cut.span)::interval) AT TIME ZONE 'UTC' AS to_at, pg_total_relation_size(part.oid) AS bytes
  FROM memory.partitioning p
  JOIN pg_inherits i ON i.inhparent = to_regclass(format('memory.%I', p.parent))
  JOIN pg_class part ON part.oid = i.inhrelid
  -- By its parent's name: the planner may look at every table first, and pg_toast_156957 is no date.
  CROSS JOIN LATERAL (SELECT substring(part.relname FROM '^' || p.parent || '_([0-9]+)$') AS digits) AS named
  CROSS JOIN LATERAL (
    SELECT CASE length(named.digits) WHEN 10 THEN 'hour' WHEN 8 THEN 'day' WHEN 6 THEN 'month' ELSE 'year' END AS span
  ) AS cut
  CROSS JOIN LATERAL (
    SELECT to_date(left(named.digits, 8), left('YYYYMMDD', length(named.digits)))::timestamp
           + make_interval(hours => CASE cut.span WHEN 'hour' THEN right(named.digits, 2)::integer ELSE 0 END) AS utc
  ) AS begin
  WHERE length(named.digits) IN (4, 6, 8, 10);
