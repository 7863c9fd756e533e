"""Another real IMAP server for tests, in memory: pymap, which gives folders and messages ids that last (RFC 8474)."""

from __future__ import annotations

import imaplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.support.dovecot import free_ports

USER, PASSWORD = "demouser", "demopass"
_RUN = """
from pymap.config import IMAPConfig
from pymap.main import main
from pysasl.hashing import BuiltinHash
IMAPConfig._get_hash_context = lambda *_: BuiltinHash(rounds=1)
main()
"""
"""As it comes it hashes the password a million times at each sign-in, half a second of this machine."""


class Pymap:
    """One account on `port`, without TLS."""

    def __init__(self, port: int) -> None:
        self.port = port

    @contextmanager
    def imap(self) -> Iterator[imaplib.IMAP4]:
        """A signed-in client, for a test to do to the mailbox what its owner would do."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
        try:
            client.login(USER, PASSWORD)
            yield client
        finally:
            client.logout()

    def fill(self, folder: str, messages: Iterable[bytes]) -> None:
        with self.imap() as client:
            if folder != "INBOX":
                client.create(folder)
            for number, message in enumerate(messages):
                client.append(folder, "", imaplib.Time2Internaldate(1_700_000_000 + number), message)


@contextmanager
def running_pymap() -> Iterator[Pymap]:
    """A server for the length of a `with`, without any mail."""
    (port,) = free_ports(1)
    program = [sys.executable, "-c", _RUN, "--host", "127.0.0.1", "--port", str(port), "--no-tls"]
    process = subprocess.Popen(
        [*program, "dict"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, "pymap did not start"
                assert time.monotonic() < deadline, "pymap does not listen after 30 s"
                time.sleep(0.05)
        yield Pymap(port)
    finally:
        process.terminate()
        process.wait(10)
