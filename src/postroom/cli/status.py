"""status: what the store holds, what is being done, and what is in trouble."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from postroom.cli.frame import JsonOption, app, chosen, print_json, run, say, store
from postroom.cli.lengths import span
from postroom.cli.server import readable_size
from postroom.model import Account, Ledger

_TOLD_FOR_MS = 7 * 24 * 60 * 60 * 1000
"""So long `status` tells of a folder that is gone."""
_SILENT_MS = 15_000
"""Three beats of a worker."""
_CHANGES = {"changes_pending": "pending", "changes_refused": "refused"}
_MOST_LETTERS = 20
"""Of a state in the table."""
_BELOW = "see below"
_NOTHING = "No accounts yet: postroom tenant create acme"


@app.command()
def status(as_json: JsonOption = False) -> None:
    """What the store holds, tenant by tenant, which workers are there, and what is in trouble.

    Example:  postroom status
    """
    found = run(_status())
    if as_json:
        print_json(found)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"PostgreSQL {found['server']} · schema {found['schema']} · {found['where']}")
    console.print(_accounts(found["accounts"]) if found["accounts"] else _NOTHING)
    for row in found["accounts"]:
        if _is_long(row):
            console.print(escape(f"{row['tenant']}: {row['account']}: {_told(row)}"), style=_style(row))
    if found["jobs"]["servers"]:
        console.print(_jobs(found["jobs"], found["workers"]), style="bold")
    if found["workers"]:
        workers = Table("worker", "since", "syncing", "watching", "state", box=None, header_style="bold")
        for each in found["workers"]:
            workers.add_row(
                f"{each['host']}:{each['pid']}",
                _at(each["started_at"]),
                f"{each['running']} of {each['concurrency']}",
                f"{each['watching']:,}",
                each["state"],
            )
        console.print(workers)
    for each in found["webhooks"]:
        said = f"webhook {each['id']} of {each['tenant']} is {each['state']}: {each['error']}"
        console.print(escape(said), style="yellow")
    for trouble in found["quarantine"]:
        console.print(escape(f"quarantine: {trouble['origin']}: {trouble['reason']}"), style="yellow")


async def _status() -> dict[str, Any]:
    from postroom.ops.provision import open_site
    from postroom.store import (
        accounts,
        folders,
        intent_rows,
        jobs,
        messages,
        quarantine,
        system,
        webhooks,
        workers,
    )
    from postroom.store.migrate import schema_version

    site = open_site(chosen(), tell=say)
    rows: list[dict[str, Any]] = []
    troubles: list[dict[str, Any]] = []
    hooks: list[dict[str, Any]] = []
    async with store("email_worker") as db:
        async with db.system() as tx:
            tenants = await system.tenants(tx)
            version = await system.server_version(tx)
            there = await workers.all_workers(tx)
        for tenant in tenants:
            async with db.tenant(tenant.id, in_any_state=True) as tx:
                await accounts.end_lost_syncs(tx)
                troubles += await quarantine.open_troubles(tx)
                hooks += [
                    {
                        "tenant": tenant.name,
                        "id": str(row["id"]),
                        "state": state,
                        "since": row["disabled_at"] or row["failing_since"],
                        "error": row["disabled_reason"] or row["last_error"],
                    }
                    for row in await webhooks.all_of(tx)
                    if (state := webhooks.state_of(row)) in ("failing", "disabled")
                ]
                states = await jobs.of_tenant(tx)
                for account in await accounts.all_accounts(tx):
                    count, size = await messages.count_of(tx, account.id)
                    job = states.get(account.id)
                    ledger = await folders.ledger(tx, account.id)
                    changes = await intent_rows.counts(tx, account.id)
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
                            "changes_pending": changes.waiting,
                            "changes_refused": changes.refused,
                            "size_bytes": size,
                            "last_sync_at": account.last_sync_at,
                            "state": _state(account, ledger, tenant.name),
                            "has_server": account.hostname is not None,
                            "is_running": bool(job and job.is_running),
                            "is_watched": bool(job and job.is_watched),
                            "is_paused": not (account.is_enabled and account.is_sync_enabled),
                            "due_in_ms": job.due_in_ms if job else None,
                            "trouble": job.trouble if job else None,
                            "failures": job.failures if job else 0,
                            "done": job.done if job and job.is_running else None,
                            "expected": job.expected if job and job.is_running else None,
                            "left_ms": job.left_ms if job and job.is_running else None,
                        }
                    )
    return {
        "server": version,
        "schema": schema_version(site.url("postgres")),
        "where": site.url("postgres").rpartition("@")[2],
        "accounts": rows,
        "jobs": {
            "servers": sum(row["has_server"] for row in rows),
            "due": sum(_is_due(row) for row in rows),
            "running": sum(row["is_running"] for row in rows),
            "failing": sum(row["failures"] > 0 for row in rows),
            "watched": sum(row["is_watched"] for row in rows),
        },
        "workers": [
            {
                "id": str(each.id),
                "host": each.host,
                "pid": each.pid,
                "concurrency": each.concurrency,
                "running": each.running,
                "watching": each.watching,
                "started_at": each.started_at,
                "seen_at": each.seen_at,
                "state": _state_of_worker(each.silent_ms, is_stopping=each.is_stopping),
            }
            for each in there
        ],
        "webhooks": hooks,
        "quarantine": troubles,
    }


def _accounts(rows: list[dict[str, Any]]) -> Any:
    """On a narrow terminal the rest gives way: which account it is, and how it is, can always be read. What takes a
    sentence to tell stands below the table."""
    from rich.markup import escape
    from rich.table import Table

    troubled = [each for each in ("pending", "quarantined", "gone") if any(row[each] for row in rows)]
    counted = ("stored", *troubled)
    table = Table(box=None, header_style="bold")
    for column in ("tenant", "account", "state", *counted, "size", "last sync"):
        names = [len(row[column]) for row in rows] if column in ("tenant", "account") else []
        justify: Literal["left", "right"] = "right" if column in (*counted, "size") else "left"
        table.add_column(column, justify=justify, min_width=max(names, default=None))
    for row in rows:
        table.add_row(
            row["tenant"],
            row["account"],
            _BELOW if _is_long(row) else escape(_told(row)),
            *(f"{row[name]:,}" for name in counted),
            readable_size(row["size_bytes"]),
            _at(row["last_sync_at"]),
            style=_style(row),
        )
    return table


def _state(account: Account, ledger: Sequence[Ledger], tenant: str) -> str:
    if account.is_syncing:
        return "syncing"
    is_paused = not (account.is_enabled and account.is_sync_enabled)
    return account.last_error or _of_ledger(ledger, tenant, account) or ("paused" if is_paused else "ok")


def _of_ledger(ledger: Sequence[Ledger], tenant: str, account: Account) -> str | None:
    """What the account of every UID has to tell, in one sentence."""
    unaccounted = [each for each in ledger if each.unaccounted]
    if unaccounted:
        where = ", ".join(each.name for each in unaccounted[:3]) + (", …" if len(unaccounted) > 3 else "")
        return (
            f"{where} is not what the server listed: postroom verify -t {tenant} -a {account.email_address}"
        )
    told_until = time.time() * 1000 - _TOLD_FOR_MS
    gone = [
        each
        for each in ledger
        if each.is_followed and each.deleted_at is not None and each.deleted_at > told_until
    ]
    if gone:
        return "; ".join(
            f"folder {each.name} gone from the server since {_at(each.deleted_at)}, {each.gone:,} messages"
            for each in gone[-3:]
        )
    return None


def _is_due(row: dict[str, Any]) -> bool:
    return row["due_in_ms"] is not None and row["due_in_ms"] <= 0 and not row["is_running"]


def _state_of_worker(silent_ms: int, *, is_stopping: bool) -> str:
    if silent_ms > _SILENT_MS:
        return f"silent for {silent_ms // 1000} s"
    return "stopping" if is_stopping else "working"


def _jobs(found: dict[str, int], workers: list[Any]) -> str:
    counted = ", ".join(f"{found[name]:,} {name}" for name in ("due", "running", "failing", "watched"))
    nobody = "" if workers else "; no worker runs: postroom worker"
    return f"Accounts with a server: {found['servers']:,}, {counted}{nobody}"


def _style(row: dict[str, Any]) -> str | None:
    return None if row["state"] in ("ok", "syncing", "paused") else "yellow"


def _told(row: dict[str, Any]) -> str:
    return row["state"] + _more(row)


def _is_long(row: dict[str, Any]) -> bool:
    return len(_told(row)) > _MOST_LETTERS


def _more(row: dict[str, Any]) -> str:
    """Behind the state: how far, how long still, when again, and what its server does not know."""
    told = [f"{row[name]:,} changes {word}" for name, word in _CHANGES.items() if row[name]]
    return _how_far(row) + (f" ({', '.join(told)}: postroom pending -t {row['tenant']})" if told else "")


def _how_far(row: dict[str, Any]) -> str:
    if row["is_running"] and row["done"]:
        of = "" if row["expected"] is None else f" of {row['expected']:,}"
        left = "" if row["left_ms"] is None else f", {span(row['left_ms'])} left"
        return f", {row['done']:,}{of} messages{left}"
    if row["failures"] and row["due_in_ms"] is not None and not row["is_running"]:
        return f" Next try in {span(row['due_in_ms'])}."
    return ""


def _at(at_ms: int | None) -> str:
    return "" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
