"""Export: messages out to files, as one mbox (mboxrd), a Maildir++, or folders of .eml files.

Whatever the format, it grows under a name of its own beside the target and gets the target's name when it is
whole and on the disk: what is there is complete, and what is not complete is not there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Protocol, Self

from postroom.errors import TargetError, UsageError
from postroom.wire import flags as words
from postroom.wire import mboxrd
from postroom.wire.files import reason_of, shown
from postroom.wire.maildir_folders import fitting, path_of

FORMATS = ("mbox", "maildir", "eml")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]|^\.+|[. ]+$')
_MAX_KEYWORDS = 26
_NO_FLAGS: frozenset[str] = frozenset()


class Sink(Protocol):
    """Takes messages one by one. `close` makes them durable and gives them a name, `discard` leaves nothing.

    A `with` does the one at its end and the other on any exception.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def add(
        self,
        folder: str,
        pieces: Iterable[bytes],
        *,
        number: int,
        flags: frozenset[str],
        received_at: datetime,
        keywords: frozenset[str] = _NO_FLAGS,
    ) -> None:
        """`number` names the message: each only once. Raises TargetError; then nothing is left."""
        ...

    def close(self) -> None: ...

    def discard(self) -> None: ...


def open_sink(kind: str, path: Path) -> Sink:
    """A new export. Raises UsageError when something is there already that is not empty."""
    if kind not in FORMATS:
        raise UsageError(reason=f"{kind!r} is no format to export to; there are {', '.join(FORMATS)}.")
    try:
        _refuse_to_overwrite(path, is_file=kind == "mbox")
        return {"mbox": MboxSink, "maildir": MaildirSink, "eml": LettersSink}[kind](path)
    except OSError as error:
        _failed(path, error)


def _refuse_to_overwrite(path: Path, *, is_file: bool) -> None:
    if not os.path.lexists(path):
        return
    if is_file and path.is_file() and not path.is_symlink() and path.stat().st_size == 0:
        return
    if not is_file and path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
        return
    raise UsageError(reason=f"{shown(path)} is there already: name a path that is not. Nothing was written.")


def _failed(path: Path, error: OSError) -> NoReturn:
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    mend = "Free some space or name a path on another disk" if is_full else "Mend that or name another path"
    raise TargetError(
        where=shown(path), reason=reason_of(error), mend=f"{mend}, then export again."
    ) from error


class _Sink(ABC):
    """What the formats have in common: the part that grows, and its end."""

    def __init__(self, path: Path, part: Path) -> None:
        self._path, self._part = path, part

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def add(
        self,
        folder: str,
        pieces: Iterable[bytes],
        *,
        number: int,
        flags: frozenset[str],
        received_at: datetime,
        keywords: frozenset[str] = _NO_FLAGS,
    ) -> None:
        try:
            self._write(folder, pieces, number, (flags, keywords), received_at)
        except OSError as error:
            self.discard()
            _failed(self._path, error)

    def close(self) -> None:
        try:
            self._settle()
            self._part.rename(self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            self.discard()
            _failed(self._path, error)

    @abstractmethod
    def discard(self) -> None: ...

    @abstractmethod
    def _write(
        self, folder: str, pieces: Iterable[bytes], number: int, found: words.Flags, received_at: datetime
    ) -> None: ...

    @abstractmethod
    def _settle(self) -> None: ...


class MboxSink(_Sink):
    """One file for all folders, which mbox has no place for. Keywords have none either."""

    def __init__(self, path: Path) -> None:
        descriptor, part = tempfile.mkstemp(prefix=_part_prefix(path), suffix=".part", dir=path.parent)
        super().__init__(path, Path(part))
        self._file = os.fdopen(descriptor, "wb", buffering=1 << 20)

    def _write(
        self, folder: str, pieces: Iterable[bytes], number: int, found: words.Flags, received_at: datetime
    ) -> None:
        start = self._file.tell()
        self._file.write(mboxrd.from_line(found, received_at, is_ended=True))
        last = b"\n"
        for piece in mboxrd.quote(pieces):
            self._file.write(piece)
            last = piece or last
        if last.endswith(b"\n"):
            self._file.write(b"\n")
            return
        self._file.write(b"\n\n")
        self._file.seek(start)
        self._file.write(mboxrd.from_line(found, received_at, is_ended=False))
        self._file.seek(0, os.SEEK_END)

    def _settle(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # what it still held does not fit on the disk
            self._file.close()
        self._part.unlink(missing_ok=True)


class _FolderSink(_Sink):
    """A folder full of files."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, Path(tempfile.mkdtemp(prefix=_part_prefix(path), suffix=".part", dir=path.parent))
        )

    def _settle(self) -> None:
        """One sync for all files and not one for each, which takes an hour for a hundred thousand letters."""
        os.sync()

    def discard(self) -> None:
        shutil.rmtree(self._part, ignore_errors=True)


class MaildirSink(_FolderSink):
    """A Maildir++ with flags in the names, keywords as Dovecot has them, and the received date as time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._letters: dict[Path, dict[str, str]] = {}
        self._folder("INBOX")

    def _write(
        self, folder: str, pieces: Iterable[bytes], number: int, found: words.Flags, received_at: datetime
    ) -> None:
        place = self._folder(folder)
        letters = words.to_maildir(*found, self._keyword_letters(place, found[1]))
        path = place / "cur" / f"{int(received_at.timestamp())}.M{number:09}.postroom:2,{letters}"
        _write_file(path, pieces, received_at)

    def _folder(self, name: str) -> Path:
        place = path_of(self._part, name)
        if place not in self._letters:
            self._letters[place] = {}
            for each in ("cur", "new", "tmp"):
                (place / each).mkdir(parents=True, exist_ok=True)
            if place != self._part:  # the mark of a Maildir++ subfolder
                (place / "maildirfolder").touch()
        return place

    def _keyword_letters(self, place: Path, keywords: frozenset[str]) -> dict[str, str]:
        """The small letters of this folder's keywords: the first 26 have one."""
        letters = self._letters[place]
        for keyword in sorted(keywords - {words.FORWARDED}):
            if len(letters) < _MAX_KEYWORDS:
                letters.setdefault(keyword, chr(ord("a") + len(letters)))
        return letters

    def _settle(self) -> None:
        for place, letters in self._letters.items():
            if letters:
                lines = (f"{ord(letter) - ord('a')} {keyword}\n" for keyword, letter in letters.items())
                (place / "dovecot-keywords").write_text("".join(lines), encoding="utf-8")
        super()._settle()


class LettersSink(_FolderSink):
    """A folder for each folder, a file for each message; flags have no place there."""

    def _write(
        self, folder: str, pieces: Iterable[bytes], number: int, found: words.Flags, received_at: datetime
    ) -> None:
        place = self._part.joinpath(*(_level(level) for level in folder.split("/") if level))
        place.mkdir(parents=True, exist_ok=True)
        _write_file(place / f"{number:07}.eml", pieces, received_at)


def _level(name: str) -> str:
    """One level of a folder's name as a name that is only a name, and never that of a message's file."""
    safe = fitting(_UNSAFE.sub("_", name))
    return f"{safe}_" if safe.lower().endswith(".eml") else safe


def _write_file(path: Path, pieces: Iterable[bytes], received_at: datetime) -> None:
    with path.open("xb") as file:
        file.writelines(pieces)
    os.utime(path, (received_at.timestamp(), received_at.timestamp()))


def _part_prefix(path: Path) -> str:
    return f".{fitting(path.name)}."


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
