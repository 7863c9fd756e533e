"""standby: a second server that follows the first, and takes its place."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.frame import JsonOption, app, as_typed, chosen, print_json, say

if TYPE_CHECKING:
    from postroom.ops.standby.promote import Promoted
    from postroom.ops.standby.status import Line, Status

standby = typer.Typer(
    help="A second server that follows the first, and takes its place when that is gone.",
    no_args_is_help=True,
)
app.add_typer(standby, name="standby")


@standby.command()
def create(
    into: Annotated[
        Path,
        typer.Option("--into", help="Its home: a folder that is empty or not there yet, on another disk."),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="What it is called; without it as its folder.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1024, max=65535, help="Without it a free one is chosen.")
    ] = None,
    synchronous: Annotated[
        bool,
        typer.Option("--synchronous", help="Let each commit wait until a standby has it: then none is lost."),
    ] = False,
    slot_limit: Annotated[
        str,
        typer.Option(
            "--slot-limit", help="How much of the log is kept for it while it is away.", metavar="SIZE"
        ),
    ] = "2GB",
    as_json: JsonOption = False,
) -> None:
    """Make a standby of this store, started and following. The primary goes on meanwhile.

    Example:  postroom standby create --into /mnt/other/postroom --synchronous
    """
    from postroom.ops.standby.create import Wish
    from postroom.ops.standby.create import create as make

    wish = Wish(
        folder=into.absolute(), name=name, port=port, synchronous=synchronous, slot_limit=_size(slot_limit)
    )
    done = make(chosen(), wish, say)
    if as_json:
        print_json({**asdict(done), "folder": str(done.folder)})
        return
    kind = "each commit waits for it" if done.is_synchronous else "commits do not wait for it"
    typer.echo(f"{done.name} follows {done.follows} on port {done.port}; {kind}.")
    if not done.slot_is_bounded:
        say(
            "How much of its log that server keeps for a standby that is away is its own setting: "
            "max_slot_wal_keep_size (-1: until the disk is full)."
        )
    say(as_typed("How far it is: postroom standby status"))
    say(f"When the primary is gone: postroom --data-dir {shlex.quote(str(done.folder))} standby promote")


@standby.command()
def status(as_json: JsonOption = False) -> None:
    """Every member: what it is, whether it follows, and how far behind it is in bytes and in seconds.

    Exit code 11 when there is something to be done, which is said.

    Example:  postroom standby status
    """
    from postroom.ops import members
    from postroom.ops.standby.status import status as ask

    known = members.read(chosen().home)
    if known is None:
        _of_a_server_alone(as_json=as_json)
        return
    found = ask(chosen(), known)
    if as_json:
        print_json({**asdict(found), "trouble": found.trouble})
    else:
        _show(found)
    if found.trouble:
        raise typer.Exit(11)


@standby.command()
def promote(as_json: JsonOption = False) -> None:
    """Let the standby in this home take the place of its primary, which is stopped, and fenced should it come back.

    Returns when the new primary has taken a write. Programs with the URL of postroom url find it by themselves.

    Example:  postroom --data-dir /mnt/other/postroom standby promote
    """
    from postroom.ops.standby.promote import promote as take_over

    done = take_over(chosen(), say)
    if as_json:
        print_json(asdict(done))
        return
    _tell(done)
    for name in done.fenced:
        say(f"{name} becomes a standby with: postroom --data-dir {_home(name)} standby rejoin")


@standby.command()
def switchover(
    to: Annotated[
        str | None, typer.Option("--to", help="Which standby; without it the only one.", metavar="NAME")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Let primary and standby change places, with nothing lost: for an upgrade of the machine, or to come back.

    Example:  postroom standby switchover
    """
    from postroom.ops.standby.promote import switchover as change_places

    done, old = change_places(chosen(), to, say)
    if as_json:
        print_json({**asdict(done), "old_primary": old})
        return
    _tell(done)
    typer.echo(f"{', '.join(done.fenced)}: {old}.")


