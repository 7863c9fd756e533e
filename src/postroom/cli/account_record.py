"""account record: how an account's server speaks, in a file that holds nothing of the mail."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from postroom.cli.account import accounts_app
from postroom.cli.frame import (
    AccountOption,
    JsonOption,
    TenantOption,
    chosen,
    print_json,
    progress,
    run,
    store,
    tenant_id,
)
from postroom.errors import UsageError


@accounts_app.command()
def record(
    tenant: TenantOption,
    account: AccountOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to make.")] = Path("conversation.jsonl"),
    as_json: JsonOption = False,
) -> None:
    """Record how an account's IMAP server speaks, for a report of a bug: the account is read as a first sync reads it,
    and what is said on the way is written down without passwords, addresses, names and mail. Nothing is stored.

    Example:  postroom account record -t acme -a me@example.com -o conversation.jsonl
    """
    found = run(_record(tenant, account, out))
    if as_json:
        print_json(found)
        return
    typer.echo(
        f"Messages read: {found['messages']:,}, in folders: {found['folders']}; commands: {found['commands']:,},"
        f" over connections: {found['connections']}. Nothing was stored; all that was said is in {out}."
    )
    if found["unreadable"]:
        typer.echo(f"{found['unreadable']:,} messages could not be read.")
    if found["error"]:
        typer.echo(f"It ended with: {found['error']}")
    typer.echo(
        "It is text, without passwords, addresses, names and mail: look at it before you give it away."
    )


async def _record(tenant: str, email: str, out: Path) -> dict[str, Any]:
    from postroom.ops.master_key import master_key
    from postroom.store import accounts
    from postroom.sync.aside import aside
    from postroom.sync.opening import imap_source, way_in
    from postroom.sync.record import record as carry_out
    from postroom.wire.imap_record import Recorder

    owner = await tenant_id(tenant)
    async with store("email_worker") as db:
        async with db.tenant(owner) as tx:
            account = await accounts.by_email(tx, email)
        place, who = await way_in(db, chosen(), owner, account, master_key(chosen()))
        if place.protocol != "imap":
            raise UsageError(reason=f"{email} is no IMAP account; only conversations in IMAP are recorded.")
        ours = [email, who.username, *email.split("@")[:1], place.host]
        with _new(out) as file, progress(email, unit="messages") as show:
            recorder = Recorder(file, key=secrets.token_bytes(32), secrets=ours)
            source = imap_source(place, who, chosen(), witness=recorder.conversation)
            done = await aside(
                lambda: carry_out(source, recorder, lambda folder, at, total: show(at, total, folder))
            )
    return {
        "file": str(out),
        "folders": done.folders,
        "messages": done.messages,
        "unreadable": done.unreadable,
        "connections": recorder.connections,
        "commands": recorder.commands,
        "error": None if done.error is None else str(done.error),
    }


def _new(out: Path) -> Any:
    """A file that was not there, for its owner's eyes."""
    try:
        return os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
    except FileExistsError as error:
        raise UsageError(reason=f"{out} is there already; name another with --out.") from error
    except OSError as error:
        raise UsageError(reason=f"{out} cannot be written: {error.strerror}.") from error
