"""Structure: which parts a message has and where they lie (RFC 2046), by offsets, without copying them.

Works on anything with `len`, slices and `find`, so that a message of 200 MB is never held. Never raises and
never recurses: a tree too deep or too wide ends in one opaque part and a defect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from postroom.mime.defects import Defects
from postroom.mime.headers import MAX_BYTES, MAX_FIELDS, Header, plain, read_fields
from postroom.mime.parameters import parameters
from postroom.mime.transfer import is_base64
from postroom.model import Body, TransferEncoding

MAX_DEPTH = 100
MAX_PARTS = 10_000
MAX_LOOKALIKES = 4 * MAX_PARTS
SEARCHES = 16
"""How often the message is searched through at most, all multiparts together."""
UUENCODE_BYTES = 16 * 1024 * 1024
"""Longer parts in uuencode are not decoded: it takes a step of Python for each line."""
_OPAQUE = "application/octet-stream"
_ALTERNATIVE = "multipart/alternative"
_ENCODINGS: dict[str, TransferEncoding] = {
    "base64": "base64",
    "quotedprintable": "quoted-printable",
    "xuuencode": "uuencode",
    "xuue": "uuencode",
    "uuencode": "uuencode",
    "7bit": "identity",
    "8bit": "identity",
    "binary": "identity",
    "": "identity",
}
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]+")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_MIME_TYPE = re.compile(r"[!-.0-~]{1,127}/[!-.0-~]{1,127}")  # RFC 6838 4.2: 127 characters each
# RFC 2046 5.1.1: delimiter := CRLF "--" boundary; then white space and the end of the line.
_DELIMITER_TAIL = re.compile(rb"(--)?[ \t]*(?:\r?\n|\r?\Z)")
_LINE_AHEAD_BYTES = 128
_FIRST_DELIMITER = re.compile(rb"(?:\A|\n)--([^\r\n]{1,200})\r?\n[Cc]ontent-")
_LEADING_LINE_ENDS = re.compile(
    rb"[\r\n]+(?=(?:return-path|received|delivered-to|from|to|date|subject|message-id|mime-version|content-type):)",
    re.IGNORECASE,
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(slots=True, kw_only=True)
class Part:
    """One node: its own header, and where its encoded bytes are."""

    header: Header
    start: int
    end: int
    mime_type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)
    encoding: TransferEncoding = "identity"
    disposition: str = ""
    disposition_parameters: dict[str, str] = field(default_factory=dict)
    parent_type: str = ""
    index: int = 0
    """Its place among its siblings."""
    depth: int = 0
    alternative: int = 0
    """Which multipart/alternative it lies in, the nearest one; 0 for none."""

    @property
    def filename(self) -> str | None:
        """RFC 2183 2.3, and the older name of RFC 2046."""
        return self.disposition_parameters.get("filename") or self.parameters.get("name") or None


def read_root(body: Body, defects: Defects) -> Part:
    """The message as its own outermost part."""
    opening = body[0:1024]
    start = len(_BYTE_ORDER_MARK) if opening.startswith(_BYTE_ORDER_MARK) else 0
    if found := _LEADING_LINE_ENDS.match(opening, start):
        start = found.end()
    root = read_part(body, start, len(body), "text/plain", defects)
    if not root.header.fields and len(body):
        defects.add("header-missing")
    return root


def read_part(body: Body, start: int, end: int, default_type: str, defects: Defects) -> Part:
    """A part by its header: what it says of itself."""
    block_end, content = _header_end(body, start, end)
    header, real_end = read_fields(body[start:block_end])
    part = Part(header=header, start=content, end=end, mime_type=default_type)
    if header.garbage_lines:
        defects.add("header-garbage")
    if block_end - start >= MAX_BYTES or len(header.fields) >= MAX_FIELDS:
        defects.add("header-too-long")
    if header.fields:
        _read_content_fields(part, defects)
    if start + real_end < block_end and part.encoding != "base64":
        part.start = start + real_end  # the empty line is missing: the text begins where the header stops
    if part.encoding == "base64" and not is_base64(body, part.start, end):
        defects.add("base64-broken")
        part.encoding = "identity"
    return part


def _read_content_fields(part: Part, defects: Defects) -> None:
    if value := part.header.first("content-type"):
        mime_type, part.parameters = parameters(plain(value))
        if _MIME_TYPE.fullmatch(mime_type):
            part.mime_type = mime_type
        elif mime_type or part.parameters:
            defects.add("content-type-invalid", f"{mime_type[:80]!r} is not a type and a subtype")
            part.mime_type = "text/plain" if mime_type in ("", "text", "plain") else _OPAQUE
    if value := part.header.first("content-disposition"):
        part.disposition, part.disposition_parameters = parameters(plain(value))
    if value := part.header.first("content-transfer-encoding"):
        label = plain(value).partition(";")[0].partition("(")[0].lower()
        encoding = _ENCODINGS.get(_NOT_ALPHANUMERIC.sub("", label[:100]))
        if encoding == "uuencode" and part.end - part.start > UUENCODE_BYTES:
            encoding = None
        if encoding is None:
            defects.add("encoding-unknown", f"{label[:80]!r} is not known; the part is taken as it is")
        part.encoding = encoding or "identity"


def _header_end(body: Body, start: int, end: int) -> tuple[int, int]:
    """Where the header ends and where the content begins (RFC 5322 2.1: at the first empty line)."""
    size = 8 * 1024
    while True:
        head = body[start : min(start + size, end)]
        if head.startswith(b"\n"):
            return start, start + 1
        if head.startswith(b"\r\n"):
            return start, start + 2
        if found := _EMPTY_LINE.search(head):
            return start + found.start() + 1, start + found.end()
        if start + size >= end:
            return end, end
        if size >= MAX_BYTES:
            return start + size, start + size
        size *= 4


def header_block(message: bytes) -> bytes:
    """The header of a message that is held, without its empty line."""
    end, _ = _header_end(message, 0, len(message))
    return message[:end]


class Walk:
    """Goes through the tree and gives its leaves in their order; multiparts themselves are not given."""

    def __init__(self, body: Body, root: Part, defects: Defects) -> None:
        self._body = body
        self._root = root
        self._defects = defects
        self._parts = 1
        self._delimiters_seen = 0
        self._searches_left = SEARCHES * len(body) + 64 * 1024 * 1024

    def leaves(self) -> Iterator[Part]:
        open_multiparts = [iter((self._root,))]
        while open_multiparts:
            part = next(open_multiparts[-1], None)
            if part is None:
                open_multiparts.pop()
            elif self._parts > MAX_PARTS:
                self._defects.add("too-many-parts")
                yield Part(header=Header(), start=part.start, end=len(self._body), mime_type=_OPAQUE)
                return
            elif part.mime_type.startswith("multipart/"):
                open_multiparts.append(self._open(part))
            else:
                yield part

    def _open(self, part: Part) -> Iterator[Part]:
        """The parts of a multipart; the multipart itself, as a leaf, where it cannot be taken apart."""
        self._searches_left -= part.end - part.start
        if part.depth >= MAX_DEPTH or self._searches_left < 0:
            self._defects.add("too-deep")
            part.mime_type = _OPAQUE
            return iter((part,))
        for boundary in self._boundaries(part):
            spans = self._spans(part, boundary)
            if first := next(spans, None):
                return self._children(part, first, spans)
        self._defects.add("boundary-missing")
        part.mime_type = "text/plain"
        return iter((part,))

    def _boundaries(self, part: Part) -> Iterator[bytes]:
        """The one announced, then the one that the first part seems to stand behind."""
        announced = part.parameters.get("boundary", "").rstrip()
        boundary = announced.encode("utf-8", "surrogatepass")
        if boundary and b"\n" not in boundary and len(boundary) <= 1024:
            yield boundary
        opening = self._body[part.start : min(part.end, part.start + 4096)]
        if found := _FIRST_DELIMITER.search(opening):
            self._defects.add("boundary-guessed")
            yield found[1].rstrip()

    def _children(
        self, part: Part, first: tuple[int, int], spans: Iterator[tuple[int, int]]
    ) -> Iterator[Part]:
        # RFC 2046 5.1.5
        default = "message/rfc822" if part.mime_type == "multipart/digest" else "text/plain"
        index = 0
        span: tuple[int, int] | None = first
        while span:
            self._parts += 1
            child = read_part(self._body, *span, default, self._defects)
            child.parent_type, child.index, child.depth = part.mime_type, index, part.depth + 1
            child.alternative = part.start if part.mime_type == _ALTERNATIVE else part.alternative
            yield child
            index += 1
            span = next(spans, None)

    def _spans(self, part: Part, boundary: bytes) -> Iterator[tuple[int, int]]:
        """Start and end of each part's header and content."""
        opened: int | None = None
        has_ended = False
        for line_start, line_end, closes in self._delimiter_lines(part, boundary):
            if opened is not None:
                yield opened, max(opened, _without_line_end(self._body, line_start))
            elif has_ended and not closes:
                self._defects.add("parts-after-end")
            opened = None if closes else line_end
            has_ended = has_ended or closes
        if opened is not None:
            self._defects.add("boundary-unclosed")
            yield opened, part.end

    def _delimiter_lines(self, part: Part, boundary: bytes) -> Iterator[tuple[int, int, bool]]:
        delimiter = b"\n--" + boundary
        position = max(part.start - 1, 0)  # the line end of the empty line belongs to the first delimiter
        while self._delimiters_seen < MAX_LOOKALIKES:
            at = self._body.find(delimiter, position, part.end)
            if at < 0:
                return
            self._delimiters_seen += 1
            after = at + len(delimiter)
            ahead = self._body[after : min(after + _LINE_AHEAD_BYTES, part.end)]
            position = after
            if tail := _DELIMITER_TAIL.match(ahead):  # else a longer boundary that begins alike
                yield at + 1, after + tail.end(), tail[1] is not None
                position = after + max(tail.end() - 1, 0)
        self._defects.add("too-many-parts")


def _without_line_end(body: Body, at: int) -> int:
    """RFC 2046 5.1.1: the line end before a delimiter belongs to the delimiter."""
    return at - (2 if body[max(at - 2, 0) : at] == b"\r\n" else 1)
