"""Structure: which parts a message has and where they lie (RFC 2046), by offsets, without copying them.

Works on anything with `len`, slices and `find`, so that a message of 200 MB is never held. Never raises, never
recurses: a tree too deep or too wide ends in one opaque part and a defect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from postroom.mime.headers import MAX_HEADER_BYTES, Fields, first, parameters, split_fields, unfolded
from postroom.model import Body, TransferEncoding

MAX_DEPTH = 100
MAX_PARTS = 2_000
_ENCODINGS: dict[str, TransferEncoding] = {
    "base64": "base64",
    "quoted-printable": "quoted-printable",
    "x-uuencode": "uuencode",
    "x-uue": "uuencode",
    "uuencode": "uuencode",
    "7bit": "identity",
    "8bit": "identity",
    "binary": "identity",
    "": "identity",
}


@dataclass(slots=True, kw_only=True)
class Part:
    """One node: its own header, and where its encoded bytes are."""

    fields: Fields
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
    garbage_lines: int = 0

    @property
    def filename(self) -> str | None:
        """RFC 2183 2.3, and the older name of RFC 2046."""
        return self.disposition_parameters.get("filename") or self.parameters.get("name") or None


def scan(body: Body) -> tuple[Part, list[Part], list[str]]:
    """The message itself, its leaves in their order, and what was wrong."""
    defects: list[str] = []
    root = _read_part(body, 0, len(body), "text/plain", defects)
    if not root.fields and root.garbage_lines:
        # No header at all: everything is text.
        root.start = 0
        defects.append("no-header: the message starts with its text")
    leaves: list[Part] = []
    waiting = [root]
    count = 1
    while waiting:
        part = waiting.pop()
        children = _children(body, part, defects) if part.mime_type.startswith("multipart/") else None
        if children is None:
            leaves.append(part)
            continue
        count += len(children)
        if part.depth >= MAX_DEPTH or count > MAX_PARTS:
            defects.append("too-many-parts: the rest is kept as one attachment")
            part.mime_type = "application/octet-stream"
            leaves.append(part)
            continue
        waiting.extend(reversed(children))
    return root, leaves, defects


def _read_part(body: Body, start: int, end: int, default_type: str, defects: list[str]) -> Part:
    header_end, content = _header_end(body, start, end)
    fields, garbage = split_fields(body[start:header_end])
    part = Part(fields=fields, start=content, end=end, mime_type=default_type, garbage_lines=garbage)
    if (raw := first(fields, "content-type")) is not None:
        part.mime_type, part.parameters = parameters(unfolded(raw))
        if "/" not in part.mime_type:
            defects.append("content-type: not a type and a subtype")
            part.mime_type = (
                "text/plain" if part.mime_type in ("", "text", "plain") else "application/octet-stream"
            )
    if (raw := first(fields, "content-disposition")) is not None:
        part.disposition, part.disposition_parameters = parameters(unfolded(raw))
    if (raw := first(fields, "content-transfer-encoding")) is not None:
        label = unfolded(raw).partition(";")[0].strip().strip("\"'").lower()
        if label not in _ENCODINGS:
            defects.append("transfer-encoding: not known, taken as it is")
        part.encoding = _ENCODINGS.get(label, "identity")
    return part


def _header_end(body: Body, start: int, end: int) -> tuple[int, int]:
    """Where the header ends and where the content begins (RFC 5322 2.1: at the first empty line)."""
    opening = body[start : min(start + 2, end)]
    if opening[:1] == b"\n":
        return start, start + 1
    if opening == b"\r\n":
        return start, start + 2
    limit = min(end, start + MAX_HEADER_BYTES)
    plain = body.find(b"\n\n", start, limit)
    dos = body.find(b"\n\r\n", start, limit if plain < 0 else plain)
    if dos >= 0:
        return dos + 1, dos + 3
    if plain >= 0:
        return plain + 1, plain + 2
    return limit, limit


def _children(body: Body, part: Part, defects: list[str]) -> list[Part] | None:
    """The parts between the delimiters; None where there is no delimiter, so that the part is kept as it is."""
    boundary = part.parameters.get("boundary", "").encode("utf-8", "surrogatepass")
    spans = list(islice(_spans(body, part, boundary, defects), MAX_PARTS + 1)) if boundary else []
    if not spans:
        defects.append("boundary: it does not occur, the part is taken as text")
        part.mime_type = "text/plain"
        return None
    default = "message/rfc822" if part.mime_type == "multipart/digest" else "text/plain"  # RFC 2046 5.1.5
    children = []
    for index, (start, end) in enumerate(spans):
        child = _read_part(body, start, end, default, defects)
        child.parent_type, child.index, child.depth = part.mime_type, index, part.depth + 1
        children.append(child)
    return children


def _spans(body: Body, part: Part, boundary: bytes, defects: list[str]) -> Iterator[tuple[int, int]]:
    """Start and end of each part's header and content (RFC 2046 5.1.1: delimiter = CRLF "--" boundary)."""
    delimiter = b"--" + boundary
    opened: int | None = None
    at = part.start if body[part.start : part.start + len(delimiter)] == delimiter else -1
    position = part.start
    while True:
        if at < 0:
            at = body.find(b"\n" + delimiter, max(position - 1, part.start), part.end)
            if at < 0:
                break
            at += 1
        after = at + len(delimiter)
        tail = body[after : min(after + 2, part.end)]
        if tail and tail[:1] not in b"\r\n \t" and tail != b"--":
            position, at = after, -1  # a longer boundary that begins alike
            continue
        if opened is not None:
            yield opened, _before_line_end(body, opened, at)
        if tail == b"--":
            return
        line_end = body.find(b"\n", after, part.end)
        position = opened = part.end if line_end < 0 else line_end + 1
        at = opened if body[opened : opened + len(delimiter)] == delimiter else -1
    if opened is not None:
        defects.append("boundary: the closing delimiter is missing")
        yield opened, part.end


def _before_line_end(body: Body, start: int, at: int) -> int:
    """The line end before a delimiter belongs to the delimiter."""
    edge = body[max(start, at - 2) : at]
    return at - (2 if edge.endswith(b"\r\n") else 1 if edge.endswith(b"\n") else 0)
