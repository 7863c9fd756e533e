"""draft: messages that are still being written."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from uuid import uuid4

import typer

from postroom.cli import letters
from postroom.cli.frame import (
    AccountOption,
    JsonOption,
    TenantOption,
    app,
    chosen,
    print_json,
    run,
    store,
    tenant_id,
)
from postroom.cli.outbox import time_of
from postroom.cli.send import AtOption, LaterOption, UndoOption, due_at, sent, tell
from postroom.errors import NotFound

drafts_app = typer.Typer(help="Drafts: messages that are still being written.", no_args_is_help=True)
app.add_typer(drafts_app, name="draft")
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The draft's id, or its beginning.")]


@drafts_app.command()
def create(
    tenant: TenantOption,
    account: AccountOption,
    to: letters.ToOption = None,
    cc: letters.CcOption = None,
    bcc: letters.BccOption = None,
    subject: letters.SubjectOption = None,
    text: letters.TextOption = None,
    html: letters.HtmlOption = None,
    attach: letters.AttachOption = None,
    stored: letters.StoredOption = None,
    inline: letters.InlineOption = None,
    reply_to_message: letters.ReplyOption = None,
    reply_all: letters.AllOption = False,
    forward: letters.ForwardOption = None,
    as_attachment: letters.WholeOption = False,
    quotes: letters.QuoteOption = True,
    as_json: JsonOption = False,
) -> None:
    """Begin a message, to go on with later.

    Example:  postroom draft create -t acme -a me@example.com --to ann@example.com -s "The plan"
    """
    wish = letters.wished(
        to=to, cc=cc, bcc=bcc, subject=subject, text=text, html=html, attach=attach, stored=stored, inline=inline,
        reply_to=reply_to_message, reply_all=reply_all, forward=forward, as_attachment=as_attachment, quotes=quotes,
    )  # fmt: skip
    _tell(run(_create(tenant, account, wish)), "Kept as draft", as_json=as_json)


@drafts_app.command()
def edit(
    tenant: TenantOption,
    id_: IdArgument,
    to: letters.ToOption = None,
    cc: letters.CcOption = None,
    bcc: letters.BccOption = None,
    subject: letters.SubjectOption = None,
    text: letters.TextOption = None,
    html: letters.HtmlOption = None,
    attach: letters.AttachOption = None,
    stored: letters.StoredOption = None,
    inline: letters.InlineOption = None,
    drop_files: Annotated[bool, typer.Option("--drop-attachments", help="Without those it has.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Change a draft: what is given replaces what was there; files are added.

    Example:  postroom draft edit -t acme 019a4c7e --text "Hello Ann, ..." --attach plan.pdf
    """
    wish = letters.wished(
        to=to, cc=cc, bcc=bcc, subject=subject, text=text, html=html, attach=attach, stored=stored, inline=inline
    )  # fmt: skip
    _tell(run(_edit(tenant, id_, wish, drop_files=drop_files)), "Changed draft", as_json=as_json)


@drafts_app.command("list")
def list_(tenant: TenantOption, account: AccountOption, as_json: JsonOption = False) -> None:
    """The drafts of an account, the last touched first.

    Example:  postroom draft list -t acme -a me@example.com
    """
    from postroom.store import accounts, drafts

    async def work() -> list[dict[str, Any]]:
        owner = await tenant_id(tenant)
        async with store("email_service") as db, db.tenant(owner) as tx:
            account_id = (await accounts.by_email(tx, account)).id
            return [_row(row) for row in await drafts.of_account(tx, account_id)]

    rows = run(work())
    if as_json:
        print_json({"items": rows})
        return
    for row in rows:
        typer.echo(
            f"{row['subject'] or '(no subject)':50} {', '.join(row['recipients']) or '(to nobody yet)'}"
        )
        typer.echo(f"    {row['id']}")
    if not rows:
        typer.echo("There are no drafts.")


@drafts_app.command()
def show(tenant: TenantOption, id_: IdArgument, as_json: JsonOption = False) -> None:
    """One draft.

    Example:  postroom draft show -t acme 019a4c7e
    """

    async def work() -> dict[str, Any]:
        owner = await tenant_id(tenant)
        async with store("email_service") as db, db.tenant(owner) as tx:
            draft_id = await _resolved(tx, id_)
            return _shown(draft_id, (await _read(tx, draft_id))[1])

    found = run(work())
    if as_json:
        print_json(found)
        return
    typer.echo(found["subject"] or "(no subject)")
    for name in ("to", "cc", "bcc", "files"):
        if found[name]:
            typer.echo(f"{name.title():9}{', '.join(found[name])}")
    typer.echo(f"\n{found['text'] or ''}")


