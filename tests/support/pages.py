"""The commands of a page of the documents, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.site import Store

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str) -> list[str]:
    """The shell blocks of a page such as `howto/run-a-standby.md`, in their order."""
    return re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def block(page: str, word: str) -> str:
    """The one that has this in it."""
    (found,) = [each for each in blocks(page) if word in each]
    return found


def run_block(
    text: str, store: Store, folder: Path, *, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """As a user of this store would, in a folder."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=os.environ
        | store.environment
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    if check:
        assert done.returncode == 0, done.stderr
    return done
