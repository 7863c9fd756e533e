#!/usr/bin/env bash
# Last of all: the database is whole. Until here, a start that is cut short is begun anew (postroom-database).
set -euo pipefail
sync
rm /var/lib/postgresql/data/postroom.making
