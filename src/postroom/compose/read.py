"""Read: a draft's bytes back to the letter that they are."""

from __future__ import annotations

from postroom.compose.letter import File, Letter
from postroom.mime.parse import decoded_pieces, parse
from postroom.model import Address, Body


def read(raw: Body) -> Letter:
    """The letter of a draft that `write` made with Bcc shown, or that another program left in Drafts."""
    parsed = parse(raw)
    return Letter(
        from_=next(iter(parsed.from_), Address()),
        to=parsed.to,
        cc=parsed.cc,
        bcc=parsed.bcc,
        reply_to=parsed.reply_to,
        subject=parsed.subject,
        text=parsed.text,
        html=parsed.html,
        files=tuple(
            File(
                filename=part.filename,
                mime_type=part.mime_type,
                data=b"".join(decoded_pieces(raw, part)),
                content_id=part.content_id if part.is_inline else None,
            )
            for part in parsed.attachments
        ),
        in_reply_to=next(iter(parsed.in_reply_to), None),
        references=parsed.references,
    )
