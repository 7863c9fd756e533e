"""tenant: who has mail here."""

from __future__ import annotations

from typing import Annotated

import typer

from postroom.cli.frame import JsonOption, app, chosen, print_json, run, say, store, tenant_id
from postroom.errors import NotFound

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


@tenants.command()
def login(
    name: Annotated[str, typer.Argument(help="The tenant's name.")],
    revoke: Annotated[bool, typer.Option("--revoke", help="End the login and its sessions.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a PostgreSQL login that reads this tenant's mail and no other, whatever it sets; again: a new password.

    Example:  psql "$(postroom tenant login acme)"
    """
    url = run(_login(name, revoke=revoke))
    if as_json:
        print_json({"url": url})
    else:
        typer.echo(url or f"The login of {name} is ended.")


async def _login(name: str, *, revoke: bool) -> str | None:
    from postroom.ops import tenant_login
    from postroom.ops.provision import open_site
    from postroom.store import audit

    owner = await tenant_id(name)
    site = open_site(chosen(), tell=say)
    # The trail first: what was tried and did not work is worth knowing, too.
    async with store("email_worker") as db, db.tenant(owner) as tx:
        await audit.append(tx, "tenant.login_revoke" if revoke else "tenant.login", "tenant", owner)
    if not revoke:
        return tenant_login.make(site, owner)
    if not tenant_login.revoke(site, owner):
        raise NotFound(what="login of tenant", name=name, mend=f"Make it: postroom tenant login {name}.")
    return None


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
        states = {each.id: "suspended" if each.suspended_at else "active" for each in found}
        print_json(
            {"items": [{"id": str(each.id), "name": each.name, "state": states[each.id]} for each in found]}
        )
        return
    for each in found:
        typer.echo(f"{each.name:30} {each.id}{'  suspended' if each.suspended_at else ''}")
