"""Charsets: bytes to text, whatever the label says. Never fails, and never gives NUL or a lone surrogate."""

from __future__ import annotations

import codecs
import re

import cchardet

_ALIASES = {
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "ks_c_5601": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-1": "cp1252",  # WHATWG Encoding: what is labelled Latin-1 is Windows-1252 in the wild
    "latin1": "cp1252",
    "us-ascii": "ascii",
    "utf8": "utf-8",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "unicode-1-1-utf-7": "utf-7",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
}
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_NOT_TEXT = frozenset(
    {"base64", "hex", "bz2", "zlib", "uu", "quopri", "rot13", "idna", "punycode", "undefined"}
)
_SAMPLE_BYTES = 64 * 1024


def clean(text: str) -> str:
    """Without what PostgreSQL's text cannot hold: NUL becomes U+FFFD, and so does half a surrogate pair."""
    return text if text.isascii() and "\x00" not in text else _FORBIDDEN.sub("�", text)


def known(label: str | None) -> str | None:
    """Python's name of a charset, or None where there is no such thing."""
    if not label:
        return None
    name = label.strip().strip("\"'").lower()
    name = _ALIASES.get(name, name)
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return None if found in _NOT_TEXT or found.endswith("_codec") else name


def decode(data: bytes, declared: str | None = None) -> tuple[str, str | None]:
    """The text, and a defect where the label was wrong: declared, UTF-8, detected, Windows-1252 are tried in turn."""
    if not declared or declared.lower() in ("us-ascii", "utf-8", "utf8", "ascii"):
        if data.isascii() and b"\x1b" not in data:
            return clean(data.decode("ascii")), None
        declared = None if declared and "ascii" in declared.lower() else declared
    name = known(declared)
    text = _strict(data, name) if name else None
    if text is not None:
        return clean(text), None
    defect = (
        f"charset: {declared} does not fit"
        if name
        else (f"charset: {declared} is not known" if declared else None)
    )
    return clean(_guessed(data, name)), defect


def _strict(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeError, ValueError, LookupError):
        return None


def _guessed(data: bytes, declared: str | None) -> str:
    if (text := _strict(data, "utf-8")) is not None:
        return text
    if b"\x1b" in data and (text := _strict(data, "iso2022_jp_2")) is not None:
        return text
    if declared and declared not in ("utf-8", "ascii", "utf-7"):
        # The label is right but for some broken bytes: better a few marks than another alphabet.
        text = data.decode(declared, "replace")
        if text.count("�") * 20 <= len(text):
            return text
    found = known((cchardet.detect(data[:_SAMPLE_BYTES]) or {}).get("encoding"))
    if found and found not in ("ascii", "utf-8") and (text := _strict(data, found)) is not None:
        return text
    if declared == "utf-8" and (text := data.decode("utf-8", "replace")).count("�") * 20 <= len(text):
        return text
    return _strict(data, "cp1252") or data.decode("latin-1")
