"""The command line: one file for each command, one sentence for each mistake."""

from __future__ import annotations

import os
import sys

from postroom.cli import account, bring, find, server, take, tenant
from postroom.cli.frame import app
from postroom.errors import PostroomError

__all__ = ["account", "app", "bring", "find", "main", "server", "take", "tenant"]


def main() -> None:
    """The console command. Exit codes: docs/reference/cli.md."""
    try:
        app()
    except PostroomError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _fail(sentence: str, exit_code: int) -> None:
    sys.stderr.write(f"postroom: {sentence}\n")
    sys.exit(exit_code)
