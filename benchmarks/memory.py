"""P9: the most memory that the program holds while it imports a mailbox of 2 GB, and a message of 200 MB."""

from __future__ import annotations

import base64
from pathlib import Path
from random import Random

from benchmarks.measure import Line, peak_mb
from benchmarks.places import EMAIL, bench_store, made, mailbox_mbox

MAILBOX_MESSAGES = 35_000
"""2 GB of them."""
GOAL_MB = 150


def importing() -> list[Line]:
    """P9, the part that is built: there are no idle accounts yet."""
    with bench_store() as store:
        tenant = store.tenant()
        peaks = {
            f"import of {path.name}, {path.stat().st_size / 1e9:.1f} GB": peak_mb(
                store.program("import", "-t", tenant, "-a", EMAIL, str(path)), POSTROOM_HOME=str(store.home)
            )
            for path in (mailbox_mbox(MAILBOX_MESSAGES), _large_message())
        }
    return [
        Line("P9", f"most memory, {what}", f"{peak:.0f} MB", goal=f"< {GOAL_MB} MB", reached=peak < GOAL_MB)
        for what, peak in peaks.items()
    ]


def _large_message() -> Path:
    def write(path: Path) -> None:
        lines = base64.encodebytes(Random(4).randbytes(57 * 100_000))
        with path.open("wb") as out:
            out.write(b"From: a@example.org\nSubject: large\nMIME-Version: 1.0\n")
            out.write(b"Content-Type: application/zip; name=large.zip\nContent-Transfer-Encoding: base64\n\n")
            for _ in range(26):
                out.write(lines)

    return made(Path("large.eml"), write)


if __name__ == "__main__":
    for line in importing():
        print(line)
