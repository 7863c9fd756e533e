"""All benchmarks: `make bench`, or `python -m benchmarks P1 P6` for some. Prints the table, and writes it to results/.

P1 to P9 are the goals of docs/explain/performance.md. Corpora are generated once, below POSTROOM_BENCH_DIR
(/tmp/postroom-bench; 4 GB). A yardstick that is not installed is left out, and the table says so.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import indexing, ingest, memory, parse, search, sync
from benchmarks.measure import Line, is_there, machine, version

RESULTS = Path(__file__).parent / "results"
YARDSTICKS = ("mbsync", "offlineimap", "mu", "notmuch")


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("numbers", nargs="*", metavar="P1", help="which; without any: all")
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    rounds = given.rounds
    runs: dict[str, Callable[[], list[Line]]] = {
        "P1": lambda: sync.first_sync(rounds),
        "P2": lambda: ingest.ingested(rounds),
        "P3": lambda: indexing.indexing(min(rounds, 3)),
        "P4": sync.nothing_new,
        "P5": lambda: parse.parsed(rounds),
        "P6": search.searching,
        "P7": search.reading_while_ingesting,
        "P8": ingest.stored_bytes,
        "P9": memory.importing,
    }
    text = _heading()
    print(text, flush=True)
    for number in given.numbers or runs:
        for line in runs[number.upper()]():
            row = _row(line)
            print(row, flush=True)
            text += row + "\n"
    if not given.numbers:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}.md"
        path.write_text(text)
        print(f"Written to {path}", file=sys.stderr)


def _heading() -> str:
    there = [version(each) for each in YARDSTICKS if is_there(each)]
    missing = [each for each in YARDSTICKS if not is_there(each)]
    return (
        f"# {datetime.datetime.now(datetime.UTC):%Y-%m-%d}\n\n{machine()}. Yardsticks: {'; '.join(there) or 'none'}."
        + (f" Not installed, and left out: {', '.join(missing)}." if missing else "")
        + "\n\n| | what | postroom | yardstick | ratio | goal | |\n|---|---|---|---|---|---|---|\n"
    )


def _row(line: Line) -> str:
    mark = {True: "reached", False: "**not reached**", None: ""}[line.reached]
    notes = f" ({'; '.join(line.notes)})" if line.notes else ""
    return f"| {line.number} | {line.what}{notes} | {line.ours} | {line.yardstick} | {line.ratio} | {line.goal} | {mark} |"


if __name__ == "__main__":
    main()
