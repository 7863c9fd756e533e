"""sync: mail comes in from servers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from postroom.cli.bring import complain, counted, tell
from postroom.cli.frame import JsonOption, app, chosen, print_json, progress, run, say, store
from postroom.errors import Partial, PostroomError, StoreError, UsageError

_MORE_SECONDS = 5
"""How much longer than a lease to wait for an account: by then a process that was killed has lost it."""


@app.command()
def sync(
    tenant: Annotated[
        str | None, typer.Option("--tenant", "-t", help="The tenant's name.", metavar="NAME")
    ] = None,
    account: Annotated[
        str | None,
        typer.Option("--account", "-a", help="Its address. Without it: all accounts.", metavar="EMAIL"),
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="All accounts of all tenants.")] = False,
    accept_empty: Annotated[
        bool,
        typer.Option("--accept-empty", help="Follow the server even where it shows a full folder as empty."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make accounts equal to their servers: new mail, flags, deletions. Newest mail comes first.

    Example:  postroom sync -t acme -a me@example.com
    """
    if everybody == (tenant is not None) or (everybody and account):
        raise UsageError(
            reason="Say whose mail: --tenant NAME, with --account EMAIL for one account, or --all."
        )
    if tenant and account:
        tally = run(_one(tenant, account, accept_empty=accept_empty))
        for note in tally.notes:
            say(note[0].upper() + note[1:])
        tell(tally, as_json=as_json)
        complain(tally, tally.held)
        return
    rows = run(_several(tenant, accept_empty=accept_empty, is_quiet=as_json))
    if as_json:
        print_json({"items": rows})
    elif not rows:
        say("There is no account with a server: postroom account add --help.")
    troubled = [row for row in rows if row["error"]]
    if troubled:
        say(f"postroom: {len(troubled)} of {len(rows)} accounts are not current. See why: postroom status.")
        raise typer.Exit(Partial.exit_code)


async def _one(tenant: str, email: str, *, accept_empty: bool) -> Any:
    from postroom.store import accounts, system

    async with store("email_worker") as db:
        async with db.system() as tx:
            owner = (await system.tenant_named(tx, tenant)).id
        async with db.tenant(owner) as tx:
            account = await accounts.by_email(tx, email)
        return await _synced(
            db, owner, account, accept_empty=accept_empty, wait_seconds=chosen().lease_seconds + _MORE_SECONDS
        )


async def _several(tenant: str | None, *, accept_empty: bool, is_quiet: bool) -> list[dict[str, Any]]:
    """Every account with a server, one after the other; what is wrong with one does not keep the others."""
    from postroom.store import accounts, system

    rows: list[dict[str, Any]] = []
    async with store("email_worker") as db:
        async with db.system() as tx:
            tenants = [await system.tenant_named(tx, tenant)] if tenant else await system.tenants(tx)
        for each in tenants:
            async with db.tenant(each.id) as tx:
                found = await accounts.all_accounts(tx)
            for account in found:
                if account.hostname is None or not (account.is_enabled and account.is_sync_enabled):
                    continue
                row: dict[str, Any] = {"tenant": each.name, "account": account.email_address, "error": None}
                try:
                    tally = await _synced(db, each.id, account, accept_empty=accept_empty, wait_seconds=0)
                except StoreError:
                    raise  # the others would fare no better
                except PostroomError as error:
                    row |= {"error": str(error)}
                else:
                    row |= counted(tally) | {"error": "; ".join(tally.held) or None}
                rows.append(row)
                if not is_quiet:
                    said = row["error"] or f"{row['stored']:,} stored in {row['seconds']:.1f} s"
                    typer.echo(f"{each.name}  {account.email_address}  {said}")
    return rows


async def _synced(db: Any, owner: Any, account: Any, *, accept_empty: bool, wait_seconds: float) -> Any:
    from postroom.blobs import Blobs
    from postroom.ids import new_id
    from postroom.ops.master_key import master_key
    from postroom.sync.lease import acquired
    from postroom.sync.leased import Surroundings, sync_leased

    lease = await acquired(
        db,
        owner,
        account,
        new_id(),
        lease_seconds=chosen().lease_seconds,
        wait_seconds=wait_seconds,
        waiting=lambda: say(f"Another process syncs {account.email_address}: waiting for it."),
    )
    around = Surroundings(db=db, blobs=Blobs(chosen()), settings=chosen(), master=master_key(chosen()))
    with progress(account.email_address, unit="messages") as show:
        return await sync_leased(
            around,
            lease,
            accept_empty=accept_empty,
            report=lambda folder, done, total: show(done, total, folder),
        )
