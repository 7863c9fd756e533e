"""The contract of every source of mail: what a mailbox on a server or in a file must be able to answer.

All calls block; the sync room runs them in a thread. Errors are those of `postroom.errors` below `SourceError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

from postroom.model import FolderState, RawMessage, SourceFolder, Unreadable


class Source(Protocol):
    """A mailbox that can be listed and read. A context manager: leaving it closes what it opened."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def folders(self) -> Sequence[SourceFolder]:
        """Every folder, in a stable order."""
        ...

    def messages(
        self, folder: SourceFolder, uids: Sequence[int] | None = None
    ) -> Iterator[RawMessage | Unreadable]:
        """The messages with these UIDs, or all of them; what cannot be read comes as `Unreadable`, in its place.

        Bodies are the exact bytes: `\\r\\n` and bare `\\n` as the source holds them.
        """
        ...


class Progress(Protocol):
    """How far the reading of a source has come: what a progress bar needs for its rate and the time left.

    `size_bytes` is what there is to read; `done_bytes` is what the messages yielded so far took of it, and
    reaches `size_bytes` when all folders are read. Sources in files have both; a server counts messages.
    """

    @property
    def size_bytes(self) -> int: ...

    @property
    def done_bytes(self) -> int: ...


class MailboxSource(Source, Protocol):
    """A source that lives on and is followed: an IMAP server."""

    def state(self, folder: SourceFolder, known: FolderState | None = None) -> FolderState:
        """What the folder holds now.

        `known` is what was seen last: where the server can prove that nothing changed since (CONDSTORE, RFC 7162),
        the answer repeats its numbers with empty `uids`; otherwise `uids` has every UID with its flags.
        """
        ...
