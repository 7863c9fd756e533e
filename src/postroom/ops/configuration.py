"""The server's settings: one file of ours, which the postgresql.conf that initdb makes includes."""

from __future__ import annotations

from pathlib import Path

from postroom.ops.binaries import Binaries

FILE = "postroom.conf"

_ALWAYS = {
    # Reached from this machine alone, and through the socket by the server's own user alone.
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "1310kB",
    "maintenance_work_mem": "64MB",
    "wal_buffers": "16MB",
    # Not the container's 1GB: kept for reuse, it would be most of what a small mailbox takes on a laptop.
    "min_wal_size": "80MB",
    "max_wal_size": "4GB",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "200",
    "default_statistics_target": "100",
    # The queries are short: compiling one costs more than it saves.
    "jit": "off",
    # At a million messages the default of a fifth would leave 200,000 changed rows unseen by the planner.
    "autovacuum_vacuum_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.05",
    "lc_messages": "C",
    "cluster_name": "postroom",
}


def configuration(binaries: Binaries, *, port: int, sockets: Path) -> str:
    """The text of our file, for a server built like this one."""
    zone = "UTC" if binaries.has_zones else "GMT"  # the one zone that needs no file
    values = {**_ALWAYS, "port": str(port), "unix_socket_directories": f'"{sockets}"'}
    values |= {"timezone": zone, "log_timezone": zone}
    if binaries.has_lz4:
        values |= {"default_toast_compression": "lz4", "wal_compression": "lz4"}
    if binaries.has_statistics:
        values["shared_preload_libraries"] = "pg_stat_statements"
        # Among the statements that are no queries is the one that sets a password.
        values["pg_stat_statements.track_utility"] = "off"
    lines = [f"{name} = '{_quoted(value)}'" for name, value in values.items()]
    return "\n".join(
        ["# Written anew at every start by Postroom. Put your own settings into extra.conf.", *lines, _MORE]
    )


TUNED = "tuned.conf"
"""What `postroom tune` has chosen for the machine."""

BACKUP = "backup.conf"
"""What `postroom backup enable` has written: where the log is archived."""

EXTRA = "extra.conf"
"""What somebody has written by hand."""

STANDBY = "standby.conf"
"""What `postroom standby` has written: whom the server follows, and who follows it. It comes last."""

_MORE = "".join(f"include_if_exists = '{name}'\n" for name in (TUNED, BACKUP, EXTRA, STANDBY))


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def include_ours(data: Path) -> None:
    """Let the postgresql.conf of a new data folder read our file last, so that it wins."""
    with (data / "postgresql.conf").open("a") as file:
        file.write(f"\ninclude_if_exists = '{FILE}'\n")


def initdb_options(binaries: Binaries) -> list[str]:
    """Checksums, passwords everywhere, and a locale that sorts the same on every machine."""
    options = ["--username=postgres", "--encoding=UTF8", "--data-checksums"]
    options += ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]
    if binaries.major >= 17:
        return [*options, "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8"]
    return [*options, "--locale-provider=libc", "--locale=C.UTF-8"]
