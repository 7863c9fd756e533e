"""What the commands that write mail have in common: their options, and the letter that these make."""

from __future__ import annotations

import mimetypes
import sys
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from postroom.cli.frame import chosen, local_zone
from postroom.errors import NotFound, UsageError

ToOption = Annotated[
    list[str] | None,
    typer.Option("--to", help="Whom it is for: name@example.com or 'Name <name@example.com>'."),
]
CcOption = Annotated[list[str] | None, typer.Option("--cc", help="Who gets a copy.")]
BccOption = Annotated[
    list[str] | None, typer.Option("--bcc", help="Who gets a copy that nobody else knows of.")
]
SubjectOption = Annotated[str | None, typer.Option("--subject", "-s", help="What it is about.")]
TextOption = Annotated[str | None, typer.Option("--text", help="The text; - reads it from standard input.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="A file with the text as HTML.")]
AttachOption = Annotated[list[Path] | None, typer.Option("--attach", help="A file to go with it.")]
StoredOption = Annotated[
    list[str] | None,
    typer.Option(
        "--attach-stored", help="An attachment that the store has, by its SHA-256 (postroom show --json)."
    ),
]
InlineOption = Annotated[
    list[Path] | None,
    typer.Option("--inline", help="An image that the HTML shows as cid: and its file name."),
]
ReplyOption = Annotated[
    str | None, typer.Option("--reply-to-message", help="Answer this message.", metavar="ID")
]
AllOption = Annotated[bool, typer.Option("--reply-all", help="Answer everybody but yourself.")]
ForwardOption = Annotated[str | None, typer.Option("--forward", help="Send this message on.", metavar="ID")]
WholeOption = Annotated[
    bool, typer.Option("--as-attachment", help="Forward it as it is, as an attachment, not in the text.")
]
QuoteOption = Annotated[
    bool, typer.Option("--quote/--no-quote", help="Whether an answer holds what it answers.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody typed."""

    to: list[str] = field(default_factory=list)
    cc: list[str] = field(default_factory=list)
    bcc: list[str] = field(default_factory=list)
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    attach: list[Path] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    inline: list[Path] = field(default_factory=list)
    reply_to: str | None = None
    reply_all: bool = False
    forward: str | None = None
    as_attachment: bool = False
    quotes: bool = True


def wished(
    *, to: list[str] | None, cc: list[str] | None, bcc: list[str] | None, text: str | None, html: Path | None,
    attach: list[Path] | None, stored: list[str] | None, inline: list[Path] | None, **more: Any,
) -> Wish:  # fmt: skip
    """The options as one value; what is in files is read."""
    if text == "-":
        text = sys.stdin.read()
    return Wish(
        to=to or [],
        cc=cc or [],
        bcc=bcc or [],
        text=text,
        html=None if html is None else _read(html).decode("utf-8", "replace"),
        attach=attach or [],
        stored=stored or [],
        inline=inline or [],
        **more,
    )


async def letter_of(tx: Any, account: Any, wish: Wish) -> Any:
    """The letter that was wished for, from this account. Raises UsageError or NotFound."""
    from postroom.compose.addresses import mailboxes
    from postroom.compose.answer import forward, reply
    from postroom.compose.letter import Letter
    from postroom.model import Address
    from postroom.store import senders

    sender = await senders.find(tx, account.id)
    from_ = Address(name=(sender and sender.display_name) or "", address=account.email_address)
    if wish.reply_to and wish.forward:
        raise UsageError(
            reason="A message answers or forwards another; give --reply-to-message or --forward."
        )
    if wish.reply_to:
        original, _ = await _original(tx, wish.reply_to)
        letter = reply(
            original, from_=from_, text=wish.text, html=wish.html, to_all=wish.reply_all, quotes=wish.quotes
        )
    elif wish.forward:
        original, raw = await _original(tx, wish.forward)
        letter = forward(
            original,
            raw,
            from_=from_,
            to=(),
            text=wish.text,
            html=wish.html,
            as_attachment=wish.as_attachment,
        )
    else:
        letter = Letter(from_=from_, text=wish.text, html=wish.html)
    return replace(
        letter,
        to=mailboxes(wish.to) or letter.to,
        cc=tuple(dict.fromkeys((*letter.cc, *mailboxes(wish.cc)))),
        bcc=mailboxes(wish.bcc),
        subject=letter.subject if wish.subject is None else wish.subject,
        files=(*letter.files, *await files_of(tx, wish)),
    )


async def files_of(tx: Any, wish: Wish) -> list[Any]:
    """The files that go with it: from the disk, and from the store."""
    from postroom.blobs import Blobs
    from postroom.compose.letter import File
    from postroom.store import attachments

    found = [_file(path) for path in wish.attach]
    found += [replace(_file(path), content_id=path.name) for path in wish.inline]
    for sha256 in wish.stored:
        rows = await attachments.same(tx, sha256)
        if not rows:
            raise NotFound(what="attachment", name=sha256, mend="Its SHA-256 is in postroom show --json.")
        data = await Blobs(chosen()).read_all(tx, bytes(rows[0]["blob_hash"]))
        found.append(File(filename=rows[0]["filename"], mime_type=rows[0]["mime_type"], data=data))
    return found


def moment(text: str) -> datetime:
    """`2026-12-24 18:00`, in the time zone of this machine unless it names another."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(reason=f"--at is {text!r}; write a time as 2026-12-24 18:00.") from error
    return found if found.tzinfo else found.replace(tzinfo=local_zone())


def now() -> datetime:
    return datetime.now(local_zone())


async def resolved(what: str, prefix: str, starting_with: Any, mend: str) -> Any:
    """The one thing whose id begins so."""
    digits = prefix.replace("-", "").lower()
    if not digits or len(digits) > 32 or not all(each in "0123456789abcdef" for each in digits):
        raise UsageError(reason=f"{prefix!r} is not the id of a {what}. {mend}")
    found = await starting_with(prefix)
    if not found:
        raise NotFound(what=what, name=prefix, mend=mend)
    if len(found) > 1:
        raise UsageError(reason=f"More than one {what} starts with {prefix!r}. Give more of its id.")
    return found[0]


async def _original(tx: Any, prefix: str) -> tuple[Any, bytes]:
    from postroom.blobs import Blobs
    from postroom.mime.parse import parse
    from postroom.posting import original
    from postroom.store import messages

    message_id = await resolved(
        "message", prefix, lambda each: messages.starting_with(tx, each), "Find it: postroom search."
    )
    raw = await original(tx, Blobs(chosen()), message_id)
    return parse(raw), raw


def _file(path: Path) -> Any:
    from postroom.compose.letter import File

    guessed, encoding = mimetypes.guess_type(path.name)
    mime_type = guessed if guessed and not encoding else "application/octet-stream"
    return File(filename=path.name, mime_type=mime_type, data=_read(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(reason=f"The file {path} cannot be read: {error.strerror}.") from error
