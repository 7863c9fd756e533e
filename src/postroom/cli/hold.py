"""hold: mail that nobody may remove."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from postroom.cli.find import found_by
from postroom.cli.frame import JsonOption, TenantOption, app, print_json, run, store, tenant_id
from postroom.errors import UsageError
from postroom.ids import time_of

holds_app = typer.Typer(
    help="Holds: mail that is kept whatever its age, until it is released.", no_args_is_help=True
)
app.add_typer(holds_app, name="hold")
NameArgument = Annotated[str, typer.Argument(help="The hold's name: a-z, 0-9, '.', '_', '-'.")]


@holds_app.command()
def add(
    tenant: TenantOption,
    name: NameArgument,
    account: Annotated[
        str | None, typer.Option("--account", "-a", metavar="EMAIL", help="Only this account.")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search", help="Only what this search finds now, deleted mail as well; later mail is not in it."
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for whoever reads it later.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold a whole tenant, an account, or what a search finds: no purge and no erase takes it.

    Example:  postroom hold add -t acme case-17 --search 'from:alice project x' --reason 'Smith v. Acme'
    """
    if account and search is not None:
        raise UsageError(reason="Give --account or --search; a search may say account:EMAIL itself.")
    held = run(_add(tenant, name, account, search, reason))
    if as_json:
        print_json(held)
        return
    what = {"tenant": f"tenant {tenant}", "account": f"account {account}"}.get(
        held["scope"], f"{held['messages']:,} messages"
    )
    typer.echo(f"Hold {name} is on {what}.")


async def _add(
    tenant: str, name: str, email: str | None, search: str | None, reason: str | None
) -> dict[str, Any]:
    from postroom.store import accounts, holds

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner, in_any_state=True) as tx:
        account = await accounts.by_email(tx, email) if email else None
        found = None if search is None else await found_by(tx, search, with_deleted=True)
        if found == []:
            raise UsageError(reason=f"The search {search!r} finds nothing that could be held.")
        held = await holds.add(
            tx, name, account_id=account and account.id, query=search, message_ids=found, reason=reason
        )
    scope = "account" if account else "tenant" if found is None else "messages"
    return {"name": name, "scope": scope, "messages": held}


@holds_app.command("list")
def list_(tenant: TenantOption, as_json: JsonOption = False) -> None:
    """The holds of a tenant that are not released.

    Example:  postroom hold list -t acme
    """
    items = run(_list(tenant))
    if as_json:
        print_json({"items": items})
        return
    for each in items:
        what = (
            each["account"]
            or (each["search"] and f"{each['messages']:,} of {each['search']!r}")
            or "all mail"
        )
        typer.echo(f"{each['name']:24} {each['created_at'][:10]}  {what}  {each['reason'] or ''}".rstrip())
    if not items:
        typer.echo("Nothing is held.")


async def _list(tenant: str) -> list[dict[str, Any]]:
    from postroom.store import holds

    owner = await tenant_id(tenant)
    async with store("email_service") as db, db.tenant(owner, in_any_state=True) as tx:
        found = await holds.holds_of(tx)
    return [
        {
            "name": each.name,
            "scope": each.scope,
            "account": each.email_address,
            "search": each.query,
            "messages": each.messages,
            "reason": each.reason,
            "created_at": time_of(each.created_at),
        }
        for each in found
    ]


@holds_app.command()
def release(tenant: TenantOption, name: NameArgument, as_json: JsonOption = False) -> None:
    """Release a hold: its mail goes by the tenant's retention again.

    Example:  postroom hold release -t acme case-17
    """

    async def work() -> None:
        from postroom.store import holds

        owner = await tenant_id(tenant)
        async with store("email_worker") as db, db.tenant(owner, in_any_state=True) as tx:
            await holds.release(tx, name)

    run(work())
    if as_json:
        print_json({"released": name})
    else:
        typer.echo(f"Hold {name} is released.")
