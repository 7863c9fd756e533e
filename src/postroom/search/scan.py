"""From the characters of a query to its tokens: fields, words, phrases, operators, parentheses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from postroom.errors import QuerySyntaxError

Kind: TypeAlias = Literal["open", "close", "or", "and", "not", "field", "word", "phrase", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    kind: Kind
    text: str
    """Of a field its name in lower case; of words and phrases what they say, without quotes and final `*`."""
    position: int
    """Of the first character, counted from 1."""
    is_prefix: bool = False


_QUOTES: Final = str.maketrans("“”„«»", '"""""')
"""What telephones and word processors make of a quote."""

_FIELD: Final = re.compile(r"([A-Za-z]+):(?!//)")  # https://example.org is text
_WORD: Final = re.compile(r'[^\s()|"]+')
_PHRASE: Final = re.compile(r'"([^"]*)"(\*?)')
_SPACE: Final = re.compile(r"\s*")
_NO_TEXT: Final = re.compile("[\\0\ud800-\udfff]")
"""What PostgreSQL cannot hold."""
_SIGNS: Final[dict[str, Kind]] = {"(": "open", ")": "close", "|": "or"}
_OPERATORS: Final[dict[str, Kind]] = {"OR": "or", "AND": "and", "NOT": "not"}


def scan(query: str) -> list[Token]:
    """The tokens of a query, the last of kind `end`."""
    if bad := _NO_TEXT.search(query):
        raise QuerySyntaxError(position=bad.start() + 1, reason="this character is no text")
    query = query.translate(_QUOTES)
    tokens: list[Token] = []
    at = _skip(query, 0)
    while at < len(query):
        token, at = _operator(query, at) or _field(query, at) or _value(query, at)
        tokens.append(token)
        if token.kind == "field" and query[at : at + 1] != "(":
            token, at = _value(query, at)
            tokens.append(token)
        at = _skip(query, at)
    tokens.append(Token(kind="end", text="", position=len(query) + 1))
    return tokens


def _skip(query: str, at: int) -> int:
    space = _SPACE.match(query, at)
    return space.end() if space else at


def _operator(query: str, at: int) -> tuple[Token, int] | None:
    character = query[at]
    if kind := _SIGNS.get(character):
        return Token(kind=kind, text=character, position=at + 1), at + 1
    if character == "-" and at + 1 < len(query) and not query[at + 1].isspace():
        return Token(kind="not", text=character, position=at + 1), at + 1
    word = _WORD.match(query, at)
    if word and (kind := _OPERATORS.get(word[0])):
        return Token(kind=kind, text=word[0], position=at + 1), word.end()
    return None


def _field(query: str, at: int) -> tuple[Token, int] | None:
    field = _FIELD.match(query, at)
    if field is None:
        return None
    rest = query[field.end() : field.end() + 1]
    if not rest or rest.isspace() or rest in ")|":
        reason = f"{field[0]} needs a value right after the colon"
        raise QuerySyntaxError(position=at + 1, reason=reason)
    return Token(kind="field", text=field[1].lower(), position=at + 1), field.end()


def _value(query: str, at: int) -> tuple[Token, int]:
    if query[at] == '"':
        return _phrase(query, at)
    word = _WORD.match(query, at)
    assert word is not None, "every other character has been taken"
    text = word[0].rstrip("*")
    return Token(kind="word", text=text, position=at + 1, is_prefix=text != word[0]), word.end()


def _phrase(query: str, at: int) -> tuple[Token, int]:
    phrase = _PHRASE.match(query, at)
    if phrase is None:
        raise QuerySyntaxError(position=at + 1, reason="the quote that begins here does not end")
    return Token(kind="phrase", text=phrase[1], position=at + 1, is_prefix=phrase[2] == "*"), phrase.end()
