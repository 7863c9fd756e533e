"""The command line: one file for each command, one sentence for each mistake."""

from __future__ import annotations

import os
import sys

import click

from postroom.cli import account, bring, find, server, take, tenant
from postroom.cli.frame import app
from postroom.errors import PostroomError

__all__ = ["account", "app", "bring", "find", "main", "server", "take", "tenant"]

INTERRUPTED = 130


def main() -> None:
    """The console command. Exit codes: docs/reference/cli.md."""
    try:
        app(standalone_mode=False)
    except PostroomError as error:
        _fail(str(error), error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        _fail("Interrupted. What was committed is kept; the same command goes on from there.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _fail(sentence: str, exit_code: int) -> None:
    sys.stderr.write(f"postroom: {sentence}\n")
    sys.exit(exit_code)
