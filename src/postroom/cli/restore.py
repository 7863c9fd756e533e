"""restore and drill: the way back."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.backup import ScratchOption, show_verdict
from postroom.cli.frame import JsonOption, app, chosen, local_zone, print_json, progress, run, say
from postroom.errors import UsageError

if TYPE_CHECKING:
    from postroom.ops.backup.rebuild import Source
    from postroom.ops.backup.restore import Restored
    from postroom.ops.backup.target import Target


@app.command()
def restore(
    into: Annotated[
        Path | None, typer.Option("--into", help="A folder that is empty or not there yet.")
    ] = None,
    to_time: Annotated[
        str | None,
        typer.Option(
            "--to-time", help="'2026-11-23 14:03', in your time zone; without it as far as the archive goes."
        ),
    ] = None,
    to_point: Annotated[
        str | None, typer.Option("--to-point", help="A moment that postroom backup point has named.")
    ] = None,
    backup_id: Annotated[
        str | None, typer.Option("--backup", help="The very end of this backup.", metavar="ID")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", "-t", help="Only this tenant, into the living store.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="With --tenant: another name for it.")] = None,
    place: Annotated[
        str | None,
        typer.Option("--from", help="The place of the backups, where this machine does not know it."),
    ] = None,
    key_file: Annotated[Path | None, typer.Option("--key-file", help="The backup key.")] = None,
    scratch: ScratchOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a store in another folder, as everything was at one moment. The living store is not touched.

    Example:  postroom restore --to-time '2026-11-23 14:03' --into /var/lib/postroom-restored
    """
    from postroom.ops.backup.flush import flush
    from postroom.ops.backup.restore import restore as make

    target = _target(to_time, to_point, backup_id)
    if (into is None) == (tenant is None) or (name and not tenant):
        raise UsageError(
            reason="Name where to restore to: --into DIR for everything, or --tenant NAME for one tenant."
        )
    source = _source(place, key_file)
    if place is None and not backup_id:
        flush(chosen())  # what was done a moment ago is to be restored as well
    if tenant:
        arrived = _restore_tenant(source, target, tenant, name, scratch)
        if as_json:
            print_json(
                {
                    "id": str(arrived.tenant.id),
                    "name": arrived.tenant.name,
                    "rows": arrived.rows,
                    "blobs": arrived.blobs,
                }
            )
        else:
            typer.echo(
                f"Tenant {arrived.tenant.name} is back: {arrived.rows:,} rows and {arrived.blobs:,} blobs."
            )
        return
    assert into is not None
    with progress("restoring", unit="steps") as show:
        done = make(source, target, into.absolute(), show)
    if as_json:
        print_json(asdict(done) | {"folder": str(done.folder), "target": str(target)})
        return
    _show(done, target)


@app.command()
def drill(scratch: ScratchOption = None, as_json: JsonOption = False) -> None:
    """Prove that there is a way back: take a backup, write a marker, then another, and restore to the moment between.

    The restored server lies in a scratch folder that goes with it; the living one is neither stopped nor changed.

    Example:  postroom drill
    """
    from postroom.ops.backup.drill import drill as exercise

    with progress("drill", unit="steps") as show:
        done = exercise(chosen(), show, parent=scratch)
    if as_json:
        print_json(asdict(done) | {"moment": done.moment.isoformat()})
        return
    typer.echo(f"Backup     {done.backup}, {done.backup_seconds} s")
    typer.echo(f"Archive    the log was there after {done.archive_seconds} s")
    typer.echo(
        f"Restored   to {_local(done.moment)} from {done.segments} files of the log, {done.restore_seconds} s"
    )
    typer.echo("Markers    the one before that moment is there, the one after it is not")
    show_verdict(done.verdict)


def _restore_tenant(
    source: Source, target: Target, tenant: str, name: str | None, scratch: Path | None
) -> Any:
    from postroom.cli.move import owner_store
    from postroom.ops.backup.tenant import restore_tenant

    with progress(f"restoring {tenant}", unit="steps") as show:
        parent = scratch or chosen().home
        return restore_tenant(source, target, tenant, name, owner_store, run, show, parent=parent)


def _target(to_time: str | None, to_point: str | None, backup_id: str | None) -> Target:
    from postroom.ops.backup.target import Target

    if sum(each is not None for each in (to_time, to_point, backup_id)) > 1:
        raise UsageError(reason="Name one moment: --to-time, --to-point or --backup.")
    moment = None
    if to_time is not None:
        try:
            moment = datetime.fromisoformat(to_time.strip())
        except ValueError as error:
            raise UsageError(
                reason=f"{to_time!r} is no moment; write '2026-11-23 14:03' or 2026-11-23T14:03:00+01:00."
            ) from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=local_zone())
    return Target(time=moment, point=to_point, backup_id=backup_id)


def _source(place: str | None, key_file: Path | None) -> Source:
    from postroom.ops.backup.arrangement import FILE, KEY, Arrangement, of_home
    from postroom.ops.backup.verify import source_of

    home = chosen().home
    if place is None and key_file is None:
        return source_of(chosen())
    known = of_home(home) if place is None or (home / FILE).exists() else None
    plan = Arrangement(
        to=place or (known.to if known else ""),
        key_file=key_file or (known.key_file if known else chosen().backup_key_file or home / KEY),
        endpoint=chosen().s3_endpoint or (known.endpoint if known else None),
        environment=dict(os.environ),
    )
    return source_of(chosen(), plan=plan)


def _show(done: Restored, target: Target) -> None:
    verdict = done.verdict
    typer.echo(f"{done.folder} holds everything as of {target}")
    last = (
        f"; the last transaction in it is of {done.last_transaction_at}" if done.last_transaction_at else ""
    )
    typer.echo(f"From {done.backup} and {done.segments:,} files of the log{last}")
    typer.echo(
        f"{verdict.tables} tables, {verdict.rows:,} rows; {verdict.messages:,} messages put together and hashed"
    )
    if done.blob_store:
        typer.echo(f"{done.blobs:,} blobs in {done.blob_store.removeprefix('local:')}")
    if done.blobs_missing:
        say(
            f"Missing: {done.blobs_missing:,} blobs, written after the last backup and nowhere to be found now."
        )
    say("Its backups are switched off: choose a place of its own for them when it is the living one.")
    variable = f"POSTROOM_BLOB_STORE={shlex.quote(done.blob_store)} " if done.blob_store else ""
    program = f"postroom --data-dir {shlex.quote(str(done.folder))}"
    say(f"Look at it: {variable}{program} status")
    say(
        f"Switch to it: postroom down && {variable}{program} up --detach, and set POSTROOM_HOME={shlex.quote(str(done.folder))}"
    )


def _local(at: datetime) -> str:
    return at.astimezone(local_zone()).strftime("%Y-%m-%d %H:%M:%S.%f")
