"""folder: where mail lies, made, renamed and deleted here at once, and on the server by the next sync."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from postroom.cli.change import folder_named
from postroom.cli.frame import AccountOption, JsonOption, TenantOption, app, print_json, run, store, tenant_id

folder_app = typer.Typer(help="Folders: list, make, rename and delete them.", no_args_is_help=True)
app.add_typer(folder_app, name="folder")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Levels are joined by /.")]


@folder_app.command("list")
def list_(tenant: TenantOption, account: AccountOption, as_json: JsonOption = False) -> None:
    """The folders of an account, and what is in them.

    Example:  postroom folder list -t acme -a me@example.com
    """

    async def work() -> list[dict[str, Any]]:
        from postroom.store import accounts, folders, intent_rows

        owner = await tenant_id(tenant)
        async with store("email_service") as db, db.tenant(owner) as tx:
            found = await folders.of_account(tx, (await accounts.by_email(tx, account)).id)
            open_ = await intent_rows.of_folders(tx, [each.id for each in found])
        waiting = {each.folder_id for each in open_ if each.state != "refused"}
        return [
            {
                "id": str(each.id),
                "name": each.name,
                "type": each.type,
                "total": each.total_count,
                "unread": each.unread_count,
                "is_selectable": each.is_selectable,
                "is_pending": each.id in waiting,
            }
            for each in found
        ]

    rows = run(work())
    if as_json:
        print_json({"items": rows})
        return
    for row in rows:
        pending = "  (the server is yet to be told)" if row["is_pending"] else ""
        counts = f"{row['total']:8,}{row['unread']:8,}" if row["is_selectable"] else " " * 16
        typer.echo(f"{counts}  {row['name']}{pending}")
    if not rows:
        typer.echo("There are no folders yet.")


@folder_app.command()
def create(
    tenant: TenantOption, account: AccountOption, name: NameArgument, as_json: JsonOption = False
) -> None:
    """Make a folder.

    Example:  postroom folder create -t acme -a me@example.com Work/2026
    """

    async def work(tx: Any, account_id: Any) -> Any:
        from postroom.store import folder_intents

        return await folder_intents.create(tx, account_id, name)

    _tell(run(_changed(tenant, account, work)), "made", as_json=as_json)


@folder_app.command()
def rename(
    tenant: TenantOption,
    account: AccountOption,
    name: NameArgument,
    new: Annotated[str, typer.Argument(metavar="NEW", help="What it is to be called.")],
    as_json: JsonOption = False,
) -> None:
    """Give a folder another name, and all that is below it.

    Example:  postroom folder rename -t acme -a me@example.com Work Jobs
    """

    async def work(tx: Any, account_id: Any) -> Any:
        from postroom.store import folder_intents

        return await folder_intents.rename(tx, (await folder_named(tx, account_id, name)).id, new)

    _tell(run(_changed(tenant, account, work)), "there", as_json=as_json)


@folder_app.command()
def delete(
    tenant: TenantOption, account: AccountOption, name: NameArgument, as_json: JsonOption = False
) -> None:
    """Delete a folder; the messages in it go to Trash. Mail that comes into it before the server is told keeps it there.

    Example:  postroom folder delete -t acme -a me@example.com Work/2024
    """

    async def work(tx: Any, account_id: Any) -> Any:
        from postroom.store import folder_intents

        return await folder_intents.delete(tx, (await folder_named(tx, account_id, name)).id)

    _tell(run(_changed(tenant, account, work)), "deleted", as_json=as_json)


async def _changed(tenant: str, email: str, work: Any) -> Any:
    from postroom.store import accounts

    owner = await tenant_id(tenant)
    async with store("email_service") as db, db.tenant(owner) as tx:
        return await work(tx, (await accounts.by_email(tx, email)).id)


def _tell(done: Any, what: str, *, as_json: bool) -> None:
    folder = done.folder
    if as_json:
        shown = {"id": str(folder.id), "name": folder.name, "is_deleted": folder.is_deleted}
        print_json(shown | {"messages": done.messages, "pending": len(done.intents)})
        return
    trash = f", {done.messages:,} messages went to Trash" if done.messages else ""
    server = f"; the next sync tells the server ({len(done.intents):,} pending)" if done.intents else ""
    typer.echo(f"Folder {folder.name} is {what}{trash}{server}")
