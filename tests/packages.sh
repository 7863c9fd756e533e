#!/usr/bin/env bash
# Debian packages that the tests want. Installed when that is possible; else the suites that need them say so and skip.
set -u
# smtp-sink is Postfix's own test server. Its package is unpacked, not installed: no mail daemon starts here.
sink=/var/cache/postroom-tests/postfix
if [ "$(id -u)" = 0 ] && [ ! -x "$sink/usr/sbin/smtp-sink" ] && command -v apt-get >/dev/null; then
  mkdir -p "$sink" && (cd "$sink" && { apt-get download -qq postfix || { apt-get update -qq; apt-get download -qq postfix; }; } \
    && dpkg -x postfix_*.deb . && rm -f postfix_*.deb) >/dev/null 2>&1
fi
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
