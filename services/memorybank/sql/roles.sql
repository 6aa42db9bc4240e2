-- The roles of the MemoryBank and what each may do. Run by a superuser connected to the bench's database, as
-- often as you like, after the passwords were put into the session:
--   SELECT set_config('chargebench.memorybank_writer_password', '…', false);
--   SELECT set_config('chargebench.memorybank_reader_password', '…', false);
--   SELECT set_config('chargebench.grafana_reader_password', '…', false);
-- A missing one stops the script with its name. Tables and views come later, by the migrations, which run as
-- memorybank_writer; what the readers may see of them is settled here, by default privileges.

DO $roles$
DECLARE
  role_name text;
  password text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['memorybank_writer', 'memorybank_reader', 'grafana_reader'] LOOP
    password := current_setting('chargebench.' || role_name || '_password');
    IF password = '' THEN
      RAISE EXCEPTION 'chargebench.%_password is empty', role_name;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I', role_name);
    END IF;
    EXECUTE format(
      'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %L',
      role_name, password);
    EXECUTE format('ALTER ROLE %I SET timezone TO ''UTC''', role_name);
    EXECUTE format('ALTER ROLE %I SET search_path TO pg_catalog', role_name);
  END LOOP;

  -- Nobody enters this database who is not named, and only the writer makes temporary tables (its staging).
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format(
    'GRANT CONNECT ON DATABASE %I TO memorybank_writer, memorybank_reader, grafana_reader',
    current_database());
  EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO memorybank_writer', current_database());

  -- A courtesy, since a session can lift it: no forgotten query holds the server, no reader writes by mistake.
  FOREACH role_name IN ARRAY ARRAY['memorybank_reader', 'grafana_reader'] LOOP
    EXECUTE format('ALTER ROLE %I SET statement_timeout TO ''15s''', role_name);
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout TO ''5min''', role_name);
    EXECUTE format('ALTER ROLE %I SET default_transaction_read_only TO on', role_name);
  END LOOP;
END
$roles$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS memory AUTHORIZATION memorybank_writer;
CREATE SCHEMA IF NOT EXISTS truth AUTHORIZATION memorybank_writer;
CREATE SCHEMA IF NOT EXISTS dash AUTHORIZATION memorybank_writer;

COMMENT ON SCHEMA memory IS 'What the MemoryBank remembers; written by memorybank_writer only';
COMMENT ON SCHEMA truth IS 'Ground truth of the scenarios; no detector and no reader may see it';
COMMENT ON SCHEMA dash IS 'The views that dashboards query; a contract of its own';

GRANT USAGE ON SCHEMA memory, dash TO memorybank_reader;
GRANT USAGE ON SCHEMA dash TO grafana_reader;

ALTER DEFAULT PRIVILEGES FOR ROLE memorybank_writer IN SCHEMA memory
  GRANT SELECT ON TABLES TO memorybank_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE memorybank_writer IN SCHEMA dash
  GRANT SELECT ON TABLES TO memorybank_reader, grafana_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE memorybank_writer REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- What PostgreSQL lets everybody do and these readers may not: see by counters and locks when the truth is told, keep
-- large objects, write into the log, hold the locks by which one MemoryBank knows of another.
DO $kept$
DECLARE
  kept record;
BEGIN
  FOR kept IN
    SELECT oid::regprocedure AS routine,
           CASE WHEN proname ~ '_size$' THEN 'memorybank_writer, memorybank_reader' ELSE 'memorybank_writer' END AS users
    FROM pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace AND (
      (proname ~ '^pg_stat_get_' AND proname !~ '^pg_stat_get_(db|subscription)' AND oidvectortypes(proargtypes) = 'oid')
      OR proname ~ '^(pg_(relation|table|indexes|total_relation)_size|pg_lock_status|pg_logical_emit_message)$'
      OR proname ~ '^(pg_(try_)?advisory_|lo_)' OR proname IN ('loread', 'lowrite'))
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', kept.routine);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', kept.routine, kept.users);
  END LOOP;
END
$kept$;
