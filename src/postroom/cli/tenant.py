"""tenant: who has mail here."""

from __future__ import annotations

from typing import Annotated

import typer

from postroom.cli.frame import JsonOption, app, print_json, run, store

tenants = typer.Typer(
    help="Tenants: each has its own mail and never learns of another.", no_args_is_help=True
)
app.add_typer(tenants, name="tenant")


@tenants.command()
def create(
    name: Annotated[str, typer.Argument(help="A short name: a-z, 0-9, '.', '_', '-'.")],
    as_json: JsonOption = False,
) -> None:
    """Make a tenant.

    Example:  postroom tenant create acme
    """
    from postroom.store import audit, system

    async def work() -> system.Tenant:
        async with store("email_owner") as db:
            async with db.system() as tx:
                made = await system.create_tenant(tx, name)
            async with db.tenant(made.id) as tx:
                await audit.append(tx, "tenant.create", "tenant", made.id, after={"name": made.name})
        return made

    made = run(work())
    if as_json:
        print_json({"id": str(made.id), "name": made.name})
    else:
        typer.echo(f"Tenant {made.name} is there: {made.id}")


@tenants.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Every tenant by name.

    Example:  postroom tenant list
    """
    from postroom.store import system

    async def work() -> list[system.Tenant]:
        async with store("email_worker") as db, db.system() as tx:
            return await system.tenants(tx)

    found = run(work())
    if as_json:
        print_json({"items": [{"id": str(each.id), "name": each.name} for each in found]})
        return
    for each in found:
        typer.echo(f"{each.name:30} {each.id}")
