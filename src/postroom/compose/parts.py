"""Parts: texts and files as MIME parts (RFC 2045, RFC 2046), every line short enough and, but for one case, ASCII."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pybase64

from postroom.compose import fields
from postroom.compose.letter import File

_LONGEST_LINE = 998  # RFC 5322 2.1.1
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")  # RFC 6838 4.2
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,250}", re.ASCII)
_OPAQUE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part with the lines of its header and its content; `is_8bit` where the content is not ASCII."""

    header: bytes
    content: bytes
    is_8bit: bool = False

    def bytes(self) -> bytes:
        return self.header + b"\r\n" + self.content


def of_text(subtype: str, text: str) -> Part:
    """A text in the plainest encoding that carries it unharmed."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    lines = lines if lines.endswith("\n") or not lines else lines + "\n"
    data = lines.encode("utf-8", "replace")
    charset = "us-ascii" if data.isascii() else "utf-8"
    is_plain = (
        data.isascii()
        and all(len(line) <= _LONGEST_LINE for line in data.split(b"\n"))
        # What relays change: "From " at the start of a line, and lone control characters.
        and not re.search(rb"(?m)^From |[\x00-\x08\x0b-\x1f\x7f]", data)
    )
    if is_plain:
        encoding, content = "7bit", data.replace(b"\n", b"\r\n")
    elif sum(byte > 126 for byte in data) * 3 < len(data):
        quoted = binascii.b2a_qp(data, istext=True)
        quoted = re.sub(rb"(?m)^From ", b"=46rom ", quoted)
        encoding, content = "quoted-printable", quoted.replace(b"\r", b"=0D").replace(b"\n", b"\r\n")
    else:
        encoding, content = "base64", _base64(data.replace(b"\n", b"\r\n"))
    header = fields.structured("Content-Type", f"text/{subtype}", [f"charset={charset}"])
    return Part(header=header + _encoding(encoding), content=content)


def of_file(file: File) -> Part:
    """An attachment, or an image that the page shows."""
    if file.mime_type.lower() == "message/rfc822":
        return _of_message(file)
    mime_type = file.mime_type if _TYPE.fullmatch(file.mime_type) else _OPAQUE
    if mime_type.lower().startswith(("multipart/", "message/")):
        mime_type = _OPAQUE  # RFC 2046 5.1, 5.2: these may not be encoded in base64
    header = fields.structured("Content-Type", mime_type) + _encoding("base64") + _disposition(file)
    return Part(header=header, content=_base64(file.data))


def multipart(subtype: str, parts: Sequence[Part], *, seed: str, parameters: Sequence[str] = ()) -> Part:
    """The parts behind each other. The boundary holds `=_`, which no encoding of ours can make."""
    digest = hashlib.sha256(f"{subtype} {seed}".encode()).hexdigest()[:32]
    boundary = f"=_{digest}"
    edge = b"--" + boundary.encode()
    content = b"".join(edge + b"\r\n" + part.bytes() + b"\r\n" for part in parts) + edge + b"--\r\n"
    header = fields.structured(
        "Content-Type", f"multipart/{subtype}", [*parameters, f'boundary="{boundary}"']
    )
    is_8bit = any(part.is_8bit for part in parts)
    return Part(header=header + (_encoding("8bit") if is_8bit else b""), content=content, is_8bit=is_8bit)


def is_content_id(value: str) -> bool:
    """Whether a header can name a part so."""
    return bool(_CONTENT_ID.fullmatch(value))


def _of_message(file: File) -> Part:
    """A message as it is: 7bit or 8bit, for it may not be encoded (RFC 2046 5.2.1); a file where that cannot be."""
    data = re.sub(rb"\r\n|\n|\r", b"\r\n", file.data)
    fits = b"\0" not in data and all(len(line) <= _LONGEST_LINE for line in data.split(b"\r\n"))
    if not fits:
        header = fields.structured("Content-Type", _OPAQUE) + _encoding("base64") + _disposition(file)
        return Part(header=header, content=_base64(file.data))
    encoding = "7bit" if data.isascii() else "8bit"
    header = fields.structured("Content-Type", "message/rfc822") + _encoding(encoding) + _disposition(file)
    return Part(header=header, content=data, is_8bit=encoding == "8bit")


def _disposition(file: File) -> bytes:
    named = fields.filename(file.filename) if file.filename else []
    if file.content_id and is_content_id(file.content_id):
        return f"Content-ID: <{file.content_id}>\r\n".encode() + fields.structured(
            "Content-Disposition", "inline", named
        )
    return fields.structured("Content-Disposition", "attachment", named)


def _encoding(name: str) -> bytes:
    return f"Content-Transfer-Encoding: {name}\r\n".encode()


def _base64(data: bytes) -> bytes:
    return pybase64.encodebytes(data).replace(b"\n", b"\r\n")
