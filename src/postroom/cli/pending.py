"""pending: what was changed here and a server is yet to be told, or would not do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from postroom.cli.frame import JsonOption, TenantOption, app, print_json, run, store, tenant_id
from postroom.cli.lengths import span
from postroom.errors import NotFound, UsageError
from postroom.ids import now_ms, time_of


@app.command()
def pending(
    tenant: TenantOption,
    account: Annotated[
        str | None, typer.Option("--account", "-a", help="Without it: all of the tenant.", metavar="EMAIL")
    ] = None,
    retry: Annotated[
        list[str] | None, typer.Option("--retry", help="Want this refused change again.", metavar="ID")
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", help="Undo this change, or forget that it was refused.", metavar="ID"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What was changed here and its server is yet to be told, and what it refused.

    Example:  postroom pending -t acme
    Example:  postroom pending -t acme --retry 019b-22 --drop 019b-23
    """
    rows = run(_pending(tenant, account, retry or [], drop or []))
    if as_json:
        print_json({"items": rows})
        return
    for row in rows:
        tries = f", tried {row['attempts']} times" if row["attempts"] > 1 else ""
        since = datetime.fromisoformat(row["created_at"]).timestamp() * 1000
        typer.echo(f"{row['state']:8}  {span(now_ms() - int(since)):>6}  {_what(row)}{tries}")
        if row["last_error"]:
            typer.echo(f"                  {row['last_error']}")
        typer.echo(f"                  {row['id']}  {row['account']}")
    if not rows:
        typer.echo("Nothing is pending: the servers know all.")


async def _pending(tenant: str, email: str | None, retry: list[str], drop: list[str]) -> list[dict[str, Any]]:
    from postroom.store import accounts

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        found = [await accounts.by_email(tx, email)] if email else await accounts.all_accounts(tx)
        for each in retry:
            await _again(tx, await _resolved(tx, found, each))
        for each in drop:
            await _drop(tx, await _resolved(tx, found, each))
        return [row for account in found for row in await _rows(tx, account)]


async def _rows(tx: Any, account: Any) -> list[dict[str, Any]]:
    from postroom.store import intent_rows

    return [
        shown(intent)
        | {
            "account": account.email_address,
            "subject": row["subject"],
            "folder": row["folder"],
            "to_folder": row["to_folder"],
        }
        for intent, row in await intent_rows.of_account(tx, account.id)
    ]


def shown(intent: Any) -> dict[str, Any]:
    """An intent as JSON shows it."""
    return {
        "id": str(intent.id),
        "kind": intent.kind,
        "purpose": intent.purpose,
        "state": intent.state,
        "message_id": intent.message_id and str(intent.message_id),
        "draft_id": intent.draft_id and str(intent.draft_id),
        "folder_id": str(intent.folder_id),
        "to_folder_id": intent.to_folder_id and str(intent.to_folder_id),
        "added": sorted(intent.added),
        "removed": sorted(intent.removed),
        "name": intent.name,
        "attempts": intent.attempts,
        "last_error": intent.last_error,
        "created_at": time_of(intent.created_at),
    }


async def _again(tx: Any, intent: Any) -> None:
    from postroom.store import intents, jobs

    if intent.state == "refused":
        await intents.again(tx, intent)
    else:
        await jobs.wake(tx, intent.account_id)


async def _drop(tx: Any, intent: Any) -> None:
    from postroom.store import intent_outcomes, intent_rows

    if intent.state == "refused":
        await intent_rows.remove(tx, [intent])
    else:
        await intent_outcomes.undone(tx, intent, "nobody wants it any more")


async def _resolved(tx: Any, accounts: list[Any], prefix: str) -> Any:
    from postroom.store import intent_rows

    digits = prefix.replace("-", "").lower()
    known = [intent for each in accounts for intent, _ in await intent_rows.of_account(tx, each.id)]
    found = [each for each in known if each.id.hex.startswith(digits)]
    if not found or not digits:
        raise NotFound(what="pending change", name=prefix, mend="See them: postroom pending.")
    if len(found) > 1:
        raise UsageError(reason=f"More than one pending change starts with {prefix!r}. Give more of its id.")
    return found[0]


def _what(row: dict[str, Any]) -> str:
    about = row["subject"] or "(no subject)"
    match row["kind"]:
        case "mark":
            words = [f"+{each}" for each in row["added"]] + [f"-{each}" for each in row["removed"]]
            return f"mark {' '.join(words)} in {row['folder']}: {about}"
        case "move" | "copy":
            verb = "delete" if row["purpose"] == "delete" else row["kind"]
            return f"{verb} from {row['folder']} to {row['to_folder']}: {about}"
        case "expunge":
            return f"delete for good from {row['folder']}: {about}"
        case "draft":
            return f"keep a draft in {row['folder']} as it is here: {about}"
        case "rename_folder":
            return f"rename a folder to {row['name']}"
        case kind:
            return f"{kind.removesuffix('_folder')} the folder {row['name'] or row['folder']}"
