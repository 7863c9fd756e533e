"""Several sources as one: a folder in which mbox files, Maildirs and letters lie together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from postroom.errors import NotAMailbox
from postroom.model import RawMessage, SourceFolder, Unreadable
from postroom.wire.files import shown
from postroom.wire.letters import LettersSource
from postroom.wire.maildir import MaildirSource
from postroom.wire.mbox import MboxSource


class JoinedSource:
    """The folders of all its sources. Two of one name stay two: `wire_name` tells them apart."""

    def __init__(self, path: Path, sources: Sequence[MboxSource | MaildirSource | LettersSource]) -> None:
        self.path = path
        self._sources = sources
        self._owners = {
            (folder.name, folder.wire_name): each for each in sources for folder in each.folders()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Nothing to do: none of these sources holds anything open."""

    @property
    def size_bytes(self) -> int:
        return sum(each.size_bytes for each in self._sources)

    @property
    def done_bytes(self) -> int:
        return sum(each.done_bytes for each in self._sources)

    def folders(self) -> Sequence[SourceFolder]:
        return [folder for each in self._sources for folder in each.folders()]

    def messages(
        self, folder: SourceFolder, uids: Sequence[int] | None = None
    ) -> Iterator[RawMessage | Unreadable]:
        owner = self._owners.get((folder.name, folder.wire_name))
        if owner is None:
            raise NotAMailbox(where=shown(self.path), reason=f"it has no folder {folder.name}")
        return owner.messages(folder, uids)
