"""Answer: replies and forwards, made from the message that is answered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from datetime import datetime
from email.utils import format_datetime
from html import escape

from postroom.compose.addresses import checked, same
from postroom.compose.letter import File, Letter
from postroom.errors import UsageError
from postroom.mime.bodies import html_to_text
from postroom.mime.parse import decoded_pieces
from postroom.model import Address, Body, ParsedMessage

_RE = re.compile(r"\s*re\s*(\[\d+\]|\(\d+\))?\s*:", re.IGNORECASE)
_FWD = re.compile(r"\s*(fwd?|wg|tr)\s*(\[\d+\])?\s*:", re.IGNORECASE)


def reply(
    original: ParsedMessage,
    *,
    from_: Address,
    text: str | None,
    html: str | None = None,
    to_all: bool = False,
    own: Iterable[str] = (),
    quotes: bool = True,
) -> Letter:
    """An answer to whoever wrote it, or to all but ourselves; `own` are our other addresses."""
    ours = frozenset(map(same, [from_.address, *own]))
    to, cc = _answered(original, ours, to_all=to_all)
    text = html_to_text(html) if text is None and html else text or ""
    return Letter(
        from_=from_,
        to=to,
        cc=cc,
        subject=original.subject if _RE.match(original.subject) else f"Re: {original.subject}",
        text=f"{text}\n\n{_quoted(original)}" if quotes else text,
        html=None if html is None else html + (_quoted_page(original) if quotes else ""),
        in_reply_to=original.message_id,
        references=references(original),
    )


def forward(
    original: ParsedMessage,
    raw: Body,
    *,
    from_: Address,
    to: tuple[Address, ...],
    text: str | None,
    html: str | None = None,
    as_attachment: bool = False,
) -> Letter:
    """The message for somebody else: in the text with its attachments, or whole, byte for byte, as an attachment."""
    subject = original.subject if _FWD.match(original.subject) else f"Fwd: {original.subject}"
    text = html_to_text(html) if text is None and html else text or ""
    if as_attachment:
        name = re.sub(r'[/\\:*?"<>|\x00-\x1f]+', "_", original.subject).strip(" ._")[:60] or "message"
        whole = File(filename=f"{name}.eml", mime_type="message/rfc822", data=bytes(raw[0 : len(raw)]))
        return Letter(from_=from_, to=to, subject=subject, text=text, html=html, files=(whole,))
    head = _head(original)
    shown = "\n".join(f"{name}: {value}" for name, value in head)
    letter = f"{text}\n\n---------- Forwarded message ----------\n{shown}\n\n{_text(original)}"
    page = None
    if html is not None:
        rows = "<br>".join(f"<b>{name}:</b> {escape(value)}" for name, value in head)
        page = f"{html}<br><br>---------- Forwarded message ----------<br>{rows}<br><br>{_page(original)}"
    files = tuple(_carried(original, raw))
    return Letter(from_=from_, to=to, subject=subject, text=letter, html=page, files=files)


def references(original: ParsedMessage) -> tuple[str, ...]:
    """RFC 5322 3.6.4: those of the original, or its In-Reply-To if that is one id, and the original itself."""
    earlier = original.references or (original.in_reply_to if len(original.in_reply_to) == 1 else ())
    return (*earlier, original.message_id) if original.message_id else earlier


def _answered(
    original: ParsedMessage, ours: Set[str], *, to_all: bool
) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Who gets the answer. Answering oneself goes on to those who got the first message."""
    authors = _usable(original.reply_to) or _usable(original.from_)
    is_ours = bool(authors) and all(same(each.address) in ours for each in authors)
    to = _usable(original.to) if is_ours else authors
    cc = _usable(original.cc) if is_ours or to_all else []
    if to_all and not is_ours:
        to = [*to, *_usable(original.to)]
    seen: set[str] = set(ours)
    kept_to, kept_cc = _each_once(to, seen), _each_once(cc, seen)
    if not kept_to:
        kept_to, kept_cc = kept_cc, ()
    if not kept_to:
        kept_to = _each_once(authors, set())  # a note to oneself
    if not kept_to:
        raise UsageError(reason="The message does not say whom to answer; name somebody in to.")
    return kept_to, kept_cc


def _usable(addresses: Iterable[Address]) -> list[Address]:
    found = []
    for each in addresses:
        try:
            found.append(checked(each))
        except UsageError:
            continue  # it names nobody that mail can reach
    return found


def _each_once(addresses: Iterable[Address], seen: set[str]) -> tuple[Address, ...]:
    kept = []
    for each in addresses:
        if same(each.address) not in seen:
            seen.add(same(each.address))
            kept.append(each)
    return tuple(kept)


def _text(original: ParsedMessage) -> str:
    if original.text and not original.text.isspace():
        return original.text
    return html_to_text(original.html) if original.html else ""


def _quoted(original: ParsedMessage) -> str:
    lines = _text(original).rstrip().splitlines()
    quoted = [f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in lines]
    return "\n".join([_introduction(original), *quoted, ""])


def _quoted_page(original: ParsedMessage) -> str:
    return (
        f'<br><br>{escape(_introduction(original))}<br><blockquote type="cite">{_page(original)}</blockquote>'
    )


def _page(original: ParsedMessage) -> str:
    """Its text as a page: what others wrote as HTML is not sent on in our name."""
    return escape(_text(original).rstrip()).replace("\n", "<br>\n")


def _introduction(original: ParsedMessage) -> str:
    who = next((each.name or each.address for each in original.from_), "somebody")
    when = f"On {_day(original.sent_at)}, " if original.sent_at else ""
    return f"{when}{who} wrote:"


def _day(moment: datetime) -> str:
    """As the sender's clock showed it."""
    return f"{moment:%Y-%m-%d} at {moment:%H:%M}"


def _head(original: ParsedMessage) -> list[tuple[str, str]]:
    when = format_datetime(original.sent_at) if original.sent_at else original.date_header or ""
    lines = [
        ("From", _shown(original.from_)),
        ("Date", when),
        ("Subject", original.subject),
        ("To", _shown(original.to)),
        ("Cc", _shown(original.cc)),
    ]
    return [(name, value) for name, value in lines if value]


def _shown(addresses: Iterable[Address]) -> str:
    return ", ".join(f"{each.name} <{each.address}>" if each.name else each.address for each in addresses)


def _carried(original: ParsedMessage, raw: Body) -> Iterable[File]:
    for part in original.attachments:
        yield File(filename=part.filename, mime_type=part.mime_type, data=b"".join(decoded_pieces(raw, part)))
