"""tenant suspend, resume, rename, retention: what an operator does with a tenant while it lives."""

from __future__ import annotations

from typing import Annotated

import typer

from postroom.cli.frame import JsonOption, print_json, run, store, tenant_id
from postroom.cli.tenant import tenants
from postroom.errors import UsageError

NameArgument = Annotated[str, typer.Argument(help="The tenant's name.")]
_MOST_DAYS = 36500


@tenants.command()
def suspend(name: NameArgument, as_json: JsonOption = False) -> None:
    """Shut a tenant out: every command on its mail and every sync is refused. Its mail is kept.

    Example:  postroom tenant suspend acme
    """
    run(_suspend(name, is_suspended=True))
    if as_json:
        print_json({"name": name, "state": "suspended"})
    else:
        typer.echo(f"Tenant {name} is suspended. Let it in again: postroom tenant resume {name}")


@tenants.command()
def resume(name: NameArgument, as_json: JsonOption = False) -> None:
    """Let a suspended tenant in again.

    Example:  postroom tenant resume acme
    """
    run(_suspend(name, is_suspended=False))
    if as_json:
        print_json({"name": name, "state": "active"})
    else:
        typer.echo(f"Tenant {name} is active.")


async def _suspend(name: str, *, is_suspended: bool) -> None:
    from postroom.store import tenants as life

    owner = await tenant_id(name)
    async with store("email_owner") as db, db.tenant(owner, in_any_state=True) as tx:
        await life.suspend(tx, is_suspended=is_suspended)


@tenants.command()
def rename(
    name: NameArgument,
    new_name: Annotated[str, typer.Argument(help="The name that it gets: a-z, 0-9, '.', '_', '-'.")],
    as_json: JsonOption = False,
) -> None:
    """Give a tenant another name. Its id, its mail and its PostgreSQL login stay.

    Example:  postroom tenant rename acme acme-europe
    """

    async def work() -> None:
        from postroom.store import tenants as life

        owner = await tenant_id(name)
        async with store("email_owner") as db, db.tenant(owner, in_any_state=True) as tx:
            await life.rename(tx, new_name)

    run(work())
    if as_json:
        print_json({"name": new_name})
    else:
        typer.echo(f"Tenant {name} is {new_name} now.")


@tenants.command()
def retention(
    name: NameArgument,
    keep_deleted: Annotated[
        str | None,
        typer.Option("--keep-deleted", help="Days that deleted mail is kept, such as 30d; or: forever."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How long deleted mail is kept before a purge takes it; with --keep-deleted: set it.

    Example:  postroom tenant retention acme --keep-deleted 90d
    """
    days = run(_retention(name, keep_deleted))
    if as_json:
        print_json({"name": name, "keep_deleted_days": days})
    else:
        kept = "for ever" if days is None else f"{days} days, then postroom purge takes it"
        typer.echo(f"{name} keeps deleted mail {kept}.")


async def _retention(name: str, keep_deleted: str | None) -> int | None:
    from postroom.store import tenants as life

    wanted = None if keep_deleted is None else _days(keep_deleted)
    owner = await tenant_id(name)
    async with store("email_owner") as db, db.tenant(owner, in_any_state=True) as tx:
        if keep_deleted is not None:
            await life.keep_deleted(tx, wanted)
        return (await life.mine(tx)).keep_deleted_days


def _days(text: str) -> int | None:
    if text in ("forever", "for ever"):
        return None
    number = text.removesuffix("d")
    if not (number.isascii() and number.isdigit() and int(number[:9]) <= _MOST_DAYS):
        raise UsageError(reason=f"{text!r} is no number of days up to {_MOST_DAYS}d; write 30d, or forever.")
    return int(number)
