"""Writes sample messages as other programs keep them: one mbox file, or a Maildir++ with its flags."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable
from pathlib import Path

from postroom.sample.mail import SampleMessage

_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)
_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}


def write_mbox(path: Path, messages: Iterable[SampleMessage]) -> int:
    """An mboxrd file (RFC 4155, `>` before every quoted From_ line); gives the number of messages."""
    count = 0
    with path.open("wb") as out:
        for message in messages:
            # `Tue Mar  3 14:20:11 2026`, in English whatever the locale.
            moment = message.received_at
            line = f"From sample@postroom.example {moment.ctime()}\n"
            out.write(line.encode() + _FROM_LINE.sub(rb">\1", message.raw) + b"\n")
            count += 1
    return count


def write_maildir(path: Path, messages: Iterable[SampleMessage]) -> int:
    """A Maildir++: INBOX at the top, the others beside it as `.Name.Below`; gives the number of messages."""
    made: dict[str, Path] = {}
    count = 0
    for message in messages:
        if message.folder not in made:
            made[message.folder] = _folder(path, message.folder)
        seconds = int(message.received_at.timestamp())
        letters = "".join(sorted(_LETTERS[flag] for flag in message.flags))
        name = f"{seconds}.M{count}P1.postroom"
        # What no reader has seen yet lies in new/, without flags.
        target = made[message.folder] / (f"cur/{name}:2,{letters}" if letters else f"new/{name}")
        target.write_bytes(message.raw)
        os.utime(target, (seconds, seconds))
        count += 1
    return count


def _folder(path: Path, name: str) -> Path:
    folder = path if name == "INBOX" else path / ("." + modified_utf7(name.replace("/", ".")))
    for below in ("cur", "new", "tmp"):
        (folder / below).mkdir(parents=True, exist_ok=True)
    if folder != path:
        (folder / "maildirfolder").touch()
    return folder


def modified_utf7(name: str) -> str:
    """RFC 3501 5.1.3: the way a folder's name is spelled on disk and on the wire."""
    return re.sub(r"[^\x20-\x7e]+|&", lambda match: _shifted(match[0]), name)


def _shifted(text: str) -> str:
    if text == "&":
        return "&-"
    return (
        "&" + base64.b64encode(text.encode("utf-16-be")).decode("ascii").rstrip("=").replace("/", ",") + "-"
    )
