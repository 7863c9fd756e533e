"""Where the folders of a Maildir are, and what they are called: Maildir++ (dots) or folders in folders."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from postroom.wire.files import shown
from postroom.wire.folders import folder_name
from postroom.wire.imap_names import decode_utf7

_INNER = ("cur", "new", "tmp")
_ESCAPED = re.compile(r"\\([0-9a-f]{2})")
_LONGEST_BYTES = 200
_TO_SHIFT = re.compile(r"&|[^\x00-\x7f]+")
_TO_ESCAPE = re.compile(r"[\x00-\x1f\x7f./\\]")


class Place(NamedTuple):
    name: str
    path: Path


def is_maildir(path: Path) -> bool:
    return any(name in ("cur", "new") for name in _folder_names(path) or ())


def holds_maildirs(path: Path) -> bool:
    """Whether a folder is a Maildir, or has one in it at any depth."""
    return next(places(path), None) is not None


def places(root: Path) -> Iterator[Place]:
    """The folders by name. Links to folders are not followed: they lead in circles, or out of the mailbox.

    A folder that must not be looked into is given as well: reading it says why.
    """
    names = _folder_names(root) or []
    if "cur" in names or "new" in names:
        yield Place("INBOX", root)
    for name in names:
        if name in _INNER:
            continue
        inner = _folder_names(root / name)
        if name.startswith(".") and (inner is None or "cur" in inner or "new" in inner):
            yield Place(_dotted(name), root / name)
        elif not name.startswith("."):
            yield from _nested(root / name, [name])


def _nested(path: Path, levels: list[str]) -> Iterator[Place]:
    waiting = [(path, levels)]
    while waiting:
        path, levels = waiting.pop()
        names = _folder_names(path)
        if names is None or "cur" in names or "new" in names:
            yield Place(folder_name("/".join(map(_decoded, levels))), path)
        inner = [name for name in names or () if name not in _INNER and not name.startswith(".")]
        waiting += [(path / name, [*levels, name]) for name in reversed(inner)]


def _folder_names(path: Path) -> list[str] | None:
    """The folders in a folder by name; None where it must not be looked into."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return None


def _dotted(name: str) -> str:
    """`.Sent.2024` is `Sent/2024`; levels part before they are decoded."""
    levels = [_decoded(level) for level in name.split(".")]
    return folder_name("/".join(level for level in levels if level))


def _decoded(level: str) -> str:
    """Modified UTF-7 if it is ASCII (RFC 3501 5.1.3), else UTF-8; `\\2e` is a dot (Dovecot's listescape)."""
    text = decode_utf7(level) if level.isascii() else level
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return shown(text.encode("utf-8", "surrogateescape")).replace("/", "\u2215")


def path_of(root: Path, name: str) -> Path:
    """Where a Maildir++ keeps the folder of this name: always right below its root."""
    if name == "INBOX":
        return root
    levels = [_encoded(level) for level in name.split("/") if level]
    return root / fitting("." + (".".join(levels) or "_"))


def _encoded(level: str) -> str:
    escaped = _TO_ESCAPE.sub(lambda found: f"\\{ord(found[0]):02x}", level)
    return _TO_SHIFT.sub(_shift, escaped)


def _shift(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    digits = base64.b64encode(found[0].encode("utf-16-be", "replace")).decode("ascii")
    return f"&{digits.rstrip('=').replace('/', ',')}-"


def fitting(name: str) -> str:
    """A file name that no file system finds too long (255 bytes); what is cut is told apart by a hash."""
    raw = name.encode("utf-8", "replace")
    if len(raw) <= _LONGEST_BYTES:
        return name
    return f"{raw[:_LONGEST_BYTES].decode('utf-8', 'ignore')}~{hashlib.sha256(raw).hexdigest()[:16]}"
