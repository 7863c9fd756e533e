#!/usr/bin/env bash
# The main job in a minute: a server, a tenant, a mailbox, a search. Everything lies below one folder.
set -euo pipefail
postroom=${POSTROOM:-postroom}
say() { printf '\n$ postroom %s\n' "$*"; }
run() { say "$@"; "$postroom" "$@"; }
letters=$(mktemp -d)
trap 'rm -rf "$letters"' EXIT

run up --detach
"$postroom" tenant list | grep -q '^demo ' || run tenant create demo
run sample "$letters/mailbox"
run import --tenant demo --account alex@postroom.example "$letters/mailbox"
run search --tenant demo --limit 3 'from:alice invoice has:attachment after:2025-01-01'
run search --tenant demo --limit 2 'ärger'
run search --tenant demo --limit 2 '会議'
run status
printf '\nThe server goes on running. Stop it with: uv run postroom down\n'
