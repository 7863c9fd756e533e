"""Maildir: a file for each message, its flags in the file's name (https://cr.yp.to/proto/maildir.html)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from postroom.errors import NotAMailbox
from postroom.model import RawMessage, SourceFolder, Unreadable
from postroom.wire import flags
from postroom.wire.files import OpenFile, reason_of, shown, size_of, wire_name
from postroom.wire.folders import folder_type
from postroom.wire.maildir_folders import places

_INFO = re.compile(r"[:!;]2,([A-Za-z]*)")
_KEYWORD = re.compile(r"(\d+) (\S+)")
_ATTEMPTS = 5


class MaildirSource:
    """A Maildir with its subfolders. `tmp` holds what is not yet delivered, and is not read.

    A message's UID is its place in the order of unique file names, so that reading it does not renumber it.
    `internal_date` is the time of the file, as Dovecot has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done_bytes = 0
        found = sorted(places(path), key=lambda place: (place.name != "INBOX", place.name, place.path))
        self._places = {wire_name(place.path): place for place in found}
        self._listings: dict[str, list[Path]] = {}
        self._size_bytes: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Nothing to do: each file closes with the last body that looks at it."""

    @property
    def size_bytes(self) -> int:
        """Asked once: it looks at every file."""
        if self._size_bytes is None:
            self._size_bytes = sum(map(self._size_of_folder, self._places))
        return self._size_bytes

    def _size_of_folder(self, key: str) -> int:
        try:
            return sum(map(size_of, self._listed(key)))
        except OSError:
            return 0

    def folders(self) -> Sequence[SourceFolder]:
        return [
            SourceFolder(name=place.name, type=folder_type(place.name), wire_name=key)
            for key, place in self._places.items()
        ]

    def messages(
        self, folder: SourceFolder, uids: Sequence[int] | None = None
    ) -> Iterator[RawMessage | Unreadable]:
        try:
            listing = self._listed(folder.wire_name)
        except OSError as error:
            yield Unreadable(uid=0, where=folder.name, reason=reason_of(error))
            return
        keywords = _keywords(self._places[folder.wire_name].path)
        for uid in range(1, len(listing) + 1) if uids is None else uids:
            yield self._message(uid, listing, folder.name, keywords)

    def _message(
        self, uid: int, listing: list[Path], folder: str, keywords: Mapping[str, str]
    ) -> RawMessage | Unreadable:
        if not 1 <= uid <= len(listing):
            return Unreadable(uid=uid, where=f"{folder}, message {uid}", reason="there is no such message")
        path = listing[uid - 1]
        self.done_bytes += size_of(path)
        where = f"{folder}/{shown(path.name)}"
        try:
            return _read(uid, path, where, keywords)
        except FileNotFoundError:
            reason = "the link leads nowhere" if path.is_symlink() else "it was removed during the reading"
            return Unreadable(uid=uid, where=where, reason=reason)
        except OSError as error:
            return Unreadable(uid=uid, where=where, reason=reason_of(error))

    def _listed(self, key: str) -> list[Path]:
        """The files of a folder, looked up once: the UIDs hold as long as this source lives."""
        if key not in self._places:
            raise NotAMailbox(where=shown(self.path), reason="it has no such folder")
        if key not in self._listings:
            self._listings[key] = _files_in(self._places[key].path)
        return self._listings[key]


def _read(uid: int, path: Path, where: str, keywords: Mapping[str, str]) -> RawMessage:
    """Raises OSError. A file that a mail program renames meanwhile, to set a flag, is looked for."""
    file = None
    for _ in range(_ATTEMPTS):
        try:
            file = OpenFile(path)
            break
        except FileNotFoundError:
            path = _renamed(path)
    file = file or OpenFile(path)
    info = _INFO.search(path.name)
    found = flags.from_maildir(info[1] if info else "", keywords)
    return RawMessage(
        uid=uid,
        body=file.body(),
        flags=found[0],
        keywords=found[1],
        internal_date=datetime.fromtimestamp(max(file.status.st_mtime, 0), UTC),
        where=where,
    )


def _renamed(path: Path) -> Path:
    """The path under which the same message lies now, or the old one."""
    unique = _unique(path)
    now = (each for each in _files_in(path.parent.parent) if _unique(each) == unique and each != path)
    return next(now, path)


def _unique(path: Path) -> str:
    """The name without its flags: the same as long as the message is there."""
    return _INFO.split(path.name)[0]


def _files_in(folder: Path) -> list[Path]:
    """What lies in `new` and `cur`, whatever it is. Names with a dot in front are no messages.

    Raises OSError where the folder must not be looked into.
    """
    inner = [entry for entry in sorted(os.listdir(folder)) if entry in ("cur", "new")]
    found = [
        folder / part / name
        for part in inner
        for name in os.listdir(folder / part)
        if not name.startswith(".")
    ]
    return sorted(found, key=lambda path: (_unique(path), path))


def _keywords(folder: Path) -> dict[str, str]:
    """What the small letters mean: `dovecot-keywords` has a number and a name in each line, 0 for a."""
    try:
        text = OpenFile(folder / "dovecot-keywords").body()[:65536].decode("utf-8", "replace")
    except OSError:
        return {}
    numbered = [found for line in text.splitlines() if (found := _KEYWORD.fullmatch(line))]
    return {
        chr(ord("a") + int(found[1])): found[2]
        for found in numbered
        if len(found[1]) < 3 and int(found[1]) < 26
    }
