#!/usr/bin/env bash
# Write the memory of this stack to a file, in pg_dump's own format; everything goes on meanwhile:
#   deploy/backup.sh memory.backup
# For a stack under another name or with other files, set COMPOSE_PROJECT_NAME, COMPOSE_FILE, COMPOSE_ENV_FILES.
set -euo pipefail

fail() {
  echo "backup: $*" >&2
  exit 2
}

postgres() { docker compose exec -T postgres "$@"; }

(($# == 1)) || fail "which file? Example: deploy/backup.sh memory.backup"
case $1 in /*) file=$1 ;; *) file=$PWD/$1 ;; esac
[[ ! -e $file ]] || fail "$1 is there already: name another file"
[[ -w $(dirname "$file") ]] || fail "no folder that can be written for $1"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

running=$(docker compose ps --services --status running)
finish() {
  rm -f "$file.unfinished"
  grep -qx postgres <<<"$running" || docker compose --progress quiet stop postgres
}
trap finish EXIT
docker compose --progress quiet up --detach --wait --no-recreate postgres

# As the owner of the three schemas, not as superuser: row-level security hides nothing from it.
umask 077
postgres pg_dump --username=memorybank_writer --dbname=chargebench --format=custom --compress=gzip:1 \
  --schema=memory --schema=truth --schema=dash </dev/null >"$file.unfinished"
# It gets its name when all of it was read back.
postgres pg_restore --file=/dev/null <"$file.unfinished"
mv "$file.unfinished" "$file"
echo "$1: $(($(wc -c <"$file") / 1000)) kB"
