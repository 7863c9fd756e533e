"""upgrade: the next major version of PostgreSQL, and the way back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from postroom.cli.frame import JsonOption, app, as_typed, chosen, print_json, say
from postroom.errors import UsageError


@app.command()
def upgrade(
    to: Annotated[
        int | None, typer.Option("--to", help="The major version; without it the newest that is installed.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only see whether it can be done; the server is stopped meanwhile."),
    ] = False,
    link: Annotated[
        bool,
        typer.Option("--link", help="Take the files over instead of copying them; a backup is the way back."),
    ] = False,
    back: Annotated[bool, typer.Option("--back", help="Return to the data before the upgrade.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --back: what was written since is to go.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Delete the data before the upgrade.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the embedded server to the next major version of PostgreSQL, and prove that the same is in it.

    Rows, messages, row security, logins and rights are compared before the new data is taken into use. The old data stays
    until --finish.

    Example:  postroom upgrade --to 18
    """
    if sum((check, link, back, finish)) > 1 and not (check and link):
        raise UsageError(reason="--check, --link, --back and --finish are for one each.")
    if back:
        _back(yes=yes, as_json=as_json)
    elif finish:
        _finish(as_json=as_json)
    else:
        _upgrade(to, link=link, check=check, as_json=as_json)


def _upgrade(to: int | None, *, link: bool, check: bool, as_json: bool) -> None:
    from postroom.ops.upgrade.upgrade import upgrade as bring

    done = bring(chosen(), to=to, link=link, only_check=check, tell=say)
    if as_json:
        print_json({**asdict(done), "checked_only": check})
        return
    if check:
        typer.echo(f"It can be done: PostgreSQL {done.old} to {done.new}, by {done.how}.")
        return
    typer.echo(f"PostgreSQL {done.new}: {done.tables} tables with {done.rows:,} rows, the same as before.")
    if chosen().postgres_bin:
        say(
            f"POSTROOM_POSTGRES_BIN must name programs of {done.new.split('.')[0]} from now on, or be left out."
        )
    if done.backups_off:
        say(
            as_typed("Backups need a new place, as it is another server now: postroom backup enable --to DIR")
        )
    if done.way_back:
        say(f"The old data is in {done.way_back}.")
        say(as_typed("Delete it: postroom upgrade --finish"))
        say(as_typed("Return to it: postroom upgrade --back"))


def _back(*, yes: bool, as_json: bool) -> None:
    from postroom.ops.upgrade.back import back

    if not yes:
        raise UsageError(
            reason="What was written since the upgrade is not in the old data; say that it may go: "
            + as_typed("postroom upgrade --back --yes")
        )
    done = back(chosen())
    if as_json:
        print_json(asdict(done))
        return
    typer.echo(f"The data is that of PostgreSQL {done.version} again, as it was before the upgrade.")
    say(f"What was written since lies in {done.left}; delete that folder when nobody needs it.")


def _finish(*, as_json: bool) -> None:
    from postroom.ops.upgrade.back import finish

    made = finish(chosen())
    if as_json:
        print_json({"deleted": made.old_version})
    else:
        typer.echo(f"The data of PostgreSQL {made.old_version} is deleted.")
