"""Detect: what kind of mailbox a path is, told by what is in it and not by its name alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from postroom.errors import NotAMailbox
from postroom.wire.files import OpenFile, reason_of, shown
from postroom.wire.folders import folder_name
from postroom.wire.from_lines import begins_message
from postroom.wire.joined import JoinedSource
from postroom.wire.letters import SUFFIXES, LettersSource
from postroom.wire.maildir import MaildirSource
from postroom.wire.maildir_folders import holds_maildirs
from postroom.wire.mbox import MboxSource

FileSource = MboxSource | MaildirSource | LettersSource | JoinedSource
Kind = Literal["mbox", "letter"]

_MEND = "Name an mbox file, a Maildir, an .eml file or a folder of them."
_HEAD_BYTES = 4096
_START = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*")
_FIELDS = re.compile(rb"(?:>?From [^\n]*\n)?(?:[!-9;-~]+[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z))+")
_MAIL_FIELD = re.compile(
    rb"^(?:Return-Path|Received|Delivered-To|Date|From|Sender|Reply-To|To|Cc|Bcc|Subject|Message-ID|MIME-Version|"
    rb"Content-Type|Content-Transfer-Encoding|X-Mailer)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_OTHERS = (
    (b"\xff\xd8\xff", "a JPEG picture", _MEND),
    (b"\x89PNG", "a PNG picture", _MEND),
    (b"GIF8", "a GIF picture", _MEND),
    (b"%PDF", "a PDF document", _MEND),
    (b"PK\x03\x04", "a ZIP archive", "Unpack it and name what is in it."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it and name what is in it."),
    (b"BZh", "a bzip2 archive", "Unpack it and name what is in it."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it and name what is in it."),
    (b"!BDN", "an Outlook PST file", "Let Outlook or readpst write it as mbox."),
    (b"\xd0\xcf\x11\xe0", "an Outlook .msg or Office file", "Save the message as .eml."),
    (b"SQLite format 3", "an SQLite database", _MEND),
)


def open_path(path: Path) -> FileSource:
    """The source at a path. Raises NotAMailbox, in one sentence, for what is no mail or cannot be opened."""
    try:
        return _open_folder(path) if path.is_dir() else _open_file(path)
    except FileNotFoundError as error:
        raise NotAMailbox(where=shown(path), reason="there is no such file or folder", mend=_MEND) from error
    except OSError as error:
        raise NotAMailbox(where=shown(path), reason=f"it cannot be opened ({reason_of(error)})") from error


def _open_file(path: Path) -> FileSource:
    head = _head(path)
    kind = _kind(path, head)
    if kind is None:
        what, mend = _what_it_is(head)
        raise NotAMailbox(where=shown(path), reason=what, mend=mend)
    return MboxSource(path) if kind == "mbox" else LettersSource(path)


def _open_folder(path: Path) -> FileSource:
    os.listdir(path)  # says at once when it must not be looked into
    sources: list[MboxSource | MaildirSource | LettersSource] = []
    if holds_maildirs(path):
        sources.append(MaildirSource(path))
    letters: dict[str, list[Path]] = {}
    for file, kind in _files_below(path):
        if kind == "mbox":
            sources.append(MboxSource(file, _mbox_name(file.relative_to(path))))
        else:
            letters.setdefault(_folder_of(path, file), []).append(file)
    if letters:
        sources.append(LettersSource(path, letters))
    if not sources:
        raise NotAMailbox(where=shown(path), reason="there is no mail in this folder", mend=_MEND)
    return sources[0] if len(sources) == 1 else JoinedSource(path, sources)


def _files_below(root: Path) -> Iterator[tuple[Path, Kind]]:
    """The letters and mbox files below a folder, but for Maildirs and hidden files.

    Links to folders are not followed. A letter that cannot be opened is one all the same: reading says why.
    """
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in sorted(folders) if not name.startswith(".")]
        if {"cur", "new"} & set(folders):
            folders[:] = [name for name in folders if name not in ("cur", "new", "tmp")]
            continue
        for name in sorted(files):
            path = Path(place, name)
            kind = None if name.startswith(".") else _kind_of(path)
            if kind is not None:
                yield path, kind


def _kind_of(path: Path) -> Kind | None:
    try:
        return _kind(path, _head(path))
    except OSError:
        return "letter" if path.name.lower().endswith(SUFFIXES) else None


def _head(path: Path) -> bytes:
    return OpenFile(path).read(0, _HEAD_BYTES)


def _kind(path: Path, head: bytes) -> Kind | None:
    """What a file is; None when it is no mail. A letter may begin with a From_ line too: its name decides."""
    text = head[_START.match(head).end() :]  # pyright: ignore[reportOptionalMemberAccess]
    if path.name.lower().endswith(SUFFIXES):
        return "letter" if text and not _is_other(head) else None
    if text.startswith(b"From ") and begins_message(b"", text):
        return "mbox"
    fields = _FIELDS.match(text)
    return "letter" if fields and b"\0" not in fields[0] and _MAIL_FIELD.search(fields[0]) else None


def _is_other(head: bytes) -> bool:
    return any(head.startswith(magic) for magic, _, _ in _OTHERS)


def _what_it_is(head: bytes) -> tuple[str, str]:
    """What is in a file that is no mail, and what to do."""
    if not head.strip():
        return "the file is empty", _MEND
    found = ((f"it is {what}", mend) for magic, what, mend in _OTHERS if head.startswith(magic))
    return next(found, ("it begins neither with a From_ line nor with the header of a message", _MEND))


def _mbox_name(path: Path) -> str:
    """`Inbox.sbd/Work` (Thunderbird) is Inbox/Work, `Sent.mbox/mbox` (Apple Mail) is Sent."""
    levels = [level.removesuffix(".sbd").removesuffix(".mbox") for level in path.parts]
    if len(levels) > 1 and levels[-1] == "mbox":
        levels.pop()
    return folder_name("/".join(shown(level) for level in levels))


def _folder_of(root: Path, file: Path) -> str:
    """A letter right in the folder lies in a folder of that name, others in those below it."""
    inner = file.parent.relative_to(root)
    return folder_name("/".join(map(shown, inner.parts)) or shown(root.resolve().name) or "Letters")
