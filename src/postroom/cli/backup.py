"""backup: switch backups on, take, list, verify and let them go."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.frame import JsonOption, app, as_typed, chosen, print_json, progress, say
from postroom.errors import BackupError, UsageError

if TYPE_CHECKING:
    from postroom.ops.backup.manifest import Manifest
    from postroom.ops.backup.verify import Verdict

backups = typer.Typer()
app.add_typer(backups, name="backup")
ScratchOption = Annotated[
    Path | None,
    typer.Option(
        "--scratch", help="Where the scratch server lies; without it in the data folder's own disk."
    ),
]
_KINDS = ("full", "incremental", "dump")


@backups.callback(invoke_without_command=True)
def backup(
    context: typer.Context,
    kind: Annotated[
        str,
        typer.Option("--kind", "-k", help="full, incremental (PostgreSQL 17 and newer) or dump (pg_dump)."),
    ] = "full",
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", min=1, help="Afterwards keep only so many chains; the last verified one always stays."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Take a backup: compressed, sealed with the backup key, without stopping anybody.

    Example:  postroom backup --kind incremental --keep 4
    """
    if context.invoked_subcommand:
        return
    from postroom.ops.backup.dump import take_dump
    from postroom.ops.backup.prune import prune
    from postroom.ops.backup.take import take

    wanted: Any = kind
    if kind not in _KINDS:
        raise UsageError(reason=f"There is no kind of backup {kind!r}; there are {', '.join(_KINDS)}.")
    with progress(f"backup ({kind})", unit="steps") as show:
        made = take_dump(chosen(), show) if kind == "dump" else take(chosen(), wanted, show)
    pruned = prune(chosen(), keep) if keep else None
    if as_json:
        print_json(_row(made) | {"pruned": asdict(pruned) if pruned else None})
        return
    typer.echo(f"{made.id}: {_size(made.data_bytes)} of data in {_size(made.stored_bytes)}{_blobs(made)}")
    if pruned and pruned.removed:
        typer.echo(f"Let go: {', '.join(pruned.removed)}")
    if not any((made.verified_at, pruned)):
        say(as_typed(f"See whether it can be restored: postroom backup verify {made.id}"))


