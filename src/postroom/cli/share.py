"""account share, unshare, shares: who else may see an account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import typer

from postroom.cli.account import accounts_app
from postroom.cli.frame import AccountOption, JsonOption, TenantOption, print_json, run, store, tenant_id
from postroom.errors import NotFound, UsageError
from postroom.model import UserId

UserOption = Annotated[UUID, typer.Option("--user", "-u", help="The user.", metavar="UUID")]


@accounts_app.command()
def share(
    tenant: TenantOption,
    account: AccountOption,
    user: UserOption,
    access: Annotated[
        str, typer.Option("--access", help="read, or write: to flag, move and send, too.")
    ] = "read",
    as_json: JsonOption = False,
) -> None:
    """Let another user see an account, or change what the user may do there.

    Example:  postroom account share -t acme -a team@example.com --user 0199c0de-8d3a-7c2e-9b93-521f386e5eb3
    """
    if access not in ("read", "write"):
        raise UsageError(reason=f"--access is {access!r}; there are read and write.")
    run(_share(tenant, account, UserId(user), cast("Literal['read', 'write']", access)))
    if as_json:
        print_json({"account": account, "user_id": str(user), "access": access})
    else:
        typer.echo(f"User {user} may {access} {account}.")


async def _share(tenant: str, email: str, user: UserId, access: Literal["read", "write"]) -> None:
    from postroom.store import audit, shares

    async with _opened(tenant, email) as (tx, account):
        if not await shares.put(tx, account.id, user, access):
            raise UsageError(reason=f"User {user} owns {email} and may do everything there already.")
        after = {"user_id": str(user), "access": access}
        await audit.append(tx, "account.share", "account", account.id, after=after)


@accounts_app.command()
def unshare(
    tenant: TenantOption, account: AccountOption, user: UserOption, as_json: JsonOption = False
) -> None:
    """Let a user see an account no longer.

    Example:  postroom account unshare -t acme -a team@example.com --user 0199c0de-8d3a-7c2e-9b93-521f386e5eb3
    """
    run(_unshare(tenant, account, UserId(user)))
    if as_json:
        print_json({"account": account, "user_id": str(user), "access": None})
    else:
        typer.echo(f"User {user} no longer sees {account}.")


async def _unshare(tenant: str, email: str, user: UserId) -> None:
    from postroom.store import audit, shares

    async with _opened(tenant, email) as (tx, account):
        if account.user_id == user:
            raise UsageError(reason=f"User {user} owns {email}: there is nothing to take back.")
        if not await shares.remove(tx, account.id, user):
            mend = f"See whom it is shared with: postroom account shares -t {tenant} -a {email}."
            raise NotFound(what=f"share of {email} with user", name=str(user), mend=mend)
        before = {"user_id": str(user)}
        await audit.append(tx, "account.unshare", "account", account.id, before=before)


@accounts_app.command("shares")
def shares_(tenant: TenantOption, account: AccountOption, as_json: JsonOption = False) -> None:
    """Who sees an account: its owner, and whom it is shared with.

    Example:  postroom account shares -t acme -a team@example.com
    """
    from postroom.store import shares

    async def work() -> list[shares.Share]:
        async with _opened(tenant, account) as (tx, found):
            return await shares.of_account(tx, found.id)

    found = run(work())
    if as_json:
        print_json({"items": [{"user_id": str(each.user_id), "access": each.access} for each in found]})
        return
    for each in found:
        typer.echo(f"{each.user_id}  {each.access}")


@asynccontextmanager
async def _opened(tenant: str, email: str) -> AsyncIterator[tuple[Any, Any]]:
    """A transaction of the tenant, and the account."""
    from postroom.store import accounts

    owner = await tenant_id(tenant)
    async with store("email_service") as db, db.tenant(owner) as tx:
        yield tx, await accounts.by_email(tx, email)
