"""export and sample: mail goes out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from postroom.cli.frame import (
    AccountOption,
    JsonOption,
    TenantOption,
    app,
    chosen,
    print_json,
    progress,
    run,
    store,
    tenant_id,
)


@app.command()
def export(
    tenant: TenantOption,
    account: AccountOption,
    out: Annotated[Path, typer.Argument(help="A path that is not there yet.")],
    format_: Annotated[str, typer.Option("--format", "-f", help="mbox, maildir or eml.")] = "maildir",
    as_json: JsonOption = False,
) -> None:
    """Write all mail of an account to files, byte for byte.

    Example:  postroom export -t acme -a me@example.com --format mbox me.mbox
    """
    exported = run(_export(tenant, account, out, format_))
    if as_json:
        print_json({"exported": exported, "path": str(out)})
    else:
        typer.echo(f"{exported:,} messages written to {out}")


async def _export(tenant: str, email: str, out: Path, format_: str) -> int:
    from postroom.blobs import Blobs
    from postroom.mime.recipe import Recipe
    from postroom.store import accounts, messages
    from postroom.wire.export import open_sink

    owner = await tenant_id(tenant)
    blobs, number = Blobs(chosen()), 0
    async with store("email_service") as db, db.tenant(owner) as tx:
        account = await accounts.by_email(tx, email)
        total, _ = await messages.count_of(tx, account.id)
        with open_sink(format_, out) as sink, progress(out.name, unit="messages") as show:
            async for row in messages.to_export(tx, account.id):
                recipe = Recipe.from_json(row["raw_recipe"]) if row["raw_recipe"] else None
                stream = blobs.message(tx, bytes(row["content_hash"]), bytes(row["raw_blob"]), recipe)
                pieces = [piece async for piece in stream]
                number += 1
                sink.add(
                    next(iter(row["folders"]), "INBOX"),
                    pieces,
                    number=number,
                    flags=frozenset(row["flags"]),
                    received_at=datetime.fromtimestamp(row["received_at"] / 1000, UTC),
                )
                show(number, total)
    return number


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(help="A path that is not there yet.")],
    format_: Annotated[str, typer.Option("--format", "-f", help="mbox, maildir or eml.")] = "maildir",
    messages: Annotated[int, typer.Option("--messages", "-n", min=1, help="How many.")] = 400,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same mail.")] = 1,
) -> None:
    """Write the mailbox of an invented person, to try things with.

    Example:  postroom sample ./sample --messages 400
    """
    from postroom.sample import generate
    from postroom.wire.export import open_sink

    with open_sink(format_, out) as sink:
        for number, each in enumerate(generate(messages, seed), 1):
            sink.add(each.folder, [each.raw], number=number, flags=each.flags, received_at=each.received_at)
    typer.echo(f"{messages:,} messages written to {out}")
