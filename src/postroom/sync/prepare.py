"""Prepare: everything about a message that can be known without the database. Pure, and safe in a thread."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from postroom.mime import bodies, recipe
from postroom.mime.parse import decoded_pieces, parse
from postroom.model import Body, ParsedMessage, RawMessage
from postroom.search import words

HELD_BYTES = 1024 * 1024
"""Blobs up to this size go in with the batch; larger ones in pieces."""
_WINDOW_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A message ready to be stored."""

    raw: RawMessage
    """Without its bytes: what is kept of them is in `blobs`."""
    parsed: ParsedMessage
    content_hash: bytes
    size_bytes: int
    raw_blob: bytes
    recipe: recipe.Recipe | None
    blobs: dict[bytes, bytes | Callable[[], Iterator[bytes]]]
    """The bytes to keep, by their SHA-256: the skeleton or the whole, and every attachment."""
    words: str
    is_capped: bool


def prepare(raw: RawMessage) -> Prepared:
    """Parse it, take its hash, cut its attachments out, list its words."""
    body = raw.body
    parsed = parse(body)
    content_hash = hash_of(body)
    blobs: dict[bytes, bytes | Callable[[], Iterator[bytes]]] = {}
    for part in parsed.attachments:
        held = part.data if part.data is not None and len(part.data) <= HELD_BYTES else None
        blobs[part.sha256] = held if held is not None else partial(decoded_pieces, body, part)
    found, skeleton = _cut(body, parsed, content_hash, blobs)
    if found is None:
        raw_blob = content_hash
        blobs[raw_blob] = body[0 : len(body)] if len(body) <= HELD_BYTES else partial(_windows, body)
    elif len(skeleton) <= HELD_BYTES:
        kept = bytes(skeleton)
        raw_blob = hashlib.sha256(kept).digest()
        blobs[raw_blob] = kept
    else:
        raw_blob = _sha256(skeleton.pieces())
        blobs[raw_blob] = skeleton.pieces
    vector = words.tsvector(_document(parsed))
    return Prepared(
        raw=replace(raw, body=b""),
        parsed=parsed,
        content_hash=content_hash,
        size_bytes=len(body),
        raw_blob=raw_blob,
        recipe=found,
        blobs=blobs,
        words=vector.literal,
        is_capped=vector.is_capped,
    )


def hash_of(body: Body) -> bytes:
    """The SHA-256 by which a message is known, however large it is."""
    return _sha256(_windows(body))


def _cut(
    body: Body,
    parsed: ParsedMessage,
    content_hash: bytes,
    blobs: dict[bytes, bytes | Callable[[], Iterator[bytes]]],
) -> tuple[recipe.Recipe | None, recipe.Skeleton]:
    """Cut the attachments out, and put the message together again before anything is stored.

    The message made again tells whether all was right; else each cut must prove itself, or stay.
    """

    def fetch(sha256: bytes) -> Iterator[bytes]:
        content = blobs[sha256]
        return iter((content,)) if isinstance(content, bytes) else content()

    for proves in (False, True):
        found, skeleton = recipe.cut(body, parsed.attachments, proves=proves)
        if found is None or recipe.verified(content_hash, skeleton.pieces(), found, fetch):
            return found, skeleton
    return None, skeleton


def _sha256(pieces: Iterator[bytes]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _windows(body: Body) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    for at in range(0, len(body), _WINDOW_BYTES):
        yield body[at : at + _WINDOW_BYTES]


def _document(parsed: ParsedMessage) -> words.Document:
    text = parsed.text
    if (text is None or text.isspace() or not text) and parsed.html is not None:
        text = bodies.html_to_text(parsed.html)
    return words.Document(
        subject=parsed.subject,
        text=text or "",
        from_=parsed.from_,
        to=parsed.to,
        cc=parsed.cc,
        bcc=parsed.bcc,
        filenames=[part.filename for part in parsed.attachments if part.filename],
        list_id=parsed.list_id,
        has_attachment=any(not part.is_inline for part in parsed.attachments),
    )
