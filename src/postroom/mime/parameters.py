"""Parameters: `text/plain; charset=utf-8` taken apart (RFC 2045 5.1, RFC 2231)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from postroom.mime import charsets
from postroom.mime.encoded_words import decode_words

MAX_CHARACTERS = 16 * 1024

_VALUE = re.compile(r"[^\s;=]*")
# A value ends at the next semicolon, so that `filename=my report.pdf` is read as it is meant. Possessive
# repeats, because there is nothing to try again.
_PARAMETER = re.compile(r'[\s;]*+([^\s=;"]++)\s*+=\s*+("[^"\\]*+(?:\\.[^"\\]*+)*+"?|[^;]*+)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SECTION = re.compile(r"(.+?)\*(?:(\d{1,4})(\*)?)?", re.DOTALL)


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """The value in lower case, and its parameters by name in lower case."""
    value = value[:MAX_CHARACTERS]
    found = _VALUE.match(value)
    head = found[0] if found else ""
    position = len(head)
    if (
        value[position : position + 1] == "="
    ):  # the value itself is missing: Content-Disposition: filename=a.txt
        head, position = "", 0
    simple: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, content in _pairs(value, position):
        section = _SECTION.fullmatch(name) if "*" in name else None
        if section is None:
            simple.setdefault(
                name, decode_words(content) if "=?" in content else content
            )  # RFC 2047 5 forbids it; many do it
        else:
            is_encoded = section[2] is None or section[3] is not None
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (content, is_encoded))
    for name, numbered in sections.items():
        simple[name] = _joined(numbered)  # RFC 2231 3: it wins over the plain form for older programs
    return head.lower(), simple


def _pairs(value: str, position: int) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    while 0 <= position < len(value):
        found = _PARAMETER.match(value, position)
        if found is None:
            position = value.find(";", position + 1)
            continue
        pairs.append((found[1].lower(), _unquoted(found[2])))
        position = found.end()
    return pairs


def _unquoted(content: str) -> str:
    if not content.startswith('"'):
        return content.strip()
    content = content[1:-1] if len(content) > 1 and content.endswith('"') else content[1:]
    return _ESCAPED.sub(r"\1", content) if "\\" in content else content


def _joined(numbered: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231 3 and 4: sections in their order; the first names the charset for those that are encoded."""
    charset: str | None = None
    pieces: list[bytes] = []
    for place, index in enumerate(sorted(numbered)):
        content, is_encoded = numbered[index]
        if is_encoded and place == 0 and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        raw = content.encode("utf-8", "surrogatepass")
        pieces.append(unquote_to_bytes(raw) if is_encoded else raw)
    text, _ = charsets.decode(b"".join(pieces), charset or "utf-8")
    return decode_words(text)
