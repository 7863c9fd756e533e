"""How much memory a piece of Python takes at most, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

_MEASURE = """
import re
from pathlib import Path
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak_megabytes(program: str, *arguments: str) -> int:
    """The peak of a program that prints nothing.

    VmHWM and not `ru_maxrss`: the latter is at least what the parent held when it started the process.
    """
    code = textwrap.dedent(program) + _MEASURE
    command = [sys.executable, "-c", code, *arguments]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) // 1024
