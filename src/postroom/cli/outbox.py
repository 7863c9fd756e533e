"""outbox: what was sent and is to be sent."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from postroom.cli import letters
from postroom.cli.frame import (
    AccountOption,
    JsonOption,
    TenantOption,
    app,
    local_zone,
    print_json,
    run,
    say,
    store,
    tenant_id,
)
from postroom.cli.mailbox import send_due
from postroom.errors import SendError, UsageError

outbox_app = typer.Typer(
    help="The outbox: what was sent, what waits, what nobody knows.", no_args_is_help=True
)
app.add_typer(outbox_app, name="outbox")
IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The message's id in the outbox, or its beginning.")
]


@outbox_app.command("list")
def list_(
    tenant: TenantOption,
    account: AccountOption,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="The newest so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """What an account sent and is to send, newest first.

    Example:  postroom outbox list -t acme -a me@example.com
    """
    rows = run(_list(tenant, account, limit))
    if as_json:
        print_json({"items": rows})
        return
    for row in rows:
        typer.echo(
            f"{row['state']:10}{_day(row['sent_at'] or row['not_before'])}  {row['subject'] or '(no subject)'}"
        )
        failed = f"  ({row['failed_recipients']} not delivered)" if row["failed_recipients"] else ""
        typer.echo(f"          {', '.join(row['recipients'])}{failed}")
        if row["last_error"] and row["state"] != "done":
            typer.echo(f"          {row['last_error']}")
        typer.echo(f"          {row['id']}")
    if not rows:
        typer.echo("Nothing was sent, and nothing waits.")


@outbox_app.command()
def show(tenant: TenantOption, id_: IdArgument, as_json: JsonOption = False) -> None:
    """One message of the outbox: its state, what the server said to each recipient, what was reported later.

    Example:  postroom outbox show -t acme 019a4c7e
    """

    async def work() -> dict[str, Any]:
        owner = await tenant_id(tenant)
        async with store("email_service") as db, db.tenant(owner) as tx:
            return await shown(tx, await _resolved(tx, id_))

    found = run(work())
    if as_json:
        print_json(found)
        return
    typer.echo(found["subject"] or "(no subject)")
    typer.echo(f"State     {found['state']}" + (f": {found['last_error']}" if found["last_error"] else ""))
    typer.echo(
        f"Sent      {_day(found['sent_at'])}"
        if found["sent_at"]
        else f"Due       {_day(found['not_before'])}"
    )
    if found["server_reply"]:
        typer.echo(f"Server    {found['server_reply']}")
    if found["copy_state"] != "none":
        typer.echo(
            f"Copy      {found['copy_state']}" + (f": {found['copy_error']}" if found["copy_error"] else "")
        )
    for each in found["recipients"]:
        said = f" ({each['code'] or ''} {each['reply']})".replace("( ", "(") if each["reply"] else ""
        typer.echo(f"To        {each['address']}: {each['state']}{said}")
        if each["report"]:
            typer.echo(f"          {each['report']} {_day(each['reported_at'])}: {each['report_text']}")
    typer.echo(f"Id        {found['id']}")
    typer.echo(f"Message   <{found['message_id']}>")


@outbox_app.command()
def cancel(tenant: TenantOption, id_: IdArgument, as_json: JsonOption = False) -> None:
    """Take a message back that has not gone out yet. What was a draft is one again.

    Example:  postroom outbox cancel -t acme 019a4c7e
    """
    from postroom import posting

    async def work() -> tuple[Any, Any]:
        owner = await tenant_id(tenant)
        async with store("email_worker") as db, db.tenant(owner) as tx:
            outbox_id = await _resolved(tx, id_)
            return outbox_id, await posting.cancel(tx, outbox_id)

    outbox_id, draft_id = run(work())
    if as_json:
        print_json({"id": str(outbox_id), "state": "cancelled", "draft_id": draft_id and str(draft_id)})
    else:
        typer.echo("Taken back." + (f" It is draft {draft_id} again." if draft_id else ""))


@outbox_app.command()
def settle(
    tenant: TenantOption,
    id_: IdArgument,
    was_sent: Annotated[
        bool | None, typer.Option("--sent/--not-sent", help="Not sent: it is sent now.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether an unknown message was sent. Look into the Sent folder, or ask a recipient, before you do.

    Example:  postroom outbox settle -t acme 019a4c7e --sent
    """
    from postroom import posting

    if was_sent is None:
        raise UsageError(reason="Say how it was: --sent or --not-sent. With --not-sent it is sent again.")

    async def work() -> tuple[Any, str]:
        owner = await tenant_id(tenant)
        async with store("email_worker") as db, db.tenant(owner) as tx:
            outbox_id = await _resolved(tx, id_)
            return outbox_id, await posting.settle(tx, outbox_id, was_sent=was_sent)

    outbox_id, state = run(work())
    if as_json:
        print_json({"id": str(outbox_id), "state": state})
    else:
        typer.echo(
            "Settled: it was sent."
            if state == "done"
            else "Settled: it waits to be sent, see postroom outbox run."
        )


