"""message and purge: mail is deleted, comes back, or is gone for good when its time is over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from postroom.cli.change import AT_ONCE, IdsArgument, SearchOption, changed, waiting_sentence
from postroom.cli.find import resolved
from postroom.cli.frame import (
    JsonOption,
    TenantOption,
    app,
    chosen,
    local_zone,
    print_json,
    progress,
    run,
    store,
    tenant_id,
)
from postroom.cli.lengths import seconds_of
from postroom.errors import Held, UsageError
from postroom.ids import time_of

messages_app = typer.Typer(
    help="Messages: delete them, see what was deleted, bring it back.", no_args_is_help=True
)
app.add_typer(messages_app, name="message")


@messages_app.command()
def delete(
    tenant: TenantOption,
    ids: IdsArgument = None,
    search: SearchOption = None,
    here_only: Annotated[
        bool, typer.Option("--here-only", help="Their server is not told: it keeps them where they are.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete messages from every list and search; on their server they go to Trash, and from Trash for good.

    Here they can be restored until they are purged.

    Example:  postroom message delete -t acme --search 'list:news@example.com before:2020'
    """
    from postroom.store import intents, removal

    async def work(tx: Any, messages: list[Any]) -> Any:
        if here_only:
            return intents.Changed(messages=await removal.delete(tx, messages))
        return await intents.delete(tx, messages)

    done = run(changed(tenant, ids, search, work))
    if as_json:
        print_json({"deleted": len(done.messages), "pending": len(done.intents)})
    else:
        typer.echo(f"{len(done.messages):,} deleted{'' if here_only else waiting_sentence(done)}")


