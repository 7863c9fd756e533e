#!/usr/bin/env bash
# Stands in for the entrypoint of the official image postgres:16, which cannot be had without a registry. It keeps what
# that one documents: POSTGRES_* and *_FILE, initdb in an empty data folder, a temporary server on the socket alone,
# /docker-entrypoint-initdb.d in the order of the names, then the real server, as the user postgres.
set -Eeo pipefail

for name in POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS; do
  file=${name}_FILE
  [ -z "${!name:-}" ] || [ -z "${!file:-}" ] || { echo "error: both $name and $file are set (but are exclusive)" >&2; exit 1; }
  [ -z "${!file:-}" ] || export "$name"="$(< "${!file}")"
  unset "$file"
done
export POSTGRES_USER=${POSTGRES_USER:-postgres}
export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
[ "${1:0:1}" != - ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA"
  find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
  exec gosu postgres "$0" "$@"
fi
[ ! -s "$PGDATA/PG_VERSION" ] || exec "$@"

[ -n "$POSTGRES_PASSWORD" ] || { echo "Error: superuser password is not specified." >&2; exit 1; }
eval "initdb --username='$POSTGRES_USER' --pwfile=<(printf '%s\n' '$POSTGRES_PASSWORD') $POSTGRES_INITDB_ARGS"
echo "host all all all $(postgres -C password_encryption "${@:2}")" >> "$PGDATA/pg_hba.conf"
pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${@:2}" -c listen_addresses= -p 5432)" -w start
run() { psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc "$@"; }
run --dbname postgres --command "create database \"$POSTGRES_DB\""
for each in /docker-entrypoint-initdb.d/*; do
  echo "$0: running $each"
  case $each in
    *.sh) if [ -x "$each" ]; then "$each"; else . "$each"; fi ;;
    *.sql) run --dbname "$POSTGRES_DB" --file "$each" ;;
    *) echo "$0: ignoring $each" ;;
  esac
done
pg_ctl -D "$PGDATA" -m fast -w stop
echo "PostgreSQL init process complete; ready for start up."
exec "$@"
