"""A message too large to be asked for at once: in parts, into a file, gone on with where the connection broke."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from postroom.errors import ConnectionFailed, ServerMisbehaved, SourceError, Throttled
from postroom.model import Body
from postroom.wire.files import FileSlice, OpenFile
from postroom.wire.imap_connection import MAX_LITERAL_BYTES, CommandRefused, ImapConnection
from postroom.wire.imap_replies import Fetched, fetched

PART_BYTES = 4 * 2**20
_TRIES = 3
"""So often one part may fail before the message is given up until the next time."""


class Parts:
    """One message, piece by piece (RFC 9051 6.4.5, `BODY.PEEK[]<offset.count>`), never held in memory."""

    def __init__(
        self, *, opened: Callable[[], ImapConnection], items: bytes, uid: int, size_bytes: int
    ) -> None:
        self._opened = opened
        self._items = items
        self._uid = uid
        self._size_bytes = size_bytes
        self._filled = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by body(), or with this object
        self.told: Fetched | None = None
        """Flags and date, from the first part; None where the server no longer has the message."""

    def fetch(self) -> str | None:
        """Fill the file. Gives the reason where that cannot be done."""
        if self._size_bytes > MAX_LITERAL_BYTES:
            return f"it has {self._size_bytes} bytes, more than the {MAX_LITERAL_BYTES} that are taken"
        failures = 0
        while self._filled < self._size_bytes:
            try:
                came = self._one()
            except CommandRefused as refusal:
                return refusal.text
            except Throttled:
                raise
            except (ConnectionFailed, ServerMisbehaved) as error:
                failures += 1
                if failures >= _TRIES:
                    return str(error.fields["reason"])
                continue
            if came is None:
                return None if self.told is None else "the server let it go while it was being fetched"
            if came == 0:
                return f"the server said {self._size_bytes} bytes and gives {self._filled}"
            failures = 0
        return None

    def body(self) -> Body:
        """The whole, as a window on the file, which goes with the last that looks at it."""
        self._file.flush()
        body = FileSlice(OpenFile(Path(f"/proc/self/fd/{self._file.fileno()}")), 0, self._filled)
        self._file.close()
        return body

    def _one(self) -> int | None:
        """Fetch the next part: its size, or None where there is no such message any more."""
        count = min(PART_BYTES, self._size_bytes - self._filled)
        items = b"UID" if self.told else self._items
        question = b"UID FETCH %d (%s BODY.PEEK[]<%d.%d>)" % (self._uid, items, self._filled, count)
        found = [one for one in self._opened().ask(question, parse=fetched) if one.uid == self._uid]
        parts = [one for one in found if one.part is not None]
        if not parts:
            return 0 if found else None
        part = parts[0].part
        assert part is not None
        if len(part) > count:
            raise ServerMisbehaved(where=f"UID {self._uid}", reason="it sent more than was asked for")
        self._write(part)
        self.told = self.told or parts[0]
        self._filled += len(part)
        return len(part)

    def _write(self, part: Body) -> None:
        try:
            self._file.write(part[0 : len(part)])
        except OSError as error:
            mend = f"Free some space in {tempfile.gettempdir()}."
            reason = f"a message of {self._size_bytes} bytes cannot be put aside ({error.strerror})"
            raise SourceError(where=f"UID {self._uid}", reason=reason, mend=mend) from error
