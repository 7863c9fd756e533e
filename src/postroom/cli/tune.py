"""tune: the server's settings for this machine and what it is for."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.frame import JsonOption, app, as_typed, chosen, print_json, say
from postroom.errors import UsageError

if TYPE_CHECKING:
    from postroom.ops.tuning.tune import Tuning, Wanted

_UNITS = {"MB": 2**20, "GB": 2**30, "TB": 2**40}
_WIDTH = 120
_DISKS = {"ssd": False, "hdd": True}


@app.command()
def tune(
    profile: Annotated[
        str | None,
        typer.Option("--profile", "-p", help="production, high-throughput, read-heavy or small."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the settings, after trying them.")] = False,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart", help="With --apply: restart the embedded server, so that all of them hold."
        ),
    ] = False,
    memory: Annotated[
        str | None,
        typer.Option("--memory", help="What the server may use: 8GB. Without it: what the machine has."),
    ] = None,
    cpus: Annotated[
        int | None, typer.Option("--cpus", min=1, help="Processors of the server's machine.")
    ] = None,
    disk: Annotated[
        str | None, typer.Option("--disk", help="ssd or hdd. Without it: what the system says.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Propose the server's settings for this machine: now, proposed, why, and which of them need a restart.

    Nothing is changed without --apply, and nothing restarts without --restart. Settings that backups, standbys and
    committed mail hang on are never touched.

    Example:  postroom tune --profile production --apply --restart
    """
    from postroom.ops.provision import open_site
    from postroom.ops.tuning import tune as ops

    if restart and not apply:
        raise UsageError(reason="--restart goes with --apply: without it there is nothing new to start with.")
    wanted = _wanted(profile, memory, cpus, disk)
    site = open_site(chosen(), tell=say)
    tuning = ops.look(site, chosen(), wanted)
    if apply:
        tuning = ops.apply(site, chosen(), tuning, restart=restart)
    if as_json:
        print_json(_as_json(tuning))
        return
    _show(tuning)


def _wanted(profile: str | None, memory: str | None, cpus: int | None, disk: str | None) -> Wanted:
    from postroom.ops.tuning.profiles import PROFILES, Profile
    from postroom.ops.tuning.tune import Wanted

    known: dict[str, Profile] = {each: each for each in PROFILES}
    if profile is not None and profile not in known:
        raise UsageError(reason=f"There is no profile {profile!r}; there are {', '.join(PROFILES)}.")
    if disk is not None and disk not in _DISKS:
        raise UsageError(reason=f"{disk!r} is no kind of disk; write ssd or hdd.")
    return Wanted(
        profile=known.get(profile or ""),
        memory_bytes=_bytes(memory) if memory is not None else None,
        cpus=cpus,
        is_rotational=_DISKS[disk] if disk else None,
    )


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d{1,6})\s*(MB|GB|TB)", text.strip(), re.IGNORECASE)
    found = int(match[1]) * _UNITS[match[2].upper()] if match else 0
    if found < 256 * 2**20:
        raise UsageError(
            reason=f"{text!r} is no amount of memory; write 512MB or 8GB, and no less than 256MB."
        )
    return found


def _as_json(tuning: Tuning) -> dict[str, Any]:
    machine = tuning.machine
    return {
        "profile": tuning.profile,
        "machine": {
            "memory_bytes": machine.memory_bytes,
            "memory_limit": machine.memory_limit or None,
            "cpus": machine.cpus,
            "rotational": machine.is_rotational,
            "free_bytes": machine.free_bytes,
        },
        "settings": [
            {
                "name": each.name,
                "now": each.now,
                "proposed": each.proposed,
                "differs": each.differs,
                "needs_restart": each.needs_restart,
                "why": each.why,
            }
            for each in tuning.changes
        ],
        "applied": tuning.is_applied,
        "waiting_for_restart": tuning.waiting,
        "overruled": [
            {"name": row["name"], "file": row["file"], "line": row["line"], "setting": row["setting"]}
            for row in tuning.overruled
        ],
    }


def _show(tuning: Tuning) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    console.print(f"Profile {tuning.profile} for {_machine(tuning)}", markup=False, soft_wrap=True)
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("setting", "now", "proposed", "restart", "why"):
        table.add_column(name, no_wrap=name != "why")
    for each in tuning.changes:
        proposed = each.proposed if each.differs else "the same"
        table.add_row(
            each.name,
            each.now,
            proposed,
            "yes" if each.needs_restart and each.differs else "",
            each.why,
            style="bold" if each.differs else "dim",
        )
    console.print(table)
    for line in _outcome(tuning):
        console.print(line, markup=False, soft_wrap=True)


def _machine(tuning: Tuning) -> str:
    from postroom.cli.server import readable_size

    machine = tuning.machine
    parts = [f"{readable_size(machine.memory_bytes)} of memory"]
    if machine.memory_limit:
        parts[0] += f" ({machine.memory_limit})"
    parts.append(f"{machine.cpus} processors")
    parts.append(
        {True: "a disk that turns", False: "an SSD", None: "a disk of unknown kind, taken for an SSD"}[
            machine.is_rotational
        ]
    )
    if machine.free_bytes is not None:
        parts.append(f"{readable_size(machine.free_bytes)} free")
    return ", ".join(parts)


def _outcome(tuning: Tuning) -> list[str]:
    from postroom.ops.tuning.profiles import MEANT_FOR_BYTES

    differing = [each for each in tuning.changes if each.differs]
    lines: list[str] = []
    if tuning.profile != "small" and tuning.machine.memory_bytes < MEANT_FOR_BYTES:
        lines.append(f"The profile {tuning.profile} is meant for 8 GB and more.")
    if not tuning.is_applied:
        how = as_typed(f"postroom tune --profile {tuning.profile} --apply")
        lines.append(f"Nothing was changed. To let it hold: {how}" if differing else "Nothing to change.")
        return lines
    lines.append("Written.")
    if tuning.waiting:
        names = ", ".join(tuning.waiting)
        how = "yours to do" if chosen().database_url else as_typed("postroom down && postroom up --detach")
        lines.append(f"Waiting for a restart ({how}): {names}")
    lines += [
        f"{row['name']} stays {row['setting']}: {row['file']} line {row['line']} comes later."
        for row in tuning.overruled
    ]
    return lines