@backups.command()
def enable(
    to: Annotated[str, typer.Option("--to", help="A folder, on another disk, or s3://bucket/prefix.")],
    restart: Annotated[
        bool, typer.Option("--restart", help="Restart the embedded server, which archives its log only then.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Choose the place of the backups, and let the server archive its log there.

    Example:  postroom backup enable --to /mnt/backup/postroom --restart
    """
    from postroom.ops.backup.enable import enable as switch_on

    done = switch_on(chosen(), to, restart=restart, environment=os.environ)
    if as_json:
        print_json({**asdict(done), "key_file": str(done.key_file)})
        return
    typer.echo(f"Backups go to {done.to}")
    if done.is_new_key:
        say(
            f"The key is new: {done.key_file}. Keep a copy away from this machine: without it no backup can be read."
        )
    if chosen().database_url:
        say("That server is not ours: dumps can be taken of it, and no log is archived.")
    elif not done.archives:
        say(as_typed("The log is archived after a restart: postroom down && postroom up --detach"))


@backups.command()
def disable(as_json: JsonOption = False) -> None:
    """Stop archiving the log. The backups that are there stay.

    Example:  postroom backup disable
    """
    from postroom.ops.backup.enable import disable as switch_off

    switch_off(chosen())
    if as_json:
        print_json({"disabled": True})
    else:
        typer.echo("Backups are switched off; those that are there stay.")


@backups.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Every backup, oldest first, and how far the archive of the log reaches.

    Example:  postroom backup list
    """
    from postroom.ops.backup import manifest, wal
    from postroom.ops.backup.verify import source_of

    source = source_of(chosen())
    found = manifest.read_all(source.place)
    segments = wal.segments(source.archive) if not chosen().database_url else []
    physical = [each for each in found if each.kind != "dump"]
    gap = wal.first_gap(segments, physical[0].start_segment) if physical else None
    if as_json:
        archive = {"last": segments[-1] if segments else None, "missing": gap[0] if gap else None}
        print_json({"place": source.place.root, "items": [_row(each) for each in found], "archive": archive})
        return
    if not found:
        typer.echo(as_typed("No backups yet: postroom backup"))
        return
    _show(found)
    if gap:
        say(
            f"The archive lacks {gap[0]}, though it has {gap[1]}: there is no way past it but a backup that came later."
        )
    elif segments and physical:
        typer.echo(
            f"Restores to any moment after {_at(physical[0].finished_at)}; the log is archived up to {segments[-1]}."
        )


@backups.command()
def verify(
    backup_id: Annotated[
        str | None, typer.Argument(help="Its id; without one the newest.", metavar="[ID]")
    ] = None,
    scratch: ScratchOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into a scratch server, start it, and hold it against what was written down.

    Compared are the hashes of everything read, the rows of every table, forced row security, and the bytes of a sample of
    messages. The living server is not touched.

    Example:  postroom backup verify
    """
    from postroom.ops.backup.verify import verify as prove
    from postroom.ops.backup.verify import verify_dump

    with progress("verifying", unit="steps") as show:
        if backup_id and backup_id.endswith("-dump"):
            verdict = verify_dump(chosen(), backup_id, parent=scratch)
        else:
            verdict = prove(chosen(), backup_id, show, parent=scratch)
    if as_json:
        print_json(asdict(verdict))
    else:
        show_verdict(verdict)
    if verdict.faults:
        raise BackupError(
            reason=f"{verdict.backup} is not whole: {verdict.faults[0]}.",
            mend="Take a new one: postroom backup.",
        )


@backups.command()
def prune(
    keep: Annotated[int, typer.Option("--keep", min=1, help="How many of the newest chains and dumps stay.")],
    as_json: JsonOption = False,
) -> None:
    """Let old backups go, with the log and the blobs that only they need. The last verified chain always stays.

    Example:  postroom backup prune --keep 4
    """
    from postroom.ops.backup.prune import prune as let_go

    done = let_go(chosen(), keep)
    if as_json:
        print_json(asdict(done))
        return
    typer.echo(
        f"{len(done.removed)} backups let go, {len(done.kept)} kept; {done.segments:,} files of the log, {done.blobs:,} blobs"
    )
    if done.kept_as_verified:
        say(f"Kept because it is the last verified one: {done.kept_as_verified}")


@backups.command()
def point(
    name: Annotated[str, typer.Argument(help="A name for this moment.")],
    as_json: JsonOption = False,
) -> None:
    """Name this moment, to come back to: before an upgrade, an import, a large purge.

    Example:  postroom backup point before-the-purge
    """
    from postroom.ops.backup.count import QUERIES, connected, rows
    from postroom.ops.provision import open_site

    with connected(open_site(chosen(), tell=say).url("postgres")) as connection:
        (made,) = rows(connection, QUERIES.restore_point, name=name)
        rows(connection, QUERIES.switch)  # so that the archive has it within seconds
    if as_json:
        print_json({"name": name, "lsn": made["lsn"]})
    else:
        typer.echo(as_typed(f"Come back to it: postroom restore --to-point {shlex.quote(name)} --into DIR"))


@backups.command()
def extract(
    backup_id: Annotated[str, typer.Argument(help="The id of a dump.", metavar="ID")],
    folder: Annotated[Path, typer.Argument(help="Where the files go.", metavar="DIR")],
    as_json: JsonOption = False,
) -> None:
    """Write a dump out unsealed, as pg_restore and psql read it: database.dump and roles.sql.

    Example:  postroom backup extract 20261123-140300-dump ./dump
    """
    from postroom.ops.backup.dump import extract as write_out
    from postroom.ops.backup.manifest import chosen as by_id
    from postroom.ops.backup.manifest import read_all
    from postroom.ops.backup.verify import source_of

    source = source_of(chosen())
    written = write_out(source, by_id(read_all(source.place), backup_id), folder)
    if as_json:
        print_json({"files": [str(each) for each in written]})
    else:
        typer.echo("\n".join(str(each) for each in written))


def show_verdict(verdict: Verdict) -> None:
    blobs = f", {verdict.blobs:,} blobs outside the database" if verdict.blobs else ""
    messages = f", {verdict.messages:,} messages put together and hashed" if verdict.messages else ""
    typer.echo(f"{verdict.backup}: {verdict.tables} tables, {verdict.rows:,} rows{messages}{blobs}")
    for fault in verdict.faults:
        say(f"wrong: {fault}")
    if not verdict.faults:
        typer.echo("It can be restored: a server started from it, and answers rightly.")


def _show(found: list[Manifest]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("backup", "ended", "data", "stored", "verified"):
        table.add_column(name, justify="right" if name in ("data", "stored") else "left", no_wrap=True)
    for each in found:
        table.add_row(
            f"  {each.id}" if each.parent else each.id,
            _at(each.finished_at),
            _size(each.data_bytes),
            _size(each.stored_bytes),
            _at(each.verified_at) if each.verified_at else "never",
            style=None if each.verified_at else "yellow",
        )
    Console().print(table)


def _row(each: Manifest) -> dict[str, Any]:
    return {
        "id": each.id,
        "kind": each.kind,
        "parent": each.parent,
        "begun_at": each.begun_at,
        "finished_at": each.finished_at,
        "server": each.server,
        "data_bytes": each.data_bytes,
        "stored_bytes": each.stored_bytes,
        "blobs": each.blobs.get("count", 0),
        "verified_at": each.verified_at,
    }


def _blobs(made: Manifest) -> str:
    return f", {made.blobs['new']:,} new of {made.blobs['count']:,} blobs" if made.blobs else ""


def _size(size_bytes: int) -> str:
    from postroom.cli.server import readable_size

    return readable_size(size_bytes)


def _at(text: str) -> str:
    from datetime import datetime

    from postroom.cli.frame import local_zone

    return datetime.fromisoformat(text).astimezone(local_zone()).strftime("%Y-%m-%d %H:%M")
