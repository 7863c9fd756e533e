"""tenant export and tenant import: a tenant leaves with all it has, and comes to another store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from postroom.cli.frame import JsonOption, chosen, print_json, progress, run, say
from postroom.cli.tenant import tenants
from postroom.errors import UsageError

KeyFileOption = Annotated[
    Path | None,
    typer.Option("--key-file", help="File with a passphrase or key for the credentials on their way."),
]


@tenants.command("export")
def export(
    name: Annotated[str, typer.Argument(help="The tenant's name.", metavar="TENANT")],
    out: Annotated[Path, typer.Argument(help="A path that is not there yet, ending in .tar or .tar.zst.")],
    with_credentials: Annotated[
        bool, typer.Option("--with-credentials", help="Passwords too, sealed with the key file.")
    ] = False,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write all that a tenant has into one archive, as it is at one moment: rows, bytes, and a hash of each.

    Example:  postroom tenant export acme acme.tar.zst
    """
    from postroom.ops.travel_key import read_secret

    if with_credentials != (key_file is not None):
        raise UsageError(
            reason="Credentials go out sealed with a key: give --with-credentials and --key-file together, or neither."
        )
    left = run(_export(name, out, read_secret(key_file) if key_file else None))
    if left.credentials_left_out:
        say(
            f"Left out: {left.credentials_left_out:,} credentials. Take them along with --with-credentials --key-file "
            "FILE, or give the accounts their passwords again: postroom account add."
        )
    if as_json:
        print_json({**asdict(left), "path": str(out)})
    else:
        typer.echo(f"{left.rows:,} rows and {left.blobs:,} blobs of {name} written to {out}")


async def _export(name: str, out: Path, secret: bytes | None) -> Any:
    from postroom.ops.leave import leave
    from postroom.store import system

    async with owner_store() as db:
        async with db.system() as tx:
            tenant = await system.tenant_named(tx, name)
        with progress(f"exporting {name}", unit="rows") as show:
            return await leave(db, chosen(), tenant, out, secret=secret, report=show)


@tenants.command("import")
def import_(
    archive: Annotated[Path, typer.Argument(help="What postroom tenant export has written.")],
    name: Annotated[str | None, typer.Option("--name", help="Another name for the tenant.")] = None,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a tenant in from an archive: the whole archive is checked first, and then all of it comes in, or nothing.

    Example:  postroom tenant import acme.tar.zst
    """
    from postroom.ops.travel_key import read_secret

    arrived = run(_import(archive, name, read_secret(key_file) if key_file else None))
    if arrived.folders_mended:
        say(
            f"Counted anew: {arrived.folders_mended:,} folders, whose counters were wrong where they came from."
        )
    if as_json:
        print_json(
            {
                "id": str(arrived.tenant.id),
                "name": arrived.tenant.name,
                "rows": arrived.rows,
                "blobs": arrived.blobs,
                "folders_mended": arrived.folders_mended,
            }
        )
    else:
        typer.echo(
            f"Tenant {arrived.tenant.name} is there: {arrived.rows:,} rows and {arrived.blobs:,} blobs, as they left."
        )


async def _import(archive: Path, name: str | None, secret: bytes | None) -> Any:
    from postroom.ops.arrive import arrive

    async with owner_store() as db:
        with progress(f"importing {archive.name}", unit="rows") as show:
            return await arrive(db, chosen(), archive, name=name, secret=secret, report=show)


@asynccontextmanager
async def owner_store() -> AsyncIterator[Any]:
    """The database as the owner of its tables, who may take as long as a whole tenant takes."""
    import asyncio

    from postroom.errors import DatabaseUnreachable
    from postroom.ops.provision import open_site, out_of_space
    from postroom.store.database import Database
    from postroom.store.moves import PROGRAM

    site = await asyncio.to_thread(open_site, chosen(), tell=say)
    try:
        async with Database(site.url("email_owner"), statement_timeout_seconds=0, program=PROGRAM) as db:
            yield db
    except DatabaseUnreachable as error:
        raise (out_of_space(chosen()) or error) from error
