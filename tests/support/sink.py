"""Postfix's smtp-sink for tests: a server by other people, that drops and refuses where it is told to.

with running_sink("-q", ".") as sink:      # hangs up without an answer to the final dot
    sink.messages()                        # Message-IDs of what it took, from its files
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.dovecot import free_ports
from tests.support.needs import require

_UNPACKED = Path("/var/cache/postroom-tests/postfix")
"""Where tests/packages.sh puts it: the package is not installed, for that would start a mail daemon."""


@dataclass(frozen=True, slots=True)
class Sink:
    port: int
    folder: Path
    host: str = "127.0.0.1"

    def messages(self) -> list[str]:
        """The Message-ID of every message that it took, as often as it took it."""
        texts = [path.read_text(errors="replace") for path in sorted(self.folder.iterdir())]
        return [found for text in texts for found in re.findall(r"(?mi)^Message-ID: <(.*)>", text)]


@contextmanager
def running_sink(*options: str) -> Iterator[Sink]:
    """A sink with these options of smtp-sink(1); the test is skipped where there is none."""
    installed = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")
    program = Path(installed) if installed else _UNPACKED / "usr/sbin/smtp-sink"
    require(program.exists(), "Postfix's smtp-sink is not there: bash tests/packages.sh")
    with tempfile.TemporaryDirectory(prefix="sink-", dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        port = free_ports(1)[0]
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        command = [str(program), *user, *options, "-d", "%H%M%S.", f"127.0.0.1:{port}", "64"]
        libraries = {} if installed else {"LD_LIBRARY_PATH": str(_UNPACKED / "usr/lib/postfix")}
        running = subprocess.Popen(command, cwd=folder, env=os.environ | libraries, stderr=subprocess.PIPE)
        try:
            _wait(running, port)
            yield Sink(port, Path(folder))
        finally:
            running.terminate()
            running.communicate(timeout=10)


def _wait(running: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if running.poll() is not None:
            raise RuntimeError(f"smtp-sink did not start: {running.communicate()[1].decode()}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("smtp-sink does not answer")
