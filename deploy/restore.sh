#!/usr/bin/env bash
# Put what a backup holds in the place of this stack's memory:
#   deploy/restore.sh memory.backup
# MemoryBank and Grafana stop meanwhile; events wait with those that send them. The old memory stays until the new one
# is whole. For a stack under another name or with other files, set COMPOSE_PROJECT_NAME, COMPOSE_FILE,
# COMPOSE_ENV_FILES.
set -euo pipefail

fail() {
  echo "restore: $*" >&2
  exit 2
}

postgres() { docker compose exec -T postgres "$@"; }
# Runs what is on its standard input as superuser in a database.
sql() { postgres psql -U postgres -d "$1" -v ON_ERROR_STOP=1 --no-psqlrc --quiet >/dev/null; }

drop_leftovers() {
  sql postgres <<<"
    SET client_min_messages TO warning;
    DROP DATABASE IF EXISTS chargebench_restored WITH (FORCE);
    DROP DATABASE IF EXISTS chargebench_replaced WITH (FORCE);"
}

(($# == 1)) || fail "which file? Example: deploy/restore.sh memory.backup"
[[ -f $1 && -r $1 ]] || fail "$1 cannot be read"
case $1 in /*) file=$1 ;; *) file=$PWD/$1 ;; esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."

running=$(docker compose ps --services --status running)
read -ra users <<<"$(grep -xE 'memorybank|grafana' <<<"$running" | tr '\n' ' ' || true)"
finish() {
  drop_leftovers 2>/dev/null || true
  if ((${#users[@]})); then docker compose --progress quiet start "${users[@]}"; fi
  grep -qx postgres <<<"$running" || docker compose --progress quiet stop postgres
}
trap finish EXIT
docker compose --progress quiet up --detach --wait --no-recreate postgres

contents=$(postgres pg_restore --list <"$file") || fail "$1 is no backup that this PostgreSQL can read"
[[ $contents == *" memory schema_migrations "* ]] || fail "$1 is no backup of a memory"

if ((${#users[@]})); then docker compose --progress quiet stop "${users[@]}"; fi
drop_leftovers
sql postgres <<<"CREATE DATABASE chargebench_restored"
# Not by roles.sql yet: its default privileges would give readers what the backup does not take back.
sql chargebench_restored <<<"
  CREATE SCHEMA memory AUTHORIZATION memorybank_writer;
  CREATE SCHEMA truth AUTHORIZATION memorybank_writer;
  CREATE SCHEMA dash AUTHORIZATION memorybank_writer;"
# As memorybank_writer: what stands in somebody else's file never runs as the superuser.
postgres pg_restore --username=memorybank_writer --dbname=chargebench_restored --exit-on-error --no-owner \
  --schema=memory --schema=truth --schema=dash <"$file"
sql chargebench_restored <<<"\i /docker-entrypoint-initdb.d/10-roles.sql"

newest=$(find services/memorybank/sql/migrations -name '[0-9]*.sql' | sed 's:.*/0*::; s:_.*::' | sort -n | tail -n 1)
sql chargebench_restored <<<"
  DO \$\$ BEGIN
    IF (SELECT max(version) FROM memory.schema_migrations) > $newest THEN
      RAISE EXCEPTION 'the backup is of a newer ChargeBench';
    END IF;
  END \$\$;"
# Of what is partitioned, too: autovacuum never looks at it as a whole.
sql chargebench_restored <<<"ANALYZE"

# In one transaction: at every instant one of the two is the memory.
sql postgres <<<"
  BEGIN;
  SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname IN ('chargebench', 'chargebench_restored');
  ALTER DATABASE chargebench RENAME TO chargebench_replaced;
  ALTER DATABASE chargebench_restored RENAME TO chargebench;
  COMMIT;"
echo "restored from $1"
