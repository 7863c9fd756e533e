#!/usr/bin/env python3
"""Writes the configuration of Patroni for each node of a store that fails over by itself.

    ./generate.py --node one=10.0.0.1 --node two=10.0.0.2 --node three=10.0.0.3 --bin-dir /usr/lib/postgresql/17/bin

One file for each node, `patroni-NAME.yml`, with the same passwords in all of them, and `database-url`, which is what
POSTROOM_DATABASE_URL must be. Both are for their owner alone to read. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = """\
# Written by deployment/ha/generate.py for the node {name}.
scope: postroom
name: {name}

restapi:
  listen: {host}:{api_port}
  connect_address: {host}:{api_port}

etcd3:
  hosts: [{etcd}]

bootstrap:
  dcs:
    ttl: {ttl}
    loop_wait: {loop_wait}
    retry_timeout: {retry_timeout}
    # A primary whose server has crashed is replaced at once, rather than started again.
    primary_start_timeout: 0
    maximum_lag_on_failover: 1048576
    # What was acknowledged is on two nodes; should the last standby go, the primary waits for nobody (strict: it stops).
    synchronous_mode: {synchronous}
    synchronous_node_count: 1
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters:
        max_connections: 200
        max_worker_processes: 8
        max_wal_senders: 10
        max_replication_slots: 10
        wal_level: replica
        hot_standby: "on"
        shared_buffers: 256MB
        work_mem: 1310kB
        maintenance_work_mem: 64MB
        max_wal_size: 4GB
        # A node that stays away is given up before its log fills the disk.
        max_slot_wal_keep_size: 2GB
        wal_receiver_timeout: 20s
        checkpoint_completion_target: 0.9
        random_page_cost: 1.1
        default_statistics_target: 100
        jit: "off"
        autovacuum_vacuum_scale_factor: 0.1
        autovacuum_analyze_scale_factor: 0.05
        password_encryption: scram-sha-256
        shared_preload_libraries: {preload}
  initdb:
    - encoding: UTF8
    - data-checksums
    - locale: C.UTF-8
    - auth-local: scram-sha-256
    - auth-host: scram-sha-256

postgresql:
  listen: {host}:{port}
  connect_address: {host}:{port}
  data_dir: {data_root}/{name}/data
  bin_dir: {bin_dir}
  pgpass: {data_root}/{name}/pgpass
  authentication:
    superuser: {{username: postgres, password: {superuser}}}
    replication: {{username: patroni_replication, password: {replication}}}
    rewind: {{username: patroni_rewind, password: {rewind}}}
  parameters:
    unix_socket_directories: {data_root}/{name}
    unix_socket_permissions: "0700"
  pg_hba:
    - local all all scram-sha-256
{hba}
  # A node that cannot be rewound is copied anew.
  remove_data_directory_on_rewind_failure: true
  remove_data_directory_on_diverged_timelines: true

tags:
  nofailover: false
  noloadbalance: false
"""


@dataclass(frozen=True)
class Node:
    name: str
    host: str
    port: int
    api_port: int


def main() -> None:
    options = _options()
    nodes = [_node(each) for each in options.node]
    if len(nodes) < 2 or len({each.name for each in nodes}) != len(nodes):
        raise SystemExit("Name two nodes or more, each by another name; three let etcd outlive one of them.")
    options.out.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = {name: secrets.token_urlsafe(24) for name in ("superuser", "replication", "rewind")}
    hosts = sorted({each.host for each in nodes} | set(options.client or []))
    hba = "\n".join(
        f"    - host {what} all {host}/32 scram-sha-256" for host in hosts for what in ("all", "replication")
    )
    for node in nodes:
        text = TEMPLATE.format(
            name=node.name,
            host=node.host,
            port=node.port,
            api_port=node.api_port,
            etcd=", ".join(options.etcd or [f"{each.host}:2379" for each in nodes]),
            ttl=options.ttl,
            # Patroni asks for ttl >= loop_wait + 2 * retry_timeout.
            loop_wait=max(1, options.ttl // 10),
            retry_timeout=max(3, options.ttl // 3),
            synchronous="false" if options.asynchronous else "true",
            preload=options.preload,
            data_root=options.data_root,
            bin_dir=options.bin_dir,
            hba=hba,
            **words,
        )
        _write(options.out / f"patroni-{node.name}.yml", text)
    where = ",".join(f"{each.host}:{each.port}" for each in nodes)
    url = f"postgresql://postgres:{words['superuser']}@{where}/email_service?target_session_attrs=primary"
    _write(options.out / "database-url", url + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--node", action="append", required=True, metavar="NAME=HOST[:PORT[:API_PORT]]", help="5432 and 8008")
    add("--etcd", action="append", metavar="HOST:PORT", help="without it each node's port 2379")
    add("--client", action="append", metavar="HOST", help="where service and workers run, if on no node")
    add("--bin-dir", required=True, help="the folder of PostgreSQL's programs, the same on all nodes")
    add("--data-root", type=Path, default=Path("/var/lib/postroom-ha"), help="/var/lib/postroom-ha")
    add("--out", type=Path, default=Path(), help="where the files go")
    add("--ttl", type=int, default=20, help="seconds until a silent node is taken for dead: 20 or more")
    add("--preload", default="pg_stat_statements", help="shared_preload_libraries")
    add("--asynchronous", action="store_true", help="commits wait for no other node, and some can be lost")
    return parser.parse_args()


def _node(text: str) -> Node:
    name, _, where = text.partition("=")
    host, *ports = where.split(":")
    if not name.isidentifier() or not host:
        raise SystemExit(f"--node is {text!r}; write NAME=HOST, NAME=HOST:PORT or NAME=HOST:PORT:API_PORT.")
    numbers = [int(each) for each in ports] + [5432, 8008][len(ports) :]
    return Node(name=name, host=host, port=numbers[0], api_port=numbers[1])


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
