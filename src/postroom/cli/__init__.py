"""The command line: one file for each command, one sentence for each mistake."""

from __future__ import annotations

import os
import sys

from postroom.cli import interrupts
from postroom.errors import PostroomError


def main() -> None:
    """The console command. Exit codes: docs/reference/cli.md."""
    interrupts.listen()
    try:
        from postroom.cli.commands import app  # takes long enough for somebody to press Ctrl-C

        app()
    except PostroomError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    finally:
        interrupts.ignore()


def _fail(sentence: str, exit_code: int) -> None:
    interrupts.ignore()
    sys.stderr.write(f"postroom: {sentence}\n")
    sys.exit(exit_code)
