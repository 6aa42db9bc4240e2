#!/usr/bin/env bash
# The official image's contract: the variables POSTGRES_*, /docker-entrypoint-initdb.d on the
# first start only, root steps down to postgres, any other command is simply run.
# Example: docker-entrypoint.sh postgres -c max_connections=200
# Without -u, as in the official image: files in /docker-entrypoint-initdb.d may be sourced into this shell.
set -Eeo pipefail

setting_from_file() {
  local name=$1 file_name=$1_FILE
  if [[ -n ${!name:-} && -n ${!file_name:-} ]]; then
    echo "error: both $name and $file_name are set; only one may be" >&2
    exit 1
  fi
  if [[ -n ${!file_name:-} ]]; then printf -v "$name" '%s' "$(<"${!file_name}")"; fi
  export "$name=${!name:-${2:-}}"
  unset "$file_name"
}

# Official name: sourced files may call it.
docker_process_sql() {
  local database=()
  if [[ -n $POSTGRES_DB ]]; then database=(--dbname "$POSTGRES_DB"); fi
  PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password \
    --username "$POSTGRES_USER" "${database[@]}" "$@"
}

create_cluster() {
  local args=()
  if [[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]]; then
    echo "Error: Database is uninitialized and superuser password is not specified." >&2
    echo "       Set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust to allow everyone in." >&2
    exit 1
  fi
  if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then args+=(--waldir "$POSTGRES_INITDB_WALDIR"); fi
  # Quoted by the user as on a command line, hence the eval.
  eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") "${args[@]}" '"$POSTGRES_INITDB_ARGS"
  local method=$POSTGRES_HOST_AUTH_METHOD
  if [[ -z $method ]]; then method=$(postgres -C password_encryption); fi
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

run_init_files() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh)
        if [[ -x $file ]]; then
          echo "$0: running $file"
          "$file"
        else
          echo "$0: sourcing $file"
          # shellcheck disable=SC1090
          source "$file"
        fi
        ;;
      *.sql) echo "$0: running $file"; docker_process_sql -f "$file" ;;
      *.sql.gz) echo "$0: running $file"; gunzip -c "$file" | docker_process_sql ;;
      *.sql.xz) echo "$0: running $file"; xzcat "$file" | docker_process_sql ;;
      *.sql.zst) echo "$0: running $file"; zstd -dc "$file" | docker_process_sql ;;
      */\*) ;;
      *) echo "$0: ignoring $file" ;;
    esac
  done
}

if [[ ${1:--} == -* ]]; then set -- postgres "$@"; fi
wants_help=no
for argument; do
  case $argument in -\? | --help | --describe-config | -V | --version) wants_help=yes ;; esac
done
if [[ $1 != postgres || $wants_help == yes ]]; then exec "$@"; fi

mkdir -p "$PGDATA" /run/postgresql 2>/dev/null || true
chmod 700 "$PGDATA" 2>/dev/null || true
chmod 3775 /run/postgresql 2>/dev/null || true
if ((EUID == 0)); then
  find "$PGDATA" /run/postgresql ! -user postgres -exec chown postgres '{}' +
  exec gosu postgres "$0" "$@"
fi

if [[ -s $PGDATA/PG_VERSION ]]; then
  echo
  echo "PostgreSQL Database directory appears to contain a database; Skipping initialization"
  echo
else
  setting_from_file POSTGRES_PASSWORD
  setting_from_file POSTGRES_USER postgres
  setting_from_file POSTGRES_DB "$POSTGRES_USER"
  setting_from_file POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
  # A missing permission must not look like an empty folder.
  ls /docker-entrypoint-initdb.d/ >/dev/null
  create_cluster
  # Only the socket is open meanwhile, so that no client sees a half-made database.
  export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
  pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${@:2}" -c listen_addresses= -p "${PGPORT:-5432}")" -w start
  if [[ $POSTGRES_DB != postgres ]]; then
    echo 'CREATE DATABASE :"db"' | docker_process_sql --dbname postgres --set db="$POSTGRES_DB"
  fi
  run_init_files
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD
  echo
  echo "PostgreSQL init process complete; ready for start up."
  echo
fi
exec "$@"