@standby.command()
def rejoin(as_json: JsonOption = False) -> None:
    """Make the server in this home a standby again, after another took its place: by pg_rewind, else by a new copy.

    What it had committed and never sent is gone then.

    Example:  postroom --data-dir /var/lib/postroom standby rejoin
    """
    from postroom.ops.standby.rejoin import rejoin as come_back

    done = come_back(chosen(), say)
    if as_json:
        print_json(asdict(done))
        return
    kind = "each commit waits for a standby" if done.is_synchronous else "commits do not wait for it"
    typer.echo(f"{done.name} follows {done.follows} ({done.how}); {kind}.")


@standby.command()
def remove(
    name: Annotated[str, typer.Argument(help="The member that goes.")], as_json: JsonOption = False
) -> None:
    """Let a standby go: no commit waits for it, and no log is kept for it. Its folder stays, and is not started again.

    Example:  postroom standby remove other
    """
    from postroom.ops.standby.remove import remove as let_go

    primary = let_go(chosen(), name)
    if as_json:
        print_json({"removed": name, "primary": primary})
    else:
        typer.echo(f"{name} is no member any more; {primary} takes the writes.")


def _tell(done: Promoted) -> None:
    typer.echo(
        f"{done.name} takes writes on port {done.port} (timeline {done.timeline}), after {done.seconds} s."
    )
    if done.has_everything:
        say("It has everything that the old primary had written.")
    elif done.has_everything is False:
        say("The old primary had written more than it got; that is lost when the old one rejoins.")
    elif done.has_all_acknowledged:
        say("Nothing that was acknowledged is lost: each commit waited for this standby.")
    elif done.fenced:
        say("Whether the old primary had written more cannot be seen; what it acknowledged alone is lost.")


def _home(name: str) -> str:
    from postroom.ops import members

    known = members.read(chosen().home)
    return shlex.quote(str(known[name].home if known and name in known else "DIR"))


def _size(text: str) -> str:
    import re

    from postroom.errors import UsageError

    if not re.fullmatch(r"[1-9]\d*(MB|GB|TB)", text):
        raise UsageError(reason=f"--slot-limit is {text!r}; write a size such as 512MB or 2GB.")
    return text


def _of_a_server_alone(*, as_json: bool) -> None:
    """Of a server whose standbys somebody else made: what it says of those that follow."""
    from postroom.ops.provision import open_site
    from postroom.ops.standby.elsewhere import followers_of

    found = followers_of(open_site(chosen(), tell=say).url("postgres"))
    if as_json:
        print_json({"primary": None, "followers": found})
    elif not found:
        typer.echo(as_typed("No standby. Make one: postroom standby create --into DIR"))
    else:
        _table(
            ("standby", "state", "behind", "seconds", "commits wait"),
            [
                (
                    each["name"],
                    each["state"],
                    _bytes(each["behind_bytes"]),
                    _seconds(each["behind_seconds"]),
                    each["sync_state"],
                )
                for each in found
            ],
        )


def _show(found: Status) -> None:
    _table(
        ("member", "role", "state", "where", "behind", "seconds", "log kept"),
        [_row(each) for each in found.members],
    )
    if found.synchronous:
        names = ", ".join(found.waits_for) or "nobody"
        typer.echo(f"Commits wait for: {names}")
    if found.trouble:
        say(found.trouble)


def _row(each: Line) -> tuple[str, ...]:
    kept = _bytes(each.slot_kept_bytes) if each.slot_state != "lost" else "lost"
    state = f"{each.state}, sync" if each.synchronous else each.state
    return (
        each.name,
        each.role,
        state,
        each.where,
        _bytes(each.behind_bytes),
        _seconds(each.behind_seconds),
        kept,
    )


def _table(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for name in names:
        right = name in ("behind", "seconds", "log kept")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(highlight=False).print(table)


def _bytes(size: int | None) -> str:
    from postroom.cli.server import readable_size

    return "" if size is None else readable_size(size)


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"
