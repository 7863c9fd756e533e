"""The frame of every command: the options that all of them take, the store behind them, what they print."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, tzinfo
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import orjson
import typer

from postroom import __version__, settings
from postroom.cli import interrupts
from postroom.errors import DatabaseUnreachable

app = typer.Typer(
    name="postroom",
    help="Mail in your own PostgreSQL: bring it in, keep it in step, find it, get it out again.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

T = TypeVar("T")
TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's name.", metavar="NAME")]
AccountOption = Annotated[
    str, typer.Option("--account", "-a", help="The account's address.", metavar="EMAIL")
]
AsUserOption = Annotated[
    UUID | None,
    typer.Option(
        "--as-user", help="See what this user may see; without it: the whole tenant.", metavar="UUID"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

_chosen: dict[str, settings.Settings] = {}


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"postroom {__version__}")
        raise typer.Exit


@app.callback()
def options(
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Where the embedded server keeps its data (POSTROOM_HOME)."),
    ] = None,
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            callback=lambda value: _version(value=value),
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Read the settings once, at the front door."""
    _chosen["settings"] = settings.load(home=data_dir)


def chosen() -> settings.Settings:
    """The settings of this run."""
    return _chosen["settings"]


def as_typed(commands: str) -> str:
    """Commands of ours as they must be typed to reach the same store: with --data-dir where this run had one."""
    if settings.load().home == chosen().home:
        return commands
    program = f"postroom --data-dir {shlex.quote(str(chosen().home))} "
    return re.sub(r"(^|&& |; |\|\| )((?:\w+=\S+ )?)postroom (?=[a-z])", rf"\1\2{program}", commands)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work. Ctrl-C ends it between two statements; the open transaction is rolled back."""
    with interrupts.left_to_asyncio():
        return asyncio.run(work)


@cache
def local_zone() -> tzinfo:
    """The time zone of the person at this machine: what they mean by a day. TZ, else /etc/localtime, else UTC."""
    from zoneinfo import ZoneInfo

    try:
        if name := os.environ.get("TZ", "").lstrip(":"):
            return ZoneInfo(name)
        with Path("/etc/localtime").open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError, KeyError):
        return UTC


def say(line: str) -> None:
    """To people, on standard error: standard output is for results."""
    sys.stderr.write(line + "\n")


def print_json(value: Any) -> None:
    sys.stdout.write(
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode() + "\n"
    )


@asynccontextmanager
async def store(role: str, *, max_connections: int = 4) -> AsyncIterator[Any]:
    """The database as one of its logins; the embedded server is started when it is down."""
    from postroom.ops.provision import open_site, out_of_space
    from postroom.store.database import Database

    site = await asyncio.to_thread(open_site, chosen(), tell=say)
    seconds = chosen().statement_timeout_seconds
    db = Database(site.url(role), max_connections=max_connections, statement_timeout_seconds=seconds)
    try:
        async with db:
            yield db
    except DatabaseUnreachable as error:
        raise (out_of_space(chosen()) or error) from error


async def tenant_id(name: str) -> Any:
    """The id of a tenant. Raises NotFound."""
    from postroom.store import system

    async with store("email_worker") as db, db.system() as tx:
        return (await system.tenant_named(tx, name)).id


@contextmanager
def progress(title: str, *, unit: str) -> Iterator[Any]:
    """A bar with rate and time left on standard error; silent when nobody looks. Call it with (done, total).

    The unit `steps` is for work of several kinds, each named by the text: a bar alone, and the time that passed.
    """
    if not sys.stderr.isatty():
        yield lambda done, total, _text=None: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    counted = [DownloadColumn(), TransferSpeedColumn()] if unit == "bytes" else [MofNCompleteColumn()]
    columns = [TextColumn("{task.description}"), BarColumn(), *counted, TimeRemainingColumn()]
    if unit == "steps":
        columns = [TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)

        def show(done: int, total: int, text: str | None = None) -> None:
            bar.update(task, completed=done, total=total or None, description=text or title)

        yield show
