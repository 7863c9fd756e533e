"""Header fields: raw bytes to names and decoded values (RFC 5322 2.2, RFC 2047, RFC 2231, RFC 6532)."""

from __future__ import annotations

import binascii
import re
from urllib.parse import unquote_to_bytes

from postroom.mime import charsets

MAX_HEADER_BYTES = 4 * 1024 * 1024
"""A header longer than this is cut; the raw bytes are kept whole anyhow."""

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
# RFC 2047 2; the text of a Q word may hold spaces in the wild, so the end is the first "?=".
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN = re.compile(r"(\?=)[ \t\r\n]+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")
_QP = re.compile(rb"=([0-9A-Fa-f]{2})")
_FOLD = re.compile(r"\r?\n|\r")
_PARAMETER = re.compile(r"""\s*;?\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)""", re.DOTALL)

Fields = list[tuple[str, bytes]]


def split_fields(header: bytes) -> tuple[Fields, int]:
    """The fields in their order, values raw and still folded; and how many lines were not a field of any kind."""
    fields: Fields = []
    garbage = 0
    name, value = "", bytearray()
    for line in header.splitlines(keepends=True):
        if line[:1] in b" \t" and line.strip() and name:
            value += line
            continue
        found = _FIELD.match(line)
        if found:
            if name:
                fields.append((name, bytes(value)))
            name, value = found[1].decode("ascii"), bytearray(line[found.end() :])
        elif line.strip():
            garbage += 1
    if name:
        fields.append((name, bytes(value)))
    return fields, garbage


def first(fields: Fields, name: str) -> bytes | None:
    """The first field of this name, or None."""
    wanted = name.lower()
    return next((value for each, value in fields if each.lower() == wanted), None)


def text_of(raw: bytes) -> str:
    """A field's value as a person should read it: unfolded, 8-bit bytes decoded, encoded words decoded."""
    text = unfolded(raw)
    return decode_words(text) if "=?" in text else text


def unfolded(raw: bytes) -> str:
    """RFC 5322 2.2.3; 8-bit bytes are UTF-8 (RFC 6532) or what they look like."""
    text = raw.decode("ascii") if raw.isascii() else charsets.decode(raw)[0]
    if "\n" in text or "\r" in text:
        text = _FOLD.sub("", text)
    return charsets.clean(text).strip()


def decode_words(text: str) -> str:
    """Decode the encoded words of RFC 2047. Neighbours of one charset are joined before they are decoded, because
    in the wild a character is split over two of them."""
    # RFC 2047 6.2: white space between two encoded words is not shown
    text = _BETWEEN.sub(r"\1", text)
    pieces: list[str] = []
    position, held, held_charset = 0, b"", ""
    for word in _WORD.finditer(text):
        between = text[position : word.start()]
        charset = word[1].split("*")[0].lower()  # RFC 2231 5: a language may follow
        data = _word_bytes(word[2], word[3])
        if held and (between or charset != held_charset):
            pieces.append(charsets.decode(held, held_charset)[0])
            held = b""
        pieces.append(between)
        held, held_charset = held + data, charset
        position = word.end()
    if held:
        pieces.append(charsets.decode(held, held_charset)[0])
    pieces.append(text[position:])
    return " ".join("".join(pieces).splitlines()).replace("\t", " ") if pieces else text


def _word_bytes(encoding: str, encoded: str) -> bytes:
    raw = encoded.encode("utf-8", "surrogatepass")
    if encoding in "qQ":
        return _QP.sub(lambda found: bytes([int(found[1], 16)]), raw.replace(b"_", b" "))
    return base64_bytes(raw)


def base64_bytes(raw: bytes) -> bytes:
    """Base64 that may lack its padding or hold what does not belong: what can be had of it."""
    try:
        return binascii.a2b_base64(raw)
    except binascii.Error:
        kept = re.sub(rb"[^A-Za-z0-9+/]", b"", raw.split(b"=")[0] if b"=" in raw.rstrip(b"=\r\n ") else raw)
        kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
        try:
            return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))
        except binascii.Error:
            return b""


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """`text/plain; charset=utf-8` as its value and its parameters (RFC 2045 5.1, RFC 2231 continued and encoded)."""
    head, _, rest = value.partition(";")
    simple: dict[str, str] = {}
    parts: dict[str, dict[int, tuple[str, bool]]] = {}
    for found in _PARAMETER.finditer(rest[:65536]):
        name, content = found[1].lower(), _unquoted(found[2])
        base, star, tail = name.partition("*")
        if not star:
            simple.setdefault(name, decode_words(content) if "=?" in content else content)
            continue
        number = tail.rstrip("*")
        if number.isdigit() or not number:
            parts.setdefault(base, {})[int(number or 0) if len(number) < 5 else 0] = (
                content,
                name.endswith("*"),
            )
    for base, numbered in parts.items():
        simple[base] = _joined(numbered)  # RFC 2231: wins over the plain form that older programs read
    return head.strip().lower(), simple


def _unquoted(content: str) -> str:
    content = content.strip()
    if not content.startswith('"'):
        return content
    content = content[1:-1] if len(content) > 1 and content.endswith('"') else content[1:]
    return re.sub(r"\\(.)", r"\1", content)


def _joined(numbered: dict[int, tuple[str, bool]]) -> str:
    charset: str | None = None
    data = b""
    for index in sorted(numbered):
        content, is_encoded = numbered[index]
        if is_encoded and index == min(numbered) and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        raw = content.encode("utf-8", "surrogatepass")
        data += unquote_to_bytes(raw) if is_encoded else raw
    return charsets.decode(data, charset or "utf-8")[0]
