"""P3: mail on disk made searchable, in CPU seconds of all processes, against mu and notmuch on the same files."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from benchmarks.measure import Line, alternated, is_there, measured, median, run
from benchmarks.places import BenchStore, bench_store, mailbox_maildir

GOALS = {"mu": 2.0, "notmuch": 5.0}


def indexing(rounds: int, count: int = 20_000) -> list[Line]:
    """P3. Ours stores the mail as well, where the others only point at it."""
    maildir = mailbox_maildir(count)
    with bench_store() as store, tempfile.TemporaryDirectory(prefix="postroom-bench-") as folder:
        scratch = Path(folder)
        contestants = {"postroom": lambda: count / _imported(store, maildir)}
        if is_there("mu"):
            contestants["mu"] = lambda: count / _mu(scratch / "mu", maildir)
        if is_there("notmuch"):
            contestants["notmuch"] = lambda: count / _notmuch(scratch / "notmuch", maildir)
        rates = alternated(rounds, **contestants)
    mine = median(rates.pop("postroom"))
    return [
        Line(
            "P3",
            f"indexing of {count:,} messages, in a CPU second of all processes, against {name}",
            f"{mine:,.0f}",
            f"{median(found):,.0f}",
            f"{mine / median(found):.2f}",
            f"≥ {GOALS[name]:g}",
            mine / median(found) >= GOALS[name],
        )
        for name, found in rates.items()
    ]


def _imported(store: BenchStore, maildir: Path) -> float:
    tenant = store.tenant()
    with measured(store.server_pid) as cost:
        store.cli("import", "-t", tenant, "-a", "sam@postroom.example", str(maildir))
    return cost.cpu


def _mu(home: Path, maildir: Path) -> float:
    shutil.rmtree(home, ignore_errors=True)
    with measured() as cost:
        run(["mu", "init", "--quiet", f"--muhome={home}", f"--maildir={maildir}"])
        run(["mu", "index", "--quiet", f"--muhome={home}"])
    return cost.cpu


def _notmuch(home: Path, maildir: Path) -> float:
    shutil.rmtree(home, ignore_errors=True)
    configuration = notmuch_configuration(home, maildir)
    with measured() as cost:
        run(["notmuch", "new", "--quiet"], NOTMUCH_CONFIG=str(configuration))
    return cost.cpu


def notmuch_configuration(home: Path, maildir: Path) -> Path:
    """A configuration of notmuch whose index lies beside it, not among the mail."""
    home.mkdir(parents=True)
    path = home / "config"
    path.write_text(
        f"[database]\nmail_root={maildir}\npath={home}\n[user]\nname=Sam\nprimary_email=sam@postroom.example\n"
        "[new]\ntags=\nignore=\n[search]\nexclude_tags=\n[maildir]\nsynchronize_flags=false\n"
    )
    return path


if __name__ == "__main__":
    for line in indexing(1):
        print(line)
