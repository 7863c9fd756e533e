#!/usr/bin/env bash
# Debian packages that the tests want. Installed when that is possible; else the suites that need them say so and skip.
set -u
# smtp-sink is Postfix's own test server. Its package is unpacked, not installed: no mail daemon starts here.
sink=/var/cache/postroom-tests/postfix
if [ "$(id -u)" = 0 ] && [ ! -x "$sink/usr/sbin/smtp-sink" ] && command -v apt-get >/dev/null; then
  mkdir -p "$sink" && (cd "$sink" && { apt-get download -qq postfix || { apt-get update -qq; apt-get download -qq postfix; }; } \
    && dpkg -x postfix_*.deb . && rm -f postfix_*.deb) >/dev/null 2>&1
fi
# etcd is unpacked likewise: none starts here.
etcd=/var/cache/postroom-tests/etcd
if [ "$(id -u)" = 0 ] && [ ! -x "$etcd/usr/bin/etcd" ] && ! command -v etcd >/dev/null && command -v apt-get >/dev/null; then
  mkdir -p "$etcd" && (cd "$etcd" && { apt-get download -qq etcd-server || { apt-get update -qq; apt-get download -qq etcd-server; }; } \
    && dpkg -x etcd-server_*.deb . && rm -f etcd-server_*.deb) >/dev/null 2>&1 \
    || echo "There is no etcd: the test of failover by Patroni (tests/ops/test_patroni.py) is skipped."
fi
# Containers: podman and what builds for it, and stand-ins for the images that only a registry has.
containers() {
  local missing="" pair
  for pair in podman:podman buildah:buildah runc:runc mmdebstrap:mmdebstrap /usr/lib/podman/netavark:netavark \
    /usr/lib/podman/aardvark-dns:aardvark-dns iptables:iptables; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
  done
  if [ -n "$missing" ]; then
    echo "Installing for the tests of the containers:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null || return
  fi
  bash "$(dirname "$0")/containers/bases.sh"
}
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || ! command -v npm >/dev/null || ! containers; then
  echo "Containers cannot be built and run here (that takes root, Debian's podman, and npm): tests/containers is skipped."
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
