"""One message as bytes: header lines, encoded words, parts and multiparts, built without a mail library.

The bytes must be the same on every Python, so nothing here asks a library how to fold or encode.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH = 72
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMessage:
    """A message and what a mailbox knows of it."""

    raw: bytes
    """The message with bare newlines, as files on disk hold it."""
    folder: str
    flags: frozenset[str] = frozenset()
    labels: tuple[str, ...] = ()
    received_at: datetime
    kind: str = ""
    """What sort of mail it is: `work`, `newsletter`, `odd`, and so on."""


def date(moment: datetime) -> str:
    """RFC 5322 3.3: `Tue, 03 Mar 2026 14:20:11 +0100`, whatever the locale."""
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    offset = (moment.utcoffset() or timedelta()) // timedelta(minutes=1)
    sign, minutes = ("-" if offset < 0 else "+"), abs(offset)
    zone = f"{sign}{minutes // 60:02d}{minutes % 60:02d}"
    return f"{day}, {moment.day:02d} {month} {moment.year:04d} {moment:%H:%M:%S} {zone}"


def encoded_words(text: str, charset: str = "utf-8", encoding: str = "b") -> str:
    """RFC 2047: the text as encoded words of at most 75 characters, each a whole number of characters."""
    words, piece = [], ""
    for character in text:
        if len(_encoded_word(piece + character, charset, encoding)) > 75:
            words.append(_encoded_word(piece, charset, encoding))
            piece = ""
        piece += character
    return "\n ".join([*words, _encoded_word(piece, charset, encoding)])


def _encoded_word(text: str, charset: str, encoding: str) -> str:
    data = text.encode(charset)
    if encoding == "b":
        return f"=?{charset}?B?{base64.b64encode(data).decode('ascii')}?="
    safe = "".join(chr(b) if chr(b).isalnum() and b < 128 else "_" if b == 32 else f"={b:02X}" for b in data)
    return f"=?{charset}?Q?{safe}?="


def unstructured(text: str, charset: str = "utf-8", encoding: str = "b") -> str:
    """A Subject: as it is when it is ASCII, as encoded words when not, folded either way."""
    return fold(text) if text.isascii() else encoded_words(text, charset, encoding)


def mailbox(name: str, address: str, charset: str = "utf-8", encoding: str = "b") -> str:
    """RFC 5322 3.4: `"Morgan, Alex" <alex@postroom.example>`."""
    if not name:
        return address
    if not name.isascii():
        return f"{encoded_words(name, charset, encoding)} <{address}>"
    quoted = f'"{name}"' if any(c in name for c in '.,()[]@:;<>"') else name
    return f"{quoted} <{address}>"


def fold(text: str, width: int = 76) -> str:
    """RFC 5322 2.2.3: long lines go on below, behind a blank."""
    return "\n ".join(wrap(text, width))


def wrap(text: str, width: int = WIDTH) -> list[str]:
    """Lines of whole words; a script without blanks is cut by characters, half as many as they are wide."""
    if not text.isascii() and text.count(" ") * 30 < len(text):
        return [text[at : at + width // 2] for at in range(0, len(text), width // 2)]
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def plain(text: str, charset: str = "utf-8", encoding: str = "8bit", *, flowed: bool = False) -> bytes:
    """A text/plain entity, hard-wrapped or format=flowed (RFC 3676)."""
    lines = [line for paragraph in text.split("\n") for line in _lines(paragraph, flowed=flowed)]
    parameters = f"{charset}; format=flowed" if flowed else charset
    return text_entity("plain", "\n".join(lines) + "\n", charset, encoding, parameters)


def _lines(paragraph: str, *, flowed: bool) -> list[str]:
    if paragraph.startswith(">") or paragraph == "-- ":
        return [paragraph]
    lines = wrap(paragraph) if not paragraph.startswith("  ") else [paragraph]
    if not flowed:
        return lines
    # RFC 3676 4.4: a line that starts like a quote, a blank or From is stuffed with one space.
    stuffed = [f" {line}" if line.startswith((" ", ">", "From ")) else line for line in lines]
    return [f"{line} " for line in stuffed[:-1]] + stuffed[-1:]


def text_entity(subtype: str, text: str, charset: str, encoding: str, parameters: str = "") -> bytes:
    """A text entity: its header, a blank line, the encoded bytes. A charset too small gives way to UTF-8."""
    try:
        data = text.encode(charset)
    except UnicodeEncodeError:
        return text_entity(subtype, text, "utf-8", encoding, parameters.replace(charset, "utf-8"))
    if encoding == "8bit" and data.isascii():
        encoding = "7bit"
    head = f"Content-Type: text/{subtype}; charset={parameters or charset}\n"
    return head.encode() + f"Content-Transfer-Encoding: {encoding}\n\n".encode() + _encode(data, encoding)


def _encode(data: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64_lines(data)
    if encoding == "quoted-printable":
        return binascii.b2a_qp(data, istext=True)
    return data


def base64_lines(data: bytes) -> bytes:
    """RFC 2045 6.8: base64 in lines of 76 characters."""
    return base64.encodebytes(data)


def attachment(mime_type: str, filename: str, data: bytes, *, content_id: str = "", style: str = "") -> bytes:
    """A part with a file in it; `style` says how a name that is not ASCII is written: `2231` or `2047`."""
    disposition = "inline" if content_id else "attachment"
    head = [
        f"Content-Type: {mime_type}; {_parameter('name', filename, '2047')}",
        f"Content-Disposition: {disposition};\n {_parameter('filename', filename, style or '2231')}",
        "Content-Transfer-Encoding: base64",
    ]
    if content_id:
        head.append(f"Content-ID: <{content_id}>")
    return "\n".join(head).encode() + b"\n\n" + base64_lines(data)


def _parameter(key: str, value: str, style: str) -> str:
    if value.isascii():
        return f'{key}="{value}"'
    if style == "2047":
        # RFC 2047 5 (3) forbids it, and half of the world's mailers do it.
        return f'{key}="{encoded_words(value)}"'
    percent = "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02X}" for b in value.encode())
    return f"{key}*=UTF-8''{percent}"


def multipart(subtype: str, parts: Sequence[bytes], boundary: str, parameters: str = "") -> bytes:
    """RFC 2046 5.1: the parts between lines of the boundary."""
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"{parameters}\n\n'.encode()
    mark = b"--" + boundary.encode()
    return head + b"".join(mark + b"\n" + part + b"\n" for part in parts) + mark + b"--\n"


def message(headers: Sequence[tuple[str, str]], entity: bytes) -> bytes:
    """The header lines, MIME-Version, and the entity with its own header."""
    lines = "".join(f"{name}: {value}\n" for name, value in headers)
    return lines.encode() + b"MIME-Version: 1.0\n" + entity
