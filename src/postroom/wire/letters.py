"""Letters: files that are one message each (.eml, .txt, MH), alone or in folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from postroom.errors import NotAMailbox
from postroom.model import RawMessage, SourceFolder, Unreadable
from postroom.wire.files import OpenFile, reason_of, shown, size_of
from postroom.wire.folders import folder_name, folder_type

SUFFIXES = (".eml", ".mail", ".rfc822", ".mime")
"""Files named so are letters whatever is in them."""
SINGLE = "Letters"
"""The folder of a letter that was named alone."""


class LettersSource:
    """Folders of letters by name. A message's UID is its place in the order of paths.

    A letter has no flags and no `internal_date`: a file's time is that of the last copy, so the message's own
    Received and Date fields decide. `size_bytes` and `done_bytes` are its `Progress`.
    """

    def __init__(self, path: Path, found: dict[str, list[Path]] | None = None) -> None:
        """One letter, or the letters that were found below a folder, by folder name."""
        self.path = path
        self.done_bytes = 0
        self._letters = {SINGLE: [path]} if found is None else found
        self.size_bytes = sum(size_of(each) for letters in self._letters.values() for each in letters)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Nothing to do: each file closes with the last body that looks at it."""

    def folders(self) -> Sequence[SourceFolder]:
        return [
            SourceFolder(name=folder_name(name), type=folder_type(name), wire_name=name)
            for name in self._letters
        ]

    def messages(
        self, folder: SourceFolder, uids: Sequence[int] | None = None
    ) -> Iterator[RawMessage | Unreadable]:
        letters = self._letters.get(folder.wire_name or folder.name)
        if letters is None:
            raise NotAMailbox(where=shown(self.path), reason=f"it has no folder {folder.name}")
        for uid in range(1, len(letters) + 1) if uids is None else uids:
            if 1 <= uid <= len(letters):
                yield self._message(uid, letters[uid - 1])
            else:
                yield Unreadable(
                    uid=uid, where=f"{folder.name}, letter {uid}", reason="there is no such letter"
                )

    def _message(self, uid: int, path: Path) -> RawMessage | Unreadable:
        where = shown(path)
        self.done_bytes += size_of(path)
        try:
            return RawMessage(uid=uid, body=OpenFile(path).body(), where=where)
        except OSError as error:
            return Unreadable(uid=uid, where=where, reason=reason_of(error))