@outbox_app.command("run")
def run_(
    tenant: TenantOption,
    account: Annotated[
        str | None,
        typer.Option("--account", "-a", help="Without it: every account that can send.", metavar="EMAIL"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Send what is due, settle what the mailbox can settle, put copies into Sent.

    Example:  postroom outbox run -t acme -a me@example.com
    """
    tally = run(_run(tenant, account))
    if as_json:
        print_json(tally)
    else:
        names = ("sent", "put_off", "failed", "unknown", "copied")
        parts = [
            f"{tally[name]:,} {name.replace('_', ' ')}" for name in names if tally[name] or name == "sent"
        ]
        typer.echo(", ".join(parts))
        for problem in tally["problems"]:
            say(f"postroom: {problem}")
    if tally["put_off"] or tally["failed"] or tally["unknown"]:
        raise typer.Exit(SendError.exit_code)


async def _run(tenant: str, email: str | None) -> dict[str, Any]:
    from postroom.outbox.run import Tally
    from postroom.store import accounts, senders

    owner, total = await tenant_id(tenant), Tally()
    async with store("email_worker") as db:
        async with db.tenant(owner) as tx:
            found = [await accounts.by_email(tx, email)] if email else await accounts.all_accounts(tx)
            found = [each for each in found if email or await senders.find(tx, each.id)]
        for account in found:
            total.add(await send_due(db, owner, account.id))
    return asdict(total)


async def _list(tenant: str, email: str, limit: int) -> list[dict[str, Any]]:
    from postroom.store import accounts, sends

    owner = await tenant_id(tenant)
    async with store("email_service") as db, db.tenant(owner) as tx:
        account = await accounts.by_email(tx, email)
        rows = await sends.of_account(tx, account.id, limit=limit)
    times = ("not_before", "created_at", "sent_at")
    return [row | {"id": str(row["id"])} | {name: time_of(row[name]) for name in times} for row in rows]


async def shown(tx: Any, outbox_id: Any) -> dict[str, Any]:
    """One message of the outbox as JSON shows it."""
    from postroom.store import sends

    row = await sends.get(tx, outbox_id)
    recipients = await sends.recipients_of(tx, outbox_id)
    times = ("not_before", "created_at", "updated_at", "sent_at")
    return {
        **{name: value for name, value in row.items() if name != "raw_blob"},
        **{name: str(row[name]) for name in ("id", "account_id")},
        **{name: time_of(row[name]) for name in times},
        "recipients": [each | {"reported_at": time_of(each["reported_at"])} for each in recipients],
    }


async def _resolved(tx: Any, prefix: str) -> Any:
    from postroom.store import sends

    return await letters.resolved(
        "message of the outbox",
        prefix,
        lambda each: sends.starting_with(tx, each),
        "See them: postroom outbox list.",
    )


def time_of(milliseconds: int | None) -> str | None:
    """RFC 3339 in UTC."""
    if milliseconds is None:
        return None
    return (
        datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )


def _day(time: str | None) -> str:
    """For people, in their own time zone."""
    return datetime.fromisoformat(time).astimezone(local_zone()).strftime("%Y-%m-%d %H:%M") if time else ""
