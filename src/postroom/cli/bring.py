"""import: mail comes in from files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

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
    say,
    store,
    tenant_id,
)
from postroom.errors import Partial

_FOR_PEOPLE = ("held", "notes", "recognised")
"""What of a tally is said, not counted."""


@app.command("import")
def import_(
    tenant: TenantOption,
    account: AccountOption,
    paths: Annotated[list[Path], typer.Argument(help="mbox files, Maildirs, .eml files, folders of them.")],
    as_json: JsonOption = False,
) -> None:
    """Bring in mail from files. Twice is the same as once; an interrupted import goes on where it was.

    Example:  postroom import -t acme -a me@example.com ~/mail.mbox ~/Maildir letters/*.eml
    """
    tally, reasons = run(_import(tenant, account, paths))
    tell(tally, as_json=as_json)
    complain(tally, reasons)


async def _import(tenant: str, account: str, paths: list[Path]) -> tuple[Any, list[str]]:
    from postroom.blobs import Blobs
    from postroom.errors import SourceError
    from postroom.store import accounts
    from postroom.sync.importer import import_source
    from postroom.sync.ingest import Tally
    from postroom.wire.detect import open_path

    total, reasons, into = Tally(), [], None
    owner = await tenant_id(tenant)
    async with store("email_worker") as db:
        for path in paths:
            try:
                with open_path(path) as source, progress(path.name, unit="bytes") as show:
                    if into is None:  # not before there is mail: a mistyped path makes no account
                        async with db.tenant(owner) as tx:
                            into = await accounts.ensure(tx, account)
                    tally = await import_source(
                        db, Blobs(chosen()), chosen(), owner, into, source, report=show
                    )
            except SourceError as error:
                if len(paths) == 1:
                    raise
                reasons.append(str(error))
                continue
            total.add(tally)
            total.seconds += tally.seconds
    return total, reasons


def tell(tally: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(counted(tally))
        return
    parts = [f"{tally.stored:,} stored", f"{tally.already_there:,} already there"]
    parts += [f"{tally.vanished:,} vanished"] * bool(tally.vanished)
    parts += [f"{tally.reflagged:,} reflagged"] * bool(tally.reflagged)
    parts += [f"{tally.removed or 0:,} deleted on the server"] * bool(tally.removed)
    parts += [f"{tally.pushed or 0:,} changes told to the server"] * bool(tally.pushed)
    parts += [f"{tally.refused or 0:,} refused"] * bool(tally.refused)
    parts += [f"{tally.quarantined:,} in quarantine"] * bool(tally.quarantined)
    typer.echo(f"{', '.join(parts)} in {tally.seconds:.1f} s")


def counted(tally: Any) -> dict[str, Any]:
    """What of a tally is counted, as JSON shows it."""
    shown = {name: value for name, value in asdict(tally).items() if name not in _FOR_PEOPLE}
    return {name: value for name, value in shown.items() if value is not None}


def complain(tally: Any, reasons: list[str]) -> None:
    """Say what was left undone, and end with the exit code of it. Nothing happens where all was done."""
    quarantined = [str(Partial(failed=tally.quarantined))] if tally.quarantined else []
    for sentence in (*reasons, *quarantined):
        say(f"postroom: {sentence}")
    if reasons or quarantined:
        raise typer.Exit(Partial.exit_code)
