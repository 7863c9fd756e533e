"""mark, move, copy: mail is changed here at once, and on its server by the next sync."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from postroom.cli.find import found_by, resolved
from postroom.cli.frame import JsonOption, TenantOption, app, print_json, run, store, tenant_id
from postroom.errors import NotFound, UsageError

IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="ID…", help="Ids of messages, or the beginnings of them.")
]
SearchOption = Annotated[
    str | None, typer.Option("--search", help="Everything that this search finds, in place of ids.")
]
ToOption = Annotated[
    str, typer.Option("--to", help="The folder's name, levels joined by /.", metavar="FOLDER")
]
AT_ONCE = 500


@app.command()
def mark(
    tenant: TenantOption,
    ids: IdsArgument = None,
    search: SearchOption = None,
    read: Annotated[bool | None, typer.Option("--read/--unread", help="Whether it was read.")] = None,
    flag: Annotated[bool | None, typer.Option("--flag/--unflag", help="Whether it is flagged.")] = None,
    keyword: Annotated[list[str] | None, typer.Option("--keyword", help="Set this keyword.")] = None,
    no_keyword: Annotated[
        list[str] | None, typer.Option("--no-keyword", help="Take this keyword away.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Mark messages as read or flagged, set and take away keywords, in all folders where they lie.

    Example:  postroom mark -t acme 019a-4c --read --keyword Work
    """
    from postroom.store import intents

    add, remove = list(keyword or []), list(no_keyword or [])
    for wanted, word in ((read, "\\Seen"), (flag, "\\Flagged")):
        if wanted is not None:
            (add if wanted else remove).append(word)
    if not add and not remove:
        raise UsageError(
            reason="Say how to mark them: --read, --unread, --flag, --unflag, --keyword, --no-keyword."
        )

    async def work(tx: Any, messages: list[Any]) -> Any:
        return await intents.mark(tx, messages, add=add, remove=remove)

    _tell("marked", run(changed(tenant, ids, search, work)), as_json=as_json)


@app.command("move")
def move_(
    tenant: TenantOption,
    to: ToOption,
    ids: IdsArgument = None,
    search: SearchOption = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", help="Of several folders where it lies the one that it leaves; without it the first."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Move messages into another folder of their account.

    Example:  postroom move -t acme 019a-4c --to Archive
    """
    from postroom.store import intents, removal

    async def work(tx: Any, messages: list[Any]) -> Any:
        total = intents.Changed()
        for account_id, several in (await removal.by_account(tx, messages)).items():
            leaving = (await folder_named(tx, account_id, from_)).id if from_ else None
            into = await folder_named(tx, account_id, to)
            total.add(await intents.move(tx, several, into.id, from_folder_id=leaving))
        return total

    _tell("moved", run(changed(tenant, ids, search, work)), as_json=as_json)


@app.command("copy")
def copy_(
    tenant: TenantOption,
    to: ToOption,
    ids: IdsArgument = None,
    search: SearchOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy messages into another folder of their account as well.

    Example:  postroom copy -t acme --search 'from:alice invoice' --to Invoices
    """
    from postroom.store import intents, removal

    async def work(tx: Any, messages: list[Any]) -> Any:
        total = intents.Changed()
        for account_id, several in (await removal.by_account(tx, messages)).items():
            total.add(await intents.copy(tx, several, (await folder_named(tx, account_id, to)).id))
        return total

    _tell("copied", run(changed(tenant, ids, search, work)), as_json=as_json)


async def changed(
    tenant: str,
    ids: list[str] | None,
    search: str | None,
    work: Callable[[Any, list[Any]], Awaitable[Any]],
    *,
    is_deleted: bool = False,
) -> Any:
    """Do it to these messages, some hundred in a transaction; what it came to."""
    from postroom.store.intents import Changed

    if bool(ids) == (search is not None):
        raise UsageError(reason="Give the ids of messages, or a --search, and not both.")
    owner, total = await tenant_id(tenant), Changed()
    async with store("email_service") as db:
        async with db.tenant(owner) as tx:
            wanted = [await resolved(tx, each, is_deleted=is_deleted) for each in ids or []]
            if search is not None:
                wanted = await found_by(tx, search)
        for begin in range(0, len(wanted), AT_ONCE):
            async with db.tenant(owner) as tx:
                total.add(await work(tx, wanted[begin : begin + AT_ONCE]))
    return total


async def folder_named(tx: Any, account_id: Any, name: str) -> Any:
    """The folder of this name in the account; INBOX in any case. Raises NotFound."""
    from postroom.store import folders

    known = {each.name: each for each in await folders.of_account(tx, account_id)}
    found = known.get("INBOX" if name.upper() == "INBOX" else name)
    if found is None:
        mend = "See them: postroom folder list. Make it: postroom folder create."
        raise NotFound(what="folder", name=name, mend=mend)
    return found


def _tell(what: str, done: Any, *, as_json: bool) -> None:
    if as_json:
        print_json({what: len(done.messages), "pending": len(done.intents)})
    else:
        typer.echo(f"{len(done.messages):,} {what}{waiting_sentence(done)}")


def waiting_sentence(done: Any) -> str:
    """What is still to happen, behind a count."""
    if done.intents:
        return f"; the next sync tells the server ({len(done.intents):,} pending)"
    return ", here only: there is no server to be told" if done.messages else ""
