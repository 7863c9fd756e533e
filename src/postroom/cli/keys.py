"""keys: the master key that seals credentials, and its successor."""

from __future__ import annotations

import typer

from postroom.cli.frame import JsonOption, app, chosen, print_json, run, store
from postroom.ops import rotation
from postroom.ops.key_files import new_key

keys_app = typer.Typer(help="Keys: what seals the credentials, and how it is changed.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")


@keys_app.command()
def status(as_json: JsonOption = False) -> None:
    """Which master keys there are, and how many credentials each has sealed.

    Example:  postroom keys status
    """

    async def work() -> rotation.Keys:
        async with store("email_worker") as db:
            return await rotation.status(db, chosen())

    found = run(work())
    if as_json:
        keys = [
            {"key_id": each, "current": each == found.key_ids[0], "credentials": found.sealed.get(each, 0)}
            for each in found.key_ids
        ]
        print_json({"source": found.source, "keys": keys, "missing": found.missing})
        return
    typer.echo(f"The master key is in {found.source}")
    for each in found.key_ids:
        role = "current" if each == found.key_ids[0] else "older"
        typer.echo(f"{each}  {role:8} credentials: {found.sealed.get(each, 0)}")
    for each in found.missing:
        typer.echo(f"{each}  MISSING  credentials: {found.sealed[each]}, which nothing here opens")


@keys_app.command()
def rotate(as_json: JsonOption = False) -> None:
    """Seal all credentials with a new master key, while everything goes on. Interrupted, it goes on where it was.

    Example:  postroom keys rotate
    """

    async def work() -> int:
        async with store("email_worker") as db:
            return await rotation.rotate(db, chosen())

    count = run(work())
    if as_json:
        print_json({"resealed": count})
    else:
        typer.echo(
            f"Credentials sealed anew: {count}. The old key still opens; drop it later: postroom keys forget"
        )


@keys_app.command()
def forget(as_json: JsonOption = False) -> None:
    """Drop the older master keys, which nothing needs any more. Backups from before still need them.

    Example:  postroom keys forget
    """

    async def work() -> list[str]:
        async with store("email_worker") as db:
            return await rotation.forget(db, chosen())

    gone = run(work())
    if as_json:
        print_json({"forgotten": gone})
    else:
        typer.echo(f"Forgotten: {', '.join(gone) or 'nothing, there was no older key'}")


@keys_app.command()
def new(as_json: JsonOption = False) -> None:
    """Print a new master key, for whoever keeps it somewhere else than in a file of Postroom's.

    Example:  postroom keys new
    """
    if as_json:
        print_json({"key": new_key()})
    else:
        typer.echo(new_key())
