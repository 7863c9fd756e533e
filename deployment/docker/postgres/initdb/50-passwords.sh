#!/usr/bin/env bash
# The logins get the passwords they were given. The superuser keeps none: he comes by the socket.
set -euo pipefail
postroom-passwords
psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username postgres --dbname email_service \
  --command 'alter role postgres password null'
