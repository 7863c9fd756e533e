"""mbox: many messages in one file, each behind a From_ line (RFC 4155), read without ever holding the file.

Nothing in a file says how its writer quoted lines that begin with `From `, so its first 32 MB decide:

- mboxrd, unless something speaks against it: one `>` is taken from every `>From `, `>>From ` ... line. This
  is right for mboxo as well, except for lines that its writer had found already quoted.
- A `From ` line inside a message (its writer did not quote at all, as in mboxcl2), or a `>From ` line next
  to a `>word` line of a quoted reply (its writer did not quote it again, as in mboxo): then every byte stays.

What Postroom itself exported is known by its From_ lines and comes back exactly.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from postroom.errors import SourceError
from postroom.model import Body, RawMessage, SourceFolder, Unreadable
from postroom.wire import flags, gmail, mboxrd
from postroom.wire.files import HELD_BYTES, FileSlice, OpenFile, pieces, reason_of, shown, wire_name
from postroom.wire.folders import folder_name, folder_type
from postroom.wire.from_lines import LOOK_AHEAD_BYTES, LOOK_BEHIND_BYTES, begins_message, delivered_at

_HEADER_BYTES = 65536
_JUDGED_BYTES = 32 << 20
_END_OF_HEADER = re.compile(rb"\n\r?\n")
_REPLY_LINE = re.compile(rb">(?!From )[^\s>]")
_OPENING = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(?=From )")


class MboxSource:
    """One mbox file: a folder of the file's name. A message's UID is the offset of its From_ line plus one.

    `size_bytes` and `done_bytes` are its `Progress`.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        """Raises SourceError when the file cannot be opened."""
        self.path = path
        try:
            self._file = OpenFile(path)
        except OSError as error:
            raise SourceError(where=shown(path), reason=reason_of(error)) from error
        self._whole = FileSlice(self._file, 0, self._file.size)
        self._name = folder_name(name or shown(path.stem or path.name))
        self._is_quoted: bool | None = None
        self.size_bytes = self._file.size
        self.done_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Nothing to do: the file closes with the last body that looks at it."""

    def folders(self) -> Sequence[SourceFolder]:
        return [SourceFolder(name=self._name, type=folder_type(self._name), wire_name=wire_name(self.path))]

    def messages(
        self, folder: SourceFolder, uids: Sequence[int] | None = None
    ) -> Iterator[RawMessage | Unreadable]:
        """Every message, or those of these UIDs. `internal_date` is the date of the From_ line."""
        del folder  # there is but one
        for start, end in self._spans() if uids is None else map(self._span, uids):
            yield self._message(start, end)
            self.done_bytes = max(self.done_bytes, end)

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Where each message begins, with its From_ line, and where it ends."""
        start = self._opening()
        for following in self._beginnings(start):
            yield start, following
            start = following
        if start < self.size_bytes:
            yield start, self.size_bytes

    def _span(self, uid: int) -> tuple[int, int]:
        return uid - 1, next(self._beginnings(uid - 1), self.size_bytes)

    def _opening(self) -> int:
        """Where the first From_ line is: a byte order mark or empty lines may stand before it."""
        opening = _OPENING.match(self._whole[:LOOK_AHEAD_BYTES])
        return opening.end() if opening else 0

    def _beginnings(self, after: int) -> Iterator[int]:
        """Where further messages begin."""
        whole, at = self._whole, after
        while (at := whole.find(b"\nFrom ", at) + 1) > 0:
            if self._begins_message(at):
                yield at

    def _begins_message(self, at: int) -> bool:
        before = self._whole[max(at - LOOK_BEHIND_BYTES, 0) : at]
        return begins_message(before, self._whole[at : at + LOOK_AHEAD_BYTES])

    def _message(self, start: int, end: int) -> RawMessage | Unreadable:
        where = f"{shown(self.path.name)}, at byte {start}"
        line = self._from_line(start, end)
        if line is None:
            return Unreadable(
                uid=start + 1, where=where, reason="no message begins there; the file has changed"
            )
        marked = mboxrd.marked(line)
        if start + len(line) >= end and not marked:
            return Unreadable(uid=start + 1, where=where, reason="nothing follows its From_ line", body=line)
        body = self._body(start + len(line), end, marked)
        header = _header(body)
        labels = gmail.labels_of(header)
        found = labels.flags if labels else flags.from_header(header)
        if marked:
            found = flags.from_maildir(marked[1].decode("ascii"))
        return RawMessage(
            uid=start + 1,
            body=body,
            flags=found[0],
            keywords=found[1],
            labels=labels.folders if labels else (),
            internal_date=delivered_at(line),
            where=where,
        )

    def _from_line(self, start: int, end: int) -> bytes | None:
        """The From_ line there with its newline; None where there is none, because a UID is stale."""
        if start < 0 or self._whole[start : start + 5] != b"From ":
            return None
        line_end = self._whole.find(b"\n", start, min(start + LOOK_AHEAD_BYTES, end)) + 1
        return self._whole[start : line_end or end]

    def _body(self, start: int, end: int, marked: re.Match[bytes] | None) -> Body:
        end = self._end(start, end, marked)
        is_quoted = marked is not None or self._quoting()
        if end - start <= HELD_BYTES:
            body = self._whole[start:end]
            return mboxrd.unquoted(body) if is_quoted else body
        if is_quoted and self._whole.find(b">From ", start, end) >= 0:
            return _set_aside(FileSlice(self._file, start, end), shown(self.path))
        return FileSlice(self._file, start, end)

    def _end(self, start: int, end: int, marked: re.Match[bytes] | None) -> int:
        """Without the empty line that the format puts behind a message, where there is one."""
        if marked:
            added = b"\n" if marked[2] == b"E" else b"\n\n"
            return end - len(added) if self._whole[max(start, end - len(added)) : end] == added else end
        tail = self._whole[max(start, end - 4) : end]
        return end - 2 if tail.endswith(b"\n\r\n") else end - 1 if tail.endswith(b"\n\n") else end

    def _quoting(self) -> bool:
        """Whether the file is mboxrd as far as can be known: see above."""
        if self._is_quoted is None:
            judged = FileSlice(self._file, 0, min(self.size_bytes, _JUDGED_BYTES))
            self._is_quoted = self._is_mboxrd(judged)
        return self._is_quoted

    def _is_mboxrd(self, judged: FileSlice) -> bool:
        at = self._opening()
        while (at := judged.find(b"From ", at + 1)) > 0:
            before = judged[max(at - 200, 0) : at]
            if before.endswith(b"\n") and not self._begins_message(at):
                return False
            if before.endswith(b"\n>") and _is_in_reply(before[:-2], judged[at : at + LOOK_AHEAD_BYTES]):
                return False
        return True


def _header(body: Body) -> bytes:
    """The fields of a message, nothing of what follows them."""
    head = body[:_HEADER_BYTES]
    end = _END_OF_HEADER.search(head)
    return b"" if head.startswith((b"\n", b"\r\n")) else head[: end.end()] if end else head


def _is_in_reply(before: bytes, text: bytes) -> bool:
    """Whether the line above or below a `>From ` line is quoted in the same way, without a space."""
    above = before[before.rfind(b"\n") + 1 :]
    below = text[text.find(b"\n") + 1 :]
    return any(_REPLY_LINE.match(line) is not None for line in (above, below))


def _set_aside(body: Body, where: str) -> Body:
    """A large message without its quoting, in a file that has no name and goes with the message."""
    try:
        with tempfile.TemporaryFile() as file:
            for piece in mboxrd.unquote(pieces(body)):
                file.write(piece)
            file.flush()
            return OpenFile(f"/proc/self/fd/{file.fileno()}").body()
    except OSError as error:
        reason = f"a large message cannot be put aside in {tempfile.gettempdir()} ({reason_of(error)})"
        raise SourceError(where=where, reason=reason, mend="Free some space there or set TMPDIR.") from error
