#!/usr/bin/env bash
# A fresh schema is that of the newest migration: the ledger says so of each of them.
set -euo pipefail
while read -r version name checksum; do
  psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -v version="$version" -v name="$name" -v checksum="$checksum" \
    --username postgres --dbname email_service <<'SQL'
insert into public.email_schema_migrations (version, name, checksum) values (:version, :'name', :'checksum');
SQL
done < /usr/local/share/postroom/ledger
psql --no-psqlrc --quiet --username postgres --dbname email_service --command 'analyze'
