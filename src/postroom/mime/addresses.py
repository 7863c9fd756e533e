"""Addresses: an address list of RFC 5322 3.4 as people and programs really write it. Linear, and drops nobody."""

from __future__ import annotations

import re

from postroom.mime.charsets import clean
from postroom.mime.headers import decode_words, unfolded
from postroom.model import Address

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|<[^>]*>?|[,;:()]|[^",;:()<]+', re.DOTALL)
_SPACED = re.compile(r"\s*([@.])\s*")
_COMMENT = re.compile(r"\([^()]*\)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_addresses(raw: bytes | None) -> tuple[Address, ...]:
    """The mailboxes of a field in their order; those of a group know its name; an empty group is nobody."""
    if not raw:
        return ()
    return tuple(_List(unfolded(raw)).read())


class _List:
    """Reads one address list, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Address] = []
        self._group: str | None = None
        self._reset()

    def _reset(self) -> None:
        self._words: list[str] = []
        self._comment: list[str] = []
        self._angle: str | None = None

    def read(self) -> list[Address]:
        depth = 0
        for found in _TOKEN.finditer(self._text):
            token = found[0]
            if token in "()" or depth:
                depth = self._read_comment(token, depth)
            elif token == ",":
                self._finish()
            elif token == ";":
                self._finish()
                self._group = None
            elif token == ":":
                self._read_colon()
            elif token == '""':
                continue  # nothing, in quotation marks
            elif token.startswith("<"):
                self._read_angle(token)
            else:
                self._words.append(token)
        self._finish()
        return self._found

    def _read_comment(self, token: str, depth: int) -> int:
        if token == "(":
            if depth:
                self._comment.append(token)
            return depth + 1
        if token == ")":
            if depth > 1:
                self._comment.append(token)
            return max(depth - 1, 0)
        self._comment.append(token)
        return depth

    def _read_colon(self) -> None:
        text = "".join(self._words).strip()
        if text.lower() == "mailto":
            self._words.clear()
        elif "@" in text or self._angle is not None or self._group is not None or not text:
            self._words.append(":")
        else:  # RFC 5322 3.4: group = display-name ":" [group-list] ";"
            self._group = _name(self._words)
            self._reset()

    def _read_angle(self, token: str) -> None:
        if self._angle is not None:
            self._finish()
        inner = token[1:].removesuffix(">").strip()
        if inner.startswith("@") and ":" in inner:  # RFC 5322 4.4: an obsolete route
            inner = inner.rpartition(":")[2]
        self._angle = inner.removeprefix("mailto:")

    def _finish(self) -> None:
        address = self._one()
        if address is not None:
            self._found.append(address)
        self._reset()

    def _one(self) -> Address | None:
        comment = _name(self._comment)
        if self._angle is not None:
            name = _name(self._words) or comment
            if not self._angle and not name:
                return None
            return Address(name=name, address=_address(self._angle), group=self._group)
        text = "".join(self._words).strip()
        if not text:
            return None
        if "@" not in text:
            name = _name(self._words)
            is_local = " " not in name and name.isascii()
            return Address(
                name=comment if is_local else name, address=name if is_local else "", group=self._group
            )
        return self._bare(text, comment)

    def _bare(self, text: str, comment: str) -> Address:
        """`alice@example.com`, and what people make of it: `Alice alice@example.com`."""
        if text.startswith('"') or (" " not in text and "\t" not in text):
            return Address(name=comment, address=_address(text), group=self._group)
        joined = _SPACED.sub(r"\1", text)  # RFC 5322 4.4: white space around the @ and the dots
        if joined.count("@") == 1 and not any(each.isspace() for each in joined):
            return Address(name=comment, address=_address(joined), group=self._group)
        words = text.split()
        at = next((index for index, word in enumerate(words) if "@" in word and len(word) > 2), 0)
        name = decode_words(" ".join(words[:at] + words[at + 1 :]))
        return Address(name=name or comment, address=_address(words[at]), group=self._group)


def _name(words: list[str]) -> str:
    text = "".join(_plain(word) for word in words)
    return clean(" ".join(decode_words(text).split()))


def _plain(word: str) -> str:
    if not word.startswith('"'):
        return word
    inner = word[1:-1] if len(word) > 1 and word.endswith('"') else word[1:]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def _address(text: str) -> str:
    text = decode_words(text) if "=?" in text else text
    if "(" in text and '"' not in text:
        text = _COMMENT.sub("", text)
    return clean("".join(text.split()) if '"' not in text else text.strip())
