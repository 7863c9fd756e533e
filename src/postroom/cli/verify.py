"""verify: an account held against its server, and put right."""

from __future__ import annotations

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
from postroom.cli.mailbox import opened
from postroom.errors import Unequal
from postroom.ids import now_ms
from postroom.ops.report_file import as_time

_WORDS = {
    "missing": "missing",
    "pending": "pending",
    "surplus": "no longer there",
    "flags": "other flags",
    "content": "other bytes",
    "damaged": "damaged here",
}


@app.command()
def verify(
    tenant: TenantOption,
    account: AccountOption,
    deep: Annotated[
        bool, typer.Option("--deep", help="Fetch every message again, and compare the bytes.")
    ] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Fetch what is missing, correct flags, replace what is damaged."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare an account with its server afresh, and what is stored with its own hashes; exit code 15 where they differ.

    With --json the outcome is signed, for `postroom report verify`.

    Example:  postroom verify -t acme -a me@example.com --repair
    """
    key = _signing_key() if as_json else None  # now, and not after hours
    begun_at = now_ms()
    count, last, tally = run(_verify(tenant, account, deep=deep, repair=repair))
    left = sum(each.difference.count for each in last)
    mended = max(count - left, 0) if repair else 0
    if key is not None:
        report = {
            "kind": "postroom.verification",
            "version": 1,
            "tenant": tenant,
            "account": account.lower(),
            "begun_at": as_time(begun_at),
            "finished_at": as_time(now_ms()),
            "is_deep": deep,
            "is_equal": left == 0,
            "repaired": mended,
            "folders": [_row(each) for each in last],
        }
        print_json(key.sign(report))
    else:
        _show(last)
        if repair:
            typer.echo(f"{mended:,} differences mended, {left:,} left")
    for note in tally.notes:
        say(note[0].upper() + note[1:])
    for sentence in tally.held:
        say(f"postroom: {sentence}")
    if left:
        mend = (
            "What is left cannot be mended from the server: restore it from a backup."
            if repair
            else f"Mend it: postroom verify -t {tenant} -a {account} --repair."
        )
        raise Unequal(account=account, count=left, mend=mend)


def _signing_key() -> Any:
    from postroom.ops.signing import signing_key

    return signing_key(chosen())


async def _verify(tenant: str, email: str, *, deep: bool, repair: bool) -> tuple[int, list[Any], Any]:
    from postroom.blobs import Blobs
    from postroom.store import accounts
    from postroom.sync.ingest import Tally
    from postroom.sync.mend import Mender
    from postroom.sync.verify import Verifier

    owner = await tenant_id(tenant)
    async with store("email_worker") as db:
        async with db.tenant(owner) as tx:
            account = await accounts.by_email(tx, email)
        # A POP3 server has no folders to be compared: what is stored is held against its own hashes.
        is_alone = account.hostname is None or account.protocol == "pop3"
        source = None if is_alone else (await opened(db, owner, account)).source
        blobs = Blobs(chosen())
        try:
            with progress(email, unit="messages") as show:

                def verifier() -> Verifier:
                    return Verifier(
                        db,
                        blobs,
                        owner,
                        account,
                        source,
                        is_deep=deep,
                        report=lambda folder, done, total: show(done, total, folder),
                    )

                found = await verifier().run()
                count = sum(each.difference.count for each in found)
                if not repair:
                    return count, found, Tally()
                done = await Mender(db, blobs, chosen(), owner, account, source).run(found)
                return count, await verifier().run(), done
        finally:
            if source is not None:
                source.close()


def _row(found: Any) -> dict[str, Any]:
    ledger = found.ledger
    return {
        "name": found.name,
        "is_gone": bool(ledger and ledger.is_deleted),
        "server": found.server,
        "stored": ledger.stored if ledger else 0,
        "purged": ledger.purged if ledger else 0,
        "pending": ledger.pending if ledger else 0,
        "quarantined": ledger.quarantined if ledger else 0,
        "gone": ledger.gone if ledger else 0,
        "changes": found.changes,
        "differences": found.difference.by_kind(),
    }


def _show(found: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = ("folder", "server", "stored", "purged", "pending", "quarantine", "gone", "difference")
    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column, justify="left" if column in ("folder", "difference") else "right")
    for each in found:
        row = _row(each)
        differences = [f"{len(uids):,} {_WORDS[kind]}" for kind, uids in row["differences"].items() if uids]
        table.add_row(
            each.name + (" (gone)" if row["is_gone"] else ""),
            "" if each.server is None else f"{each.server:,}",
            *(f"{row[name]:,}" for name in ("stored", "purged", "pending", "quarantined", "gone")),
            ", ".join(differences)
            or ("none" if not each.changes else f"none but {each.changes:,} pending changes"),
            style="yellow" if differences else None,
        )
    Console().print(table if found else "There are no folders yet.")
