"""Charsets: bytes to text, whatever the label says. Never fails, and never gives NUL or a lone surrogate."""

from __future__ import annotations

import re
from encodings.aliases import aliases
from functools import lru_cache

import cchardet

# What labels mean in the wild (WHATWG Encoding 4.2): a superset that Windows wrote, rather than the standard.
_MEANT = {
    "latin_1": "cp1252",
    "iso8859_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "big5": "cp950",
}
_FURTHER_LABELS = {
    "utf8": "utf_8",
    "unicode_1_1_utf_7": "utf_7",
    "unicode_1_1_utf_8": "utf_8",
    "x_gbk": "gb18030",
    "x_sjis": "cp932",
    "x_euc_jp": "euc_jp",
    "x_big5": "cp950",
    "x_mac_roman": "mac_roman",
    "windows_31j": "cp932",
    "windows_874": "cp874",
    "windows_949": "cp949",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "ks_c_5601": "cp949",
    "cp50220": "iso2022_jp",
    "cp50221": "iso2022_jp",
    "koi8_u": "koi8_u",
    "koi8_ru": "koi8_u",
    "cp874": "cp874",
    "cp737": "cp737",
    "cp720": "cp720",
}
# Codecs that are no charsets, and EBCDIC, which no mail is written in.
_NOT_TEXT = re.compile(r"_codec$|^(rot_13|mbcs|oem|cp037|cp500|cp1026|cp1140|cp273|cp424)$")
_CODECS = frozenset(name for name in aliases.values() if not _NOT_TEXT.search(name))

_LABEL = re.compile(r"[\w.:+-]{1,60}", re.ASCII)
_WESTERN = frozenset({"cp1252", "iso8859_15", "ascii", "cp1250", "iso8859_2", "cp1254"})
_WIDE = frozenset({"utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"})
_SHIFTED = frozenset({"utf_7", "hz"})
_SURROGATE = re.compile("[\ud800-\udfff]")
_SAMPLE_BYTES = 64 * 1024
_SURE = 0.6
"""Below this confidence the detector guesses worse than Windows-1252 does."""


def clean(text: str) -> str:
    """Without what PostgreSQL's text cannot hold: NUL and lone surrogates become U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if not text.isascii() and _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def known(label: str | None) -> str | None:
    """Python's codec for a label, or None where there is no such charset."""
    found = _LABEL.search(label) if label else None
    return _known(found[0].lower()) if found else None


@lru_cache(maxsize=256)
def _known(label: str) -> str | None:
    # A look into Python's own table, and not codecs.lookup: that remembers every wrong name for ever.
    key = re.sub(r"[-.:]+", "_", label)
    for each in (key, key.replace("_", ""), key.removeprefix("x_")):
        name = _FURTHER_LABELS.get(each) or aliases.get(each) or each
        name = _MEANT.get(name, name)
        if name in _CODECS or name in _FURTHER_LABELS.values():
            return name
    return None


def decode(data: bytes, declared: str | None = None) -> tuple[str, str | None]:
    """The text, and the name of the defect where the label was wrong or missing.

    In turn: what is declared, UTF-8, what the detector is sure of, Windows-1252, Latin-1.
    """
    codec = known(declared)
    if data.isascii() and b"\x1b" not in data and codec not in _SHIFTED and codec not in _WIDE:
        defect = "charset-unknown" if declared and codec is None else None
        return clean(data.decode("ascii")), defect
    text = _declared(data, codec) if codec else None
    if text is not None:
        return _finished(text), None
    defect = "charset-wrong" if codec else "charset-unknown" if declared else "charset-missing"
    return _finished(_guessed(data, codec)), defect


def _finished(text: str) -> str:
    return clean(text.removeprefix("\ufeff"))


def _declared(data: bytes, codec: str) -> str | None:
    if codec in _WIDE and b"\x00" not in data[:_SAMPLE_BYTES]:
        # Labelled UTF-16 and without a single NUL: no space and no line end. It is not.
        return None
    if codec in _WESTERN and _strict(data, "utf_8") is not None:
        # These charsets accept any bytes; UTF-8 does not, so that what passes is UTF-8.
        return None
    text = _strict(data, codec)
    if text is None and codec.startswith("iso2022_jp"):
        text = _strict(_as_jis_x_0213(data), "iso2022_jp_2004")
    return text


def _as_jis_x_0213(data: bytes) -> bytes:
    """The characters that Windows adds to JIS X 0208 (①, ㈱) stand at the same places in JIS X 0213."""
    return data.replace(b"\x1b$B", b"\x1b$(Q").replace(b"\x1b$@", b"\x1b$(Q")


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeError, ValueError):
        return None


def _guessed(data: bytes, codec: str | None) -> str:
    text = _strict(data, "utf_8")
    if text is None or (b"\x1b$" in data and text.isascii()):
        text = _escaped(data) or text
    if text is None and codec:
        text = _mostly(data, codec)
    if text is None and codec != "utf_8":
        text = _mostly(data, "utf_8")
    if text is None:
        text = _detected(data)
    if text is None:
        text = _strict(data, "cp1252")
    return text if text is not None else data.decode("latin-1")


def _escaped(data: bytes) -> str | None:
    return _strict(_as_jis_x_0213(data), "iso2022_jp_2004") if b"\x1b" in data else None


def _mostly(data: bytes, codec: str) -> str | None:
    """The label is right but for some broken bytes: better a few marks than another alphabet."""
    if codec in _WIDE or codec in _SHIFTED:
        return None
    text = data.decode(codec, "replace")
    marks = text.count("\ufffd")
    # Of the characters above 127, not of all: a page of English with one wrong quote says nothing.
    above = len(text) - len(text.encode("ascii", "ignore"))
    return text if marks * 5 <= above else None


def _detected(data: bytes) -> str | None:
    found = cchardet.detect(data[:_SAMPLE_BYTES]) or {}
    codec = known(found.get("encoding"))
    if codec in (None, "ascii", "utf_8") or (found.get("confidence") or 0) < _SURE:
        return None
    return _strict(data, str(codec))
