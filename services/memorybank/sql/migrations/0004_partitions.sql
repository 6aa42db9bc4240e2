-- Two MemoryBanks that want the same partition: the second waits on the table itself. With an advisory lock it saw the
-- catalogue as it was before it waited, and failed on the table that the first had made meanwhile.
CREATE OR REPLACE FUNCTION memory.make_partition(parent text, day date) RETURNS void
LANGUAGE plpgsql SET timezone TO 'UTC' AS $body$
DECLARE
  cut memory.partitioning := (SELECT p FROM memory.partitioning p WHERE p.parent = make_partition.parent);
  from_at timestamptz := date_trunc(cut.span, day::timestamptz);
  to_at timestamptz := from_at + ('1 ' || cut.span)::interval;
  name text := parent || to_char(from_at, CASE cut.span WHEN 'day' THEN '_YYYYMMDD' WHEN 'month' THEN '_YYYYMM' ELSE '_YYYY' END);
BEGIN
  IF to_regclass(format('memory.%I', name)) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format('LOCK TABLE ONLY memory.%I IN SHARE UPDATE EXCLUSIVE MODE', parent);
  IF to_regclass(format('memory.%I', name)) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format(
    'CREATE TABLE memory.%I (LIKE memory.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) WITH (fillfactor = %s)',
    name, parent, cut.fillfactor);
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
