#!/usr/bin/env bash
# Makes what production needs as files in ./secrets: a password for each login, the keys, a certificate authority and the
# certificate of the database and its pooler. What is there already is left as it is: give your own files by name.
set -euo pipefail
umask 077
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder" # only its owner may enter; whom a file is mounted for may read it
cd "$folder"

make() { # NAME COMMAND…
  [ -e "$1" ] && return
  "${@:2}" > "$1.new"
  mv "$1.new" "$1"
  echo "made $1"
}

for login in email_service email_worker email_owner email_readonly email_backup email_monitor email_replication; do
  make "$login" openssl rand -hex 24
done
make master_key openssl rand -base64 32
make backup_key openssl rand -base64 32

if [ ! -e ca.crt ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=Postroom database CA" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout ca.key -out ca.crt 2> /dev/null
  echo "made ca.crt and ca.key: keep ca.key away from this machine"
fi
if [ ! -e server.crt ]; then
  names="DNS:email-postgres,DNS:email-standby,DNS:email-pgbouncer,DNS:localhost,IP:127.0.0.1${TLS_NAMES:+,$TLS_NAMES}"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=email-postgres" \
    -keyout server.key -out server.csr 2> /dev/null
  openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -out server.crt \
    -extfile <(printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\n' "$names") 2> /dev/null
  rm -f server.csr
  echo "made server.crt and server.key, for $names"
fi
find . -maxdepth 1 -type f ! -name ca.key -exec chmod 0444 {} +
