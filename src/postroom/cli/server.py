"""up, down, status, url, psql: the store itself."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from postroom.cli.frame import JsonOption, app, chosen, print_json, run, say, store
from postroom.errors import Interrupted, UsageError
from postroom.model import Account, Ledger

_TOLD_FOR_MS = 7 * 24 * 60 * 60 * 1000
"""So long `status` tells of a folder that is gone."""


@app.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it is ready, and leave it running.")
    ] = False,
) -> None:
    """Start PostgreSQL and bring the schema up to date. Stays until Ctrl-C.

    Example:  postroom up --detach
    """
    from postroom.ops.provision import open_site

    site = open_site(chosen(), tell=say, renew_passwords=True)
    where = site.url("postgres").rpartition("@")[2]
    try:
        say(f'Ready: {where}. Connect with: psql "$(postroom url --role email_service)"')
        if detach:
            return
        if chosen().database_url is not None:
            say("That server is not ours to keep: nothing to wait for.")
            return
        while True:
            time.sleep(3600)
    except Interrupted:
        _stop()


@app.command()
def down() -> None:
    """Stop the embedded server. The mail stays where it is.

    Example:  postroom down
    """
    if chosen().database_url is not None:
        raise UsageError(reason="POSTROOM_DATABASE_URL names a server that is not ours to stop.")
    _stop()


def _stop() -> None:
    from postroom.ops.cluster import Cluster

    Cluster(chosen().home, postgres_bin=chosen().postgres_bin, port=chosen().port).stop()
    say("Stopped.")


@app.command()
def url(
    role: Annotated[
        str,
        typer.Option(
            "--role",
            "-r",
            help="email_service, email_worker, email_owner, email_readonly, email_backup, email_monitor, "
            "email_replication or postgres.",
        ),
    ] = "email_service",
) -> None:
    """Print a connection URL for psql and drivers. It holds the password.

    Example:  psql "$(postroom url --role email_service)"
    """
    from postroom.ops.provision import open_site

    typer.echo(open_site(chosen(), tell=say).url(role))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(
    context: typer.Context,
    role: Annotated[str, typer.Option("--role", "-r", help="The login to use.")] = "email_service",
) -> None:
    """Open psql on the store. What stands behind -- goes to psql.

    Example:  postroom psql -- -c '\\dt email_*'
    """
    from postroom.ops.cluster import Cluster
    from postroom.ops.provision import open_site

    site = open_site(chosen(), tell=say)
    program = str(Cluster(chosen().home, postgres_bin=chosen().postgres_bin).psql())
    os.execve(program, [program, *context.args], os.environ | site.environment(role))


@app.command()
def status(as_json: JsonOption = False) -> None:
    """What the store holds, tenant by tenant, and what is in trouble.

    Example:  postroom status
    """
    found = run(_status())
    if as_json:
        print_json(found)
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"PostgreSQL {found['server']} · schema {found['schema']} · {found['where']}")
    troubled = [
        each for each in ("pending", "quarantined", "gone") if any(row[each] for row in found["accounts"])
    ]
    counted = ("stored", *troubled)
    columns = ("tenant", "account", "state", *counted, "size", "last sync")
    table = Table(box=None, header_style="bold")
    for column in columns:
        # On a narrow terminal the rest gives way: which account it is, and how it is, can always be read.
        names = [len(row[column]) for row in found["accounts"]] if column in ("tenant", "account") else []
        justify: Literal["left", "right"] = "right" if column in (*counted, "size") else "left"
        table.add_column(column, justify=justify, min_width=max(names, default=None))
    for row in found["accounts"]:
        table.add_row(
            row["tenant"],
            row["account"],
            row["state"],
            *(f"{row[name]:,}" for name in counted),
            readable_size(row["size_bytes"]),
            _ago(row["last_sync_at"]),
            style=None if row["state"] in ("ok", "syncing") else "yellow",
        )
    console.print(table if found["accounts"] else "No accounts yet: postroom tenant create acme")
    for trouble in found["quarantine"]:
        console.print(f"quarantine: {trouble['origin']}: {trouble['reason']}", style="yellow")


async def _status() -> dict[str, Any]:
    from postroom.ops.provision import open_site
    from postroom.store import accounts, folders, messages, quarantine, system
    from postroom.store.migrate import schema_version

    site = open_site(chosen(), tell=say)
    rows: list[dict[str, Any]] = []
    troubles: list[dict[str, Any]] = []
    async with store("email_worker") as db:
        async with db.system() as tx:
            tenants = await system.tenants(tx)
            version = await system.server_version(tx)
        for tenant in tenants:
            async with db.tenant(tenant.id, in_any_state=True) as tx:
                await accounts.end_lost_syncs(tx)
                troubles += await quarantine.open_troubles(tx)
                for account in await accounts.all_accounts(tx):
                    count, size = await messages.count_of(tx, account.id)
                    ledger = await folders.ledger(tx, account.id)
                    rows.append(
                        {
                            "tenant": tenant.name,
                            "account": account.email_address,
                            "messages": count,
                            "stored": sum(each.stored for each in ledger),
                            "purged": sum(each.purged for each in ledger),
                            "pending": sum(each.pending for each in ledger),
                            "quarantined": sum(each.quarantined for each in ledger),
                            "gone": sum(each.gone for each in ledger),
                            "size_bytes": size,
                            "last_sync_at": account.last_sync_at,
                            "state": "syncing"
                            if account.is_syncing
                            else account.last_error or _of_ledger(ledger, tenant.name, account) or "ok",
                        }
                    )
    return {
        "server": version,
        "schema": schema_version(site.url("postgres")),
        "where": site.url("postgres").rpartition("@")[2],
        "accounts": rows,
        "quarantine": troubles,
    }


def _of_ledger(ledger: Sequence[Ledger], tenant: str, account: Account) -> str | None:
    """What the account of every UID has to tell, in one sentence."""
    unaccounted = [each for each in ledger if each.unaccounted]
    if unaccounted:
        where = ", ".join(each.name for each in unaccounted[:3]) + (", …" if len(unaccounted) > 3 else "")
        return (
            f"{where} is not what the server listed: postroom verify -t {tenant} -a {account.email_address}"
        )
    told_until = time.time() * 1000 - _TOLD_FOR_MS
    gone = [each for each in ledger if each.deleted_at is not None and each.deleted_at > told_until]
    if gone:
        return "; ".join(
            f"folder {each.name} gone from the server since {_ago(each.deleted_at)}, {each.gone:,} messages"
            for each in gone[-3:]
        )
    return None


def _ago(at_ms: int | None) -> str:
    return "" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def readable_size(size_bytes: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} GB"
