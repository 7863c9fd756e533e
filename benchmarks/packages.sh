#!/usr/bin/env bash
# The programs that ours is compared with. Where they cannot be installed, their lines are left out.
set -u
missing=""
for pair in mbsync:isync mu:maildir-utils notmuch:notmuch offlineimap:offlineimap3; do
  command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing to compare with:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "Not installed, and not compared with:$missing"
