"""Bodies: from texts as they were sent to what a person reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from resiliparse.extract.html2text import extract_plain_text

PREVIEW_CHARACTERS = 200
HTML_CHARACTERS = 512 * 1024
"""So much of a page is read for its words; the page itself is kept whole."""
FLOWED_CHARACTERS = 256 * 1024
"""A longer text keeps its lines as they are."""

# The extractor needs time with the square of its input for some pages: it gets them in pieces.
_PIECE_CHARACTERS = 32 * 1024
_PREVIEW_STEPS = (8 * 1024, 128 * 1024)
_PREVIEW_TEXT_CHARACTERS = 2 * 1024
_INVISIBLE_ELEMENT = re.compile(r"<(?:(style|script|title|template)\b|!--)", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,2000}>")
_LINE = re.compile(r"(?:\A|\n)(>*)( ?)([^\n]*)")
# What stands in the first line of newsletters so that previews look empty.
_ZERO_WIDTH = re.compile("[\u00ad\u034f\u061c\u200b-\u200f\u2060\u2063\ufeff]+")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} \S[^\n]*\n[!-`]", re.MULTILINE)


def holds_uuencoded(data: bytes) -> bool:
    """Whether a file is written into the text as programs did before MIME."""
    return b"begin " in data and _UU_BEGIN.search(data) is not None


def unflowed(text: str, *, deletes_space: bool) -> str:
    """The paragraphs of RFC 3676 4: a line that ends in a space goes on in the next of its quote depth."""
    if " \n" not in text or len(text) > FLOWED_CHARACTERS:
        return text
    blocks: list[str] = []
    pieces: list[str] = []
    open_depth: int | None = None
    for found in _LINE.finditer(text):
        quote, stuffing, content = found.groups()
        depth = len(quote)
        is_signature = content == "-- "  # RFC 3676 4.3
        if (pieces or blocks) and (open_depth != depth or is_signature):
            pieces.append("\n")
            open_depth = None
        if open_depth is None and depth:
            pieces.append(quote + (stuffing or " "))
        flows = content.endswith(" ") and not is_signature
        # RFC 3676 4.4: the first space was stuffed; 4.2: DelSp=yes deletes the last
        pieces.append(content[:-1] if flows and deletes_space else content)
        open_depth = depth if flows else None
        if len(pieces) > 500:
            blocks.append("".join(pieces))
            pieces.clear()
    return "".join(blocks) + "".join(pieces)


def html_to_text(html: str, limit: int = HTML_CHARACTERS) -> str:
    """What a reader sees of the first `limit` characters of a page, for previews and words."""
    return "\n".join(text for text in map(_extracted, _pieces(html[: 4 * limit], limit)) if text)


def preview_of(text: str | None, html: str | None) -> str:
    """The first 200 characters, white space folded: of the text, or of the page where there is none."""
    found = _folded(text) if text else ""
    if found or not html:
        return found
    for limit in _PREVIEW_STEPS:
        found = _folded(html_to_text(html, limit))
        if len(found) == PREVIEW_CHARACTERS:
            break
    return found


def _folded(text: str) -> str:
    head = text[:_PREVIEW_TEXT_CHARACTERS]
    if head.isspace():
        head = text.lstrip()[:_PREVIEW_TEXT_CHARACTERS]
    head = " ".join(head.split())
    if not head.isascii():
        head = " ".join(_ZERO_WIDTH.sub("", head).split())
    return head[:PREVIEW_CHARACTERS].rstrip()


def _pieces(html: str, limit: int) -> Iterator[str]:
    """The page without what is never seen, in pieces that end before a tag."""
    held = ""
    for stretch in _visible(html):
        while stretch and limit > 0:
            taken = stretch[: min(_PIECE_CHARACTERS - len(held), limit)]
            if len(taken) < len(stretch) and (cut := taken.rfind("<")) > 0:
                taken = taken[:cut]
            stretch = stretch[len(taken) :]
            limit -= len(taken)
            held += taken
            if stretch:
                yield held
                held = ""
        if limit <= 0:
            break
    if held:
        yield held


def _visible(html: str) -> Iterator[str]:
    """The stretches between styles, scripts and comments; most of a newsletter is the former."""
    position = 0
    while found := _INVISIBLE_ELEMENT.search(html, position):
        yield html[position : found.start()]
        closing = f"</{found[1]}" if found[1] else "-->"
        end = html.find(closing, found.end())
        if end < 0 and found[1]:
            end = html.find(closing.upper(), found.end())
        if end < 0:
            position = found.end()
            break
        position = end + len(closing)
        if found[1]:
            position = html.find(">", position) + 1 or len(html)
    yield html[position:]


def _extracted(html: str) -> str:
    try:
        return extract_plain_text(html, main_content=False, alt_texts=True, links=False)
    except (ValueError, RuntimeError):
        return _TAG.sub(" ", html)
