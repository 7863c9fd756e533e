"""Readable: what an attachment says, where it is text."""

from __future__ import annotations

import mimetypes

from postroom.mime.bodies import html_to_text
from postroom.mime.charsets import decode
from postroom.mime.parse import parse

MOST_BYTES = 4 * 1024 * 1024
MOST_CHARACTERS = 200_000
_TEXT = {
    "application/json",
    "application/xml",
    "application/yaml",
    "application/x-yaml",
    "application/sql",
    "application/javascript",
    "application/x-sh",
    "application/ics",
}
_HTML = {"text/html", "application/xhtml+xml"}
_UNSAID = {"application/octet-stream", "application/unknown", ""}


def kind_of(mime_type: str, filename: str | None) -> str | None:
    """`text`, `html` or `message`; None where there is no text to be read. A label that says nothing gives way to the name."""
    kind = mime_type.lower()
    if kind in _UNSAID:
        kind = (mimetypes.guess_type(filename or "")[0] or "").lower()
    if kind in _HTML:
        return "html"
    if kind == "message/rfc822":
        return "message"
    is_text = kind.startswith("text/") or kind in _TEXT or kind.endswith(("+json", "+xml", "+yaml"))
    return "text" if is_text and kind != "image/svg+xml" else None


def text_of(kind: str, data: bytes) -> str:
    """The text, however odd the bytes are. It may take long: do it beside the loop."""
    if kind == "message":
        message = parse(data)
        sender = ", ".join(each.address for each in message.from_)
        head = [f"From: {sender}", f"Date: {message.date_header or ''}", f"Subject: {message.subject}"]
        body = message.text or (html_to_text(message.html) if message.html else "")
        return "\n".join([*head, "", body])
    text, _ = decode(data)
    return html_to_text(text) if kind == "html" else text
