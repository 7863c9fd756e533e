#!/usr/bin/env bash
# Debian packages that the tests want. Installed when that is possible; else the suites that need them say so and skip.
set -u
missing=""
for pair in /usr/sbin/dovecot:dovecot-imapd /usr/lib/dovecot/pop3:dovecot-pop3d /usr/sbin/pgbouncer:pgbouncer; do
  [ -x "${pair%%:*}" ] || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing for the tests:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "Not installed:$missing. The suites against a real IMAP server (tests/wire, tests/threads, tests/flow)
or a real pooler (tests/leaks) are skipped."
[ -z "${CI:-}" ]