@drafts_app.command()
def send(
    tenant: TenantOption,
    id_: IdArgument,
    at: AtOption = None,
    undo_seconds: UndoOption = 0,
    queue: LaterOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send a draft. Until it has gone out, postroom outbox cancel makes it a draft again.

    Example:  postroom draft send -t acme 019a4c7e --undo-seconds 10
    """
    tell(run(_send(tenant, id_, at, undo_seconds, queue=queue)), tenant, as_json=as_json)


@drafts_app.command()
def delete(tenant: TenantOption, id_: IdArgument, as_json: JsonOption = False) -> None:
    """Delete a draft.

    Example:  postroom draft delete -t acme 019a4c7e
    """
    from postroom.posting import discard_draft

    async def work() -> Any:
        owner = await tenant_id(tenant)
        async with store("email_worker") as db, db.tenant(owner) as tx:
            draft_id = await _resolved(tx, id_)
            if not await discard_draft(tx, draft_id):
                raise NotFound(what="draft", name=id_, mend="See them: postroom draft list.")
            return draft_id

    draft_id = run(work())
    if as_json:
        print_json({"id": str(draft_id)})
    else:
        typer.echo(f"Draft {draft_id} is deleted.")


async def _create(tenant: str, email: str, wish: letters.Wish) -> dict[str, Any]:
    from postroom.blobs import Blobs
    from postroom.posting import save_draft, stamp_for
    from postroom.store import accounts

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        account = await accounts.by_email(tx, email)
        letter = await letters.letter_of(tx, account, wish)
        stamp = stamp_for(account.email_address, uuid4(), letters.now())
        return _shown(await save_draft(tx, Blobs(chosen()), account.id, letter, stamp), letter)


async def _edit(tenant: str, prefix: str, wish: letters.Wish, *, drop_files: bool) -> dict[str, Any]:
    from postroom.blobs import Blobs
    from postroom.compose.addresses import mailboxes
    from postroom.posting import save_draft, stamp_for

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        draft_id = await _resolved(tx, prefix)
        row, old = await _read(tx, draft_id)
        kept = () if drop_files else old.files
        letter = replace(
            old,
            to=mailboxes(wish.to) or old.to,
            cc=mailboxes(wish.cc) or old.cc,
            bcc=mailboxes(wish.bcc) or old.bcc,
            subject=old.subject if wish.subject is None else wish.subject,
            text=old.text if wish.text is None else wish.text,
            html=old.html if wish.html is None else wish.html,
            files=(*kept, *await letters.files_of(tx, wish)),
        )
        stamp = stamp_for(letter.from_.address, uuid4(), letters.now())
        await save_draft(
            tx, Blobs(chosen()), row["account_id"], letter, stamp, replaces=(draft_id, row["version"])
        )
        return _shown(draft_id, letter)


async def _send(
    tenant: str, prefix: str, at: str | None, undo_seconds: int, *, queue: bool
) -> dict[str, Any]:
    from postroom.blobs import Blobs
    from postroom.posting import post_draft, stamp_for

    owner = await tenant_id(tenant)
    due, date = due_at(at, undo_seconds)
    async with store("email_worker") as db:
        async with db.tenant(owner) as tx:
            draft_id = await _resolved(tx, prefix)
            row, letter = await _read(tx, draft_id)
            stamp = stamp_for(letter.from_.address, uuid4(), date)
            outbox_id = await post_draft(tx, Blobs(chosen()), row, letter, stamp, not_before=due)
        is_now = not queue and at is None and not undo_seconds
        return await sent(db, owner, row["account_id"], outbox_id, is_now=is_now)


async def _read(tx: Any, draft_id: Any) -> tuple[dict[str, Any], Any]:
    from postroom.blobs import Blobs
    from postroom.compose.read import read
    from postroom.store import drafts

    row = await drafts.get(tx, draft_id)
    return row, read(await Blobs(chosen()).read_all(tx, bytes(row["raw_blob"])))


async def _resolved(tx: Any, prefix: str) -> Any:
    from postroom.store import drafts

    return await letters.resolved(
        "draft", prefix, lambda each: drafts.starting_with(tx, each), "See them: postroom draft list."
    )


def _row(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: time_of(row[name]) for name in ("created_at", "updated_at")}
    return row | {"id": str(row["id"])} | times


def _shown(draft_id: Any, letter: Any) -> dict[str, Any]:
    return {
        "id": str(draft_id),
        "subject": letter.subject,
        **{name: [each.address for each in getattr(letter, name)] for name in ("to", "cc", "bcc")},
        "text": letter.text,
        "html": letter.html,
        "files": [each.filename for each in letter.files],
        "in_reply_to": letter.in_reply_to,
    }


def _tell(found: dict[str, Any], said: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{said} {found['id']}")
