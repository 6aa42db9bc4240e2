-- Run by the postgres image on the first start of an empty volume, connected to the bench's database as superuser.
-- After changing a role's password in .env, once more:
--   docker compose up -d postgres
--   docker compose exec postgres psql -U postgres -d chargebench -f /docker-entrypoint-initdb.d/10-roles.sql

\set ON_ERROR_STOP on
\getenv writer MEMORYBANK_WRITER_PASSWORD
\getenv reader MEMORYBANK_READER_PASSWORD
\getenv grafana GRAFANA_READER_PASSWORD
\o /dev/null
SELECT set_config('chargebench.memorybank_writer_password', :'writer', false),
       set_config('chargebench.memorybank_reader_password', :'reader', false),
       set_config('chargebench.grafana_reader_password', :'grafana', false);
\o
\i /chargebench/roles.sql