@messages_app.command()
def restore(
    tenant: TenantOption,
    ids: IdsArgument = None,
    deleted_within: Annotated[
        str | None, typer.Option("--deleted-within", help="All that was deleted in so long: 30min, 2h, 7d.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring deleted messages back into their folders, here and on their server.

    What its server let go comes into 'Restored by Postroom', a folder that is only here.

    Example:  postroom message restore -t acme --deleted-within 2h
    """
    if bool(ids) == (deleted_within is not None):
        raise UsageError(reason="Give the ids of messages, or --deleted-within, and not both.")
    since = _ago(seconds_of(deleted_within)) if deleted_within else None
    done = run(_restore(tenant, ids or [], since))
    if as_json:
        print_json({"restored": len(done.messages), "pending": len(done.intents)})
    else:
        typer.echo(f"{len(done.messages):,} restored{waiting_sentence(done) if done.intents else ''}")


async def _restore(tenant: str, ids: list[str], since: int | None) -> Any:
    from postroom.store import intents, removal

    owner, back = await tenant_id(tenant), intents.Changed()
    async with store("email_service") as db:
        async with db.tenant(owner) as tx:
            wanted = [await resolved(tx, each, is_deleted=True) for each in ids]
            if since is not None:
                wanted = [row["id"] for row in await removal.deleted(tx, since=since, limit=2**31)]
        for begin in range(0, len(wanted), AT_ONCE):
            async with db.tenant(owner) as tx:
                back.add(await intents.undelete(tx, wanted[begin : begin + AT_ONCE]))
    return back


@messages_app.command()
def deleted(
    tenant: TenantOption,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Messages a page.")] = 20,
    cursor: Annotated[str | None, typer.Option("--cursor", help="The 'next' of the page before.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What is deleted and not purged yet, the latest first.

    Example:  postroom message deleted -t acme
    """
    page = run(_deleted(tenant, limit, cursor))
    if as_json:
        print_json(page)
        return
    for each in page["items"]:
        day = datetime.fromisoformat(each["deleted_at"]).astimezone(local_zone())
        typer.echo(f"{day:%Y-%m-%d %H:%M}  {each['subject'] or '(no subject)'}  {each['from']}")
        typer.echo(f"                  {each['id']}  deleted by the {each['by']}")
    if not page["items"]:
        typer.echo("Nothing is deleted.")
    if page["next"]:
        typer.echo(f"More: --cursor {page['next']}")


async def _deleted(tenant: str, limit: int, cursor: str | None) -> dict[str, Any]:
    from postroom.store import removal

    owner = await tenant_id(tenant)
    async with store("email_service") as db, db.tenant(owner) as tx:
        rows = await removal.deleted(tx, before=_position(cursor), limit=limit + 1)
    items = [
        {
            "id": str(row["id"]),
            "subject": row["subject"],
            "from": row["from"],
            "received_at": time_of(row["received_at"]),
            "deleted_at": time_of(row["deleted_at"]),
            "by": "server" if row["removed_at"] is None else "user",
        }
        for row in rows[:limit]
    ]
    more = f"{rows[limit - 1]['deleted_at']}.{rows[limit - 1]['id']}" if len(rows) > limit else None
    return {"items": items, "next": more}


@app.command()
def purge(
    tenant: Annotated[str | None, typer.Option("--tenant", "-t", help="Without it: every tenant.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Remove for good what was deleted longer ago than its tenant keeps it, with the bytes that nothing else needs.

    What is held stays. How long: postroom tenant retention.

    Example:  postroom purge -t acme
    """
    found = run(_purge(tenant))
    if as_json:
        print_json({"items": found})
    for each in found if not as_json else []:
        held = f", {each['held']:,} held" if each["held"] else ""
        by = f" ({each['hold']})" if each["hold"] else ""
        typer.echo(
            f"{each['tenant']}: {each['purged']:,} purged{held}{by}, {each['blobs']:,} blobs of "
            f"{each['stored_bytes']:,} bytes removed"
        )
    if tenant and found[0]["hold"]:
        raise Held(what=f"Tenant {tenant}", hold=found[0]["hold"], tenant=tenant)


async def _purge(name: str | None) -> list[dict[str, Any]]:
    from postroom.store import system

    async with store("email_worker") as db:
        async with db.system() as tx:
            wanted = [await system.tenant_named(tx, name)] if name else await system.tenants(tx)
        return [await _purge_one(db, each) for each in wanted]


async def _purge_one(db: Any, tenant: Any) -> dict[str, Any]:
    from postroom.blobs import Blobs
    from postroom.store import holds, removal, tenants

    done = {"tenant": tenant.name, "purged": 0, "held": 0, "hold": None, "blobs": 0, "stored_bytes": 0}
    async with db.tenant(tenant.id, in_any_state=True) as tx:
        days = (await tenants.mine(tx)).keep_deleted_days
        open_holds = await holds.holds_of(tx)
        before = -(2**63) if days is None else _ago(days * 86400)
        total = await removal.count_purgeable(tx, before=before)
    if whole := [each for each in open_holds if each.scope == "tenant"]:
        return done | {"hold": whole[0].name, "held": total}
    blobs, position = Blobs(chosen()), removal.BEGINNING
    with progress(f"purging {tenant.name}", unit="messages") as show:
        while position and total:
            async with db.tenant(tenant.id, in_any_state=True) as tx:
                step = await removal.purge(tx, before=before, after=position)
            await _discard(db, tenant.id, blobs, step.blobs, done)
            done["purged"] += step.purged
            done["held"] += step.held
            position = step.position
            show(done["purged"] + done["held"], total)
    await _sweep(db, tenant.id, blobs, done)
    return done


async def _sweep(db: Any, owner: Any, blobs: Any, done: dict[str, Any]) -> None:
    """What no message needs, from whatever was cut short before."""
    from postroom.store import removal

    after: bytes | None = b""
    while after is not None:
        async with db.tenant(owner, in_any_state=True) as tx:
            rows, after = await removal.sweep_blobs(tx, after=after)
        await _discard(db, owner, blobs, rows, done)
    async with db.tenant(owner, in_any_state=True) as tx:
        await blobs.sweep(tx)


async def _discard(db: Any, owner: Any, blobs: Any, rows: list[dict[str, Any]], done: dict[str, Any]) -> None:
    """The objects go once it is certain that their rows are gone."""
    from postroom.blobs.store import stored

    gone = [stored(row) for row in rows]
    done["blobs"] += len(gone)
    done["stored_bytes"] += sum(each.stored_bytes for each in gone)
    if any(each.storage_path for each in gone):
        async with db.tenant(owner, in_any_state=True) as tx:
            await blobs.discard(tx, gone)


def _ago(seconds: int) -> int:
    return int(datetime.now(UTC).timestamp() * 1000) - seconds * 1000


def _position(cursor: str | None) -> tuple[int, UUID]:
    from postroom.store.removal import END

    if cursor is None:
        return END
    at, _, identifier = cursor.partition(".")
    try:
        return int(at), UUID(identifier)
    except ValueError as error:
        raise UsageError(
            reason="That is not a cursor of this list. Use the 'next' of its last page."
        ) from error
