"""send: a message is written, and goes out."""

from __future__ import annotations

from datetime import datetime
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
    local_zone,
    print_json,
    run,
    say,
    store,
    tenant_id,
)
from postroom.cli.mailbox import send_due
from postroom.errors import SendError

AtOption = Annotated[
    str | None, typer.Option("--at", help="Not before this time: 2026-12-24 18:00, or with an offset.")
]
UndoOption = Annotated[
    int, typer.Option("--undo-seconds", min=0, help="Wait so long, so that it can be taken back.")
]
LaterOption = Annotated[
    bool, typer.Option("--queue", help="Only put it into the outbox; a worker, or outbox run, sends it.")
]


@app.command()
def send(
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
    at: AtOption = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key twice sends one message.")
    ] = None,
    undo_seconds: UndoOption = 0,
    queue: LaterOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send a message, once: what may have arrived is never sent again by itself.

    Example:  postroom send -t acme -a me@example.com --to ann@example.com -s Hello --text "How are you?"
    """
    wish = letters.wished(
        to=to, cc=cc, bcc=bcc, subject=subject, text=text, html=html, attach=attach, stored=stored, inline=inline,
        reply_to=reply_to_message, reply_all=reply_all, forward=forward, as_attachment=as_attachment, quotes=quotes,
    )  # fmt: skip
    found = run(_send(tenant, account, wish, at, idempotency_key, undo_seconds, queue=queue))
    tell(found, tenant, as_json=as_json)


async def _send(
    tenant: str,
    email: str,
    wish: letters.Wish,
    at: str | None,
    key: str | None,
    undo_seconds: int,
    *,
    queue: bool,
) -> dict[str, Any]:
    from postroom.blobs import Blobs
    from postroom.posting import post, stamp_for
    from postroom.store import accounts

    owner = await tenant_id(tenant)
    due, date = due_at(at, undo_seconds)
    async with store("email_worker") as db:
        async with db.tenant(owner) as tx:
            account = await accounts.by_email(tx, email)
            letter = await letters.letter_of(tx, account, wish)
            stamp = stamp_for(account.email_address, uuid4(), date)
            outbox_id, is_new = await post(
                tx, Blobs(chosen()), account.id, letter, stamp, not_before=due, idempotency_key=key
            )
        is_now = is_new and not queue and at is None and not undo_seconds
        return await sent(db, owner, account.id, outbox_id, is_now=is_now) | {"is_new": is_new}


def due_at(at: str | None, undo_seconds: int) -> tuple[int, Any]:
    """When it may go out, in milliseconds, and the date that it bears."""
    now = letters.now()
    moment = letters.moment(at) if at else now
    date = max(moment, now)
    return int(date.timestamp() * 1000) + undo_seconds * 1000, date


async def sent(db: Any, owner: Any, account_id: Any, outbox_id: Any, *, is_now: bool) -> dict[str, Any]:
    """Send it at once if that is wanted; what is known of it then."""
    from postroom.cli.outbox import shown

    if is_now:
        tally = await send_due(db, owner, account_id)
        for problem in tally.problems:
            say(f"postroom: {problem}")
    async with db.tenant(owner) as tx:
        return await shown(tx, outbox_id)


def tell(found: dict[str, Any], tenant: str, *, as_json: bool) -> None:
    """Say how it stands, and end with exit code 17 where something was not sent."""
    if as_json:
        print_json(found)
    else:
        typer.echo(_sentence(found, tenant))
    is_refused = any(each["state"] == "refused" for each in found["recipients"])
    if (
        found["state"] in ("failed", "unknown")
        or is_refused
        or (found["attempts"] and found["state"] == "pending")
    ):
        raise typer.Exit(SendError.exit_code)


def _sentence(found: dict[str, Any], tenant: str) -> str:
    id_, names = found["id"], ", ".join(each["address"] for each in found["recipients"])
    taken = [each["address"] for each in found["recipients"] if each["state"] == "accepted"]
    match found["state"]:
        case "done":
            refused = [each for each in found["recipients"] if each["state"] == "refused"]
            lines = [f"Sent to {', '.join(taken)}: {found['server_reply']}"]
            lines += [f"Refused for {each['address']}: {each['code']} {each['reply']}" for each in refused]
            return "\n".join([*lines, id_])
        case "failed":
            return f"Not sent to {names}: {found['last_error']}\n{id_}"
        case "unknown":
            how = f"postroom outbox settle -t {tenant} {id_} --sent or --not-sent"
            return f"It may have been sent to {names}. When you know: {how}"
        case "pending" if found["attempts"]:
            return f"Not sent to {names} yet; due again at {_clock(found['not_before'])}.\n{id_}"
        case "cancelled":
            return f"Taken back; nothing is sent to {names}.\n{id_}"
        case _:
            when, undo = _clock(found["not_before"]), f"postroom outbox cancel -t {tenant} {id_}"
            return f"In the outbox for {names}, due at {when}. Take it back: {undo}"


def _clock(time: str) -> str:
    return datetime.fromisoformat(time).astimezone(local_zone()).strftime("%Y-%m-%d %H:%M:%S")
