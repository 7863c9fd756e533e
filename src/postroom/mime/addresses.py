"""Addresses: an address list of RFC 5322 3.4 as people and programs write it. Linear, and drops nobody."""

from __future__ import annotations

import re

from postroom.mime import charsets
from postroom.mime.encoded_words import decode_words
from postroom.mime.headers import plain
from postroom.model import Address

MAX_CHARACTERS = 1000
"""An address longer than this (RFC 5321 4.5.3.1 allows 320) can reach nobody: it is kept as a name."""

# Possessive repeats, because there is nothing to try again. An angle bracket that is never closed ends at the
# next separator, so that it does not swallow the rest of the list.
_TOKEN = re.compile(
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|<[^<>]*+>|<[^<>,;\s]*+|[,;:()]|\\.'
    r'|=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]*+\?=|[^",;:()<=\\]++|=|\\',
    re.DOTALL,
)
_MOST_WORDS = 2000
"""Of one name; more are put together at once."""
_WORD = re.compile(r"\S+")
_AROUND_SPECIALS = re.compile(r"\s*([@.])\s*")
_COMMENT = re.compile(r"\([^()]*\)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


# What nine fields in ten hold.
_USUAL = re.compile(
    r"""(?:("?)([^"\\<>,;:()@=\x1b]*)\1\s*<)?([^\s"\\<>,;:()@=]+@[^\s"\\<>,;:()@=]+)(?(2)>)""", re.ASCII
)


def parse_addresses(value: str, charset: str | None = None) -> tuple[Address, ...]:
    """The mailboxes of a field in their order; those of a group know its name; an empty group is nobody."""
    if not value:
        return ()
    value = plain(value, charset)
    if len(value) < MAX_CHARACTERS and (found := _USUAL.fullmatch(value)):
        return (Address(name=" ".join((found[2] or "").split()), address=found[3]),)
    return tuple(_List(value).read())


class _List:
    """Reads one address list, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Address] = []
        # Ten thousand and one mailboxes of four characters are an attack on memory, not a list.
        self._most = max(10_000, len(text) // 20)
        self._group: str | None = None
        self._depth = 0
        self._comment_start = 0
        self._reset()

    def _reset(self) -> None:
        self._words: list[str] = []
        self._comment = ""
        self._angle: str | None = None

    def read(self) -> list[Address]:
        for found in _TOKEN.finditer(self._text):
            if self._depth or found[0] == "(":
                self._read_comment(found)
            else:
                self._read(found[0])
            if len(self._found) >= self._most:
                break
        self._finish()
        return self._found

    def _read(self, piece: str) -> None:
        if piece == ",":
            self._finish()
        elif piece == ";":
            self._finish()
            self._group = None
        elif piece == ":":
            self._read_colon()
        elif piece.startswith("<"):
            self._read_angle(piece)
        else:
            self._words.append(piece)
        if len(self._words) > _MOST_WORDS:
            self._words = [_plain_all(self._words)]

    def _read_comment(self, found: re.Match[str]) -> None:
        """RFC 5322 3.2.2: comments lie in comments."""
        if found[0] == "(":
            self._depth += 1
            if self._depth == 1:
                self._comment_start = found.end()
        elif found[0] == ")":
            self._depth -= 1
            if self._depth == 0 and not self._comment:
                self._comment = self._text[self._comment_start : found.start()]

    def _read_colon(self) -> None:
        if self._angle is not None or self._group is not None:
            self._words.append(":")
            return
        text = "".join(self._words).strip()
        if text.lower() == "mailto":
            self._words.clear()
        elif not text or "@" in text:
            self._words = [text, ":"]
        else:  # RFC 5322 3.4: group = display-name ":" [group-list] ";"
            self._group = _name(self._words)
            self._reset()

    def _read_angle(self, piece: str) -> None:
        if self._angle:
            self._finish()
        inner = piece[1:].removesuffix(">").strip()
        if inner.startswith("@") and ":" in inner:  # RFC 5322 4.4: an obsolete route
            inner = inner.rpartition(":")[2]
        self._angle = inner.removeprefix("mailto:")

    def _finish(self) -> None:
        comment = _name([self._comment.replace("\\(", "(").replace("\\)", ")")]) if self._comment else ""
        if self._angle is not None:
            self._finish_angle(self._angle, _name(self._words) or comment)
        elif text := "".join(self._words).strip():
            if "@" in text:
                self._finish_bare(text, comment)
            else:
                self._finish_word(_name(self._words), comment)
        self._reset()

    def _finish_angle(self, address: str, name: str) -> None:
        before = self._found[-1] if self._found else None
        if name and before and _is_torn_name(before, self._group):
            # Doe, John <john@example.com>: the comma should have been quoted.
            self._found.pop()
            name = f"{before.name}, {name}"
        if address or name:
            self._add(name, _address(address))

    def _finish_word(self, name: str, comment: str) -> None:
        """No @ anywhere: the name of a user of this machine, or of somebody without an address."""
        is_user = " " not in name and name.isascii() and not name[:1].isupper()
        if is_user:
            self._add(comment, name)
        else:
            self._add(name or comment, "")

    def _finish_bare(self, text: str, comment: str) -> None:
        """`alice@example.com`, and what people make of it: `Alice alice@example.com bob@example.com`."""
        is_quoted = len(self._words) > 1 and text[0] == '"' and self._words[1].startswith("@")
        if is_quoted:
            self._add(comment, _address(text))
            return
        if " " in text and len(text) < MAX_CHARACTERS:
            # RFC 5322 4.4: white space around the @ and the dots
            joined = _AROUND_SPECIALS.sub(r"\1", text)
            text = joined if joined.count("@") == 1 and " " not in joined else text
        name_start, count = 0, len(self._found)
        for word in _WORD.finditer(text):
            if "@" in word[0] and len(word[0]) > 1:
                self._add(_name([text[name_start : word.start()]]) or comment, _address(word[0]))
                name_start = word.end()
                if len(self._found) >= self._most:
                    return
        rest = _name([text[name_start:]])
        if rest and len(self._found) == count + 1 and not self._found[-1].name:
            last = self._found.pop()
            self._add(rest, last.address)

    def _add(self, name: str, address: str) -> None:
        if len(address) > MAX_CHARACTERS:
            name, address = f"{name} {address}".strip(), ""
        if name or address:
            self._found.append(Address(name=name, address=address, group=self._group))


def _is_torn_name(address: Address, group: str | None) -> bool:
    return 0 < len(address.name) < MAX_CHARACTERS and not address.address and address.group == group


def _name(words: list[str]) -> str:
    text = _plain_all(words)
    if "=?" in text:
        text = decode_words(text)
    return charsets.clean(" ".join(text.split())) if text else ""


def _plain_all(words: list[str]) -> str:
    return "".join([_plain(word) for word in words])


def _plain(word: str) -> str:
    """Without the quotes of a quoted string."""
    if not word.startswith('"'):
        return word
    inner = word[1:-1] if len(word) > 1 and word.endswith('"') else word[1:]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def _address(text: str) -> str:
    text = decode_words(text)
    if '"' in text:
        return charsets.clean(text.strip())
    if "(" in text:
        text = _COMMENT.sub("", text)
    return charsets.clean("".join(text.split()))
