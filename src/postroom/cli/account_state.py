"""account pause, resume, remove: whether an account is followed, and that it is no more."""

from __future__ import annotations

from typing import Annotated

import typer

from postroom.cli.account import accounts_app
from postroom.cli.frame import AccountOption, JsonOption, TenantOption, print_json, run, store, tenant_id
from postroom.errors import UsageError


@accounts_app.command()
def pause(tenant: TenantOption, account: AccountOption, as_json: JsonOption = False) -> None:
    """Leave an account out when accounts are synced by themselves. Its mail stays; `sync` still works by hand.

    Example:  postroom account pause -t acme -a me@example.com
    """
    run(_pause(tenant, account, is_paused=True))
    _tell(account, "paused", as_json=as_json)


@accounts_app.command()
def resume(tenant: TenantOption, account: AccountOption, as_json: JsonOption = False) -> None:
    """Take an account in again.

    Example:  postroom account resume -t acme -a me@example.com
    """
    run(_pause(tenant, account, is_paused=False))
    _tell(account, "followed again", as_json=as_json)


@accounts_app.command()
def remove(
    tenant: TenantOption,
    account: AccountOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove an account and delete its secrets. Nothing is touched on the server; its mail here is kept, hidden.

    Example:  postroom account remove -t acme -a me@example.com --yes
    """
    if not yes and not typer.confirm(f"Remove {account}?", err=True):
        raise UsageError(reason=f"{account} was left as it is.")
    run(_remove(tenant, account))
    _tell(account, "removed", as_json=as_json)


def _tell(account: str, state: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"email_address": account, "state": state.split()[0]})
    else:
        typer.echo(f"Account {account} is {state}.")


async def _pause(tenant: str, email: str, *, is_paused: bool) -> None:
    from postroom.store import accounts, audit, changes

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        found = await accounts.by_email(tx, email)
        modseq = await changes.next_modseq(tx, found.id)
        await accounts.pause(tx, found.id, is_paused=is_paused)
        action = "account.pause" if is_paused else "account.resume"
        await audit.append(tx, action, "account", found.id)
        await changes.append(tx, found.id, modseq, "updated", "account", [found.id])


async def _remove(tenant: str, email: str) -> None:
    from postroom.store import account_removal, accounts

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        found = await accounts.by_email(tx, email)
        await account_removal.remove(tx, found.id)
