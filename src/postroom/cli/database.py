"""db: what the database says of itself, and sessions that nobody uses any more."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from postroom.cli.frame import JsonOption, app, chosen, print_json, say
from postroom.cli.lengths import seconds_of

database = typer.Typer(
    help="The database behind the store, for whoever looks after it.", no_args_is_help=True
)
app.add_typer(database, name="db")

_MOST_ROWS = 20
_CLIPPED = 100
_WIDTH = 120
_LONG = {"query", "blocker_query", "note", "advice"}


@database.command()
def report(
    section: Annotated[
        list[str] | None, typer.Option("--section", "-s", help="Only this one; may be given again.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Connections, locks, slow statements, bloat, cache, indexes, standbys, archive and tenants as tables.

    Example:  postroom db report --section connections --section locks
    """
    from postroom.ops import report as ops
    from postroom.ops.provision import open_site

    sections = ops.chosen_sections(section or [])
    found = ops.report(open_site(chosen(), tell=say).url("postgres"), sections)
    if as_json:
        print_json({name: [_plain(row) for row in rows] for name, rows in found.items()})
        return
    for each in sections:
        _show(each.title, found[each.name], each.when_empty, hidden=each.for_machines)


@database.command("kill-idle")
def kill_idle(
    older_than: Annotated[
        str, typer.Option("--older-than", help="How long a session must have been idle: 90s, 30min, 2h, 1d.")
    ],
    as_json: JsonOption = False,
) -> None:
    """End sessions in this database that do nothing, and say which; an open transaction of theirs is rolled back.

    Example:  postroom db kill-idle --older-than 30min
    """
    from postroom.ops.provision import open_site
    from postroom.ops.report import end_idle

    seconds = seconds_of(older_than)
    found = end_idle(open_site(chosen(), tell=say).url("postgres"), seconds=seconds)
    if as_json:
        print_json({"items": [_plain(row) for row in found]})
        return
    _show("Ended", found, f"No session has been idle for {older_than}.")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """For machines: lengths of time are seconds, and exact numbers are numbers."""
    return {name: _number(value) for name, value in row.items()}


def _number(value: Any) -> Any:
    if isinstance(value, timedelta):
        return round(value.total_seconds(), 3)
    if isinstance(value, (str, int, float, bool, datetime)) or value is None:
        return value
    return int(value) if value.as_tuple().exponent >= 0 else float(value)


def _show(title: str, rows: list[dict[str, Any]], when_empty: str, *, hidden: tuple[str, ...] = ()) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    console.print(f"\n[bold]{escape(title)}[/bold]")
    if not rows:
        console.print(f"  {escape(when_empty)}", style="dim")
        return
    names = [name for name in rows[0] if name not in hidden and any(row[name] is not None for row in rows)]
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in names:
        is_number = all(_is_number(row[name]) for row in rows)
        table.add_column(
            _heading(name),
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=name not in _LONG,
        )
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(escape(_cell(name, row[name])) for name in names))
    console.print(table)
    if len(rows) > _MOST_ROWS:
        console.print(f"  and {len(rows) - _MOST_ROWS} more: --json", style="dim")


def _heading(name: str) -> str:
    return name.removesuffix("_bytes").removesuffix("_percent").replace("_", " ") + (
        " %" if name.endswith("_percent") else ""
    )


def _is_number(value: Any) -> bool:
    return value is None or not isinstance(value, (str, bool, datetime))


def _cell(name: str, value: Any) -> str:
    from postroom.cli.server import readable_size

    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    if isinstance(value, timedelta):
        return _length(value)
    if name.endswith("_bytes"):
        return readable_size(float(value))
    return f"{value:,}" if not isinstance(value, str) else value[:_CLIPPED]


def _length(value: timedelta) -> str:
    seconds = value.total_seconds()
    if seconds < 60:
        return f"{max(seconds, 0):.1f} s"
    minutes = int(seconds) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
