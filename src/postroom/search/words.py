"""What a message is found by: its words, as the text of a PostgreSQL tsvector.

    subject                word:1A     and with positions of their own  's:word':1
    names and addresses    word:9B     and by field                     'f:alice@example.org' 'f:example.org'
    file names             word:14C    and by field                     'n:report' 'n:.pdf'
    text                   word:17

Words come in this order, and each field begins one place after the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Final

from postroom.model import Address
from postroom.search import lexemes
from postroom.search.tokens import words

TEXT_LENGTH: Final = 4_000_000
"""Characters of a text that are read."""
NAME_LENGTH: Final = 1_000
"""Characters of a display name or file name that are read."""
VECTOR_BYTES: Final = 900_000
"""PostgreSQL refuses more than 1,048,575."""

_LAST_PLACE: Final = 16_383
_PLACES: Final = [str(place) for place in range(_LAST_PLACE + 1)]
_SUBJECT_PLACES: Final = 1_000
_PEOPLE_PLACES: Final = 4_000
_FILE_PLACES: Final = 1_000
_PLACES_OF_ONE_WORD: Final = 255
_ENOUGH_PLACES: Final = 5 * _PLACES_OF_ONE_WORD
_SURELY_FITS: Final = 150_000
"""A literal of so many characters is under the limit: it takes at most four bytes for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What of a message can be searched. No text holds a NUL or a lone surrogate."""

    subject: str = ""
    from_: Sequence[Address] = ()
    to: Sequence[Address] = ()
    cc: Sequence[Address] = ()
    bcc: Sequence[Address] = ()
    text: str = ""
    filenames: Sequence[str] = ()
    list_id: str | None = None
    has_attachment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    literal: str
    """The text form of a tsvector: for `::tsvector`, COPY and JSON."""
    is_capped: bool
    """There was more text than a tsvector holds; the message is found by its beginning."""


def tsvector(document: Document) -> Vector:
    """The search entry of one message."""
    subject = words(document.subject)
    text = words(document.text[:TEXT_LENGTH])
    index: dict[str, str] = {}
    place = _add(index, subject, 1, _SUBJECT_PLACES, "A")
    place = _add(index, _people_words(document), place, _PEOPLE_PLACES, "B")
    place = _add(index, _file_words(document), place, _FILE_PLACES, "C")
    _add(index, text, place, _LAST_PLACE + 1 - place, "")

    fields = [*_subject_lexemes(subject), *dict.fromkeys(_field_lexemes(document))]
    # The words of a text are letters and digits: they need no quotes.
    return _vector(fields, list(map(":".join, index.items())), is_cut=len(document.text) > TEXT_LENGTH)


def _add(index: dict[str, str], found: Sequence[str], first: int, room: int, weight: str) -> int:
    """Note the place of each word, and give the first place after them.

    Where there are more words than places, places are used again: a phrase is found at any depth of a text.
    One place stays free between fields: no phrase goes from one into the next.
    """
    taken = min(len(found), room)
    places: Iterable[str] = _PLACES[first : first + taken]
    if weight:
        places = [place + weight for place in places]
    if len(found) > room:
        places = cycle(places)
    for word, place in zip(found, places, strict=False):
        if word not in index:
            index[word] = place
        elif len(known := index[word]) < _ENOUGH_PLACES:
            index[word] = f"{known},{place}"
    return first + taken + 1


def _people_words(document: Document) -> list[str]:
    people = (*document.from_, *document.to, *document.cc, *document.bcc)
    return [word for one in people for word in lexemes.mailbox_words(one.name[:NAME_LENGTH], one.address)]


def _file_words(document: Document) -> list[str]:
    return [word for name in document.filenames for word in words(name[:NAME_LENGTH])]


def _subject_lexemes(subject: Sequence[str]) -> Iterator[str]:
    index: dict[str, str] = {}
    _add(index, subject, 1, _SUBJECT_PLACES, "")
    for word, places in index.items():
        yield f"{lexemes.quoted(lexemes.SUBJECT + word)}:{places}"


def _field_lexemes(document: Document) -> Iterator[str]:
    """Those of which a message may have very many come last."""
    if document.has_attachment:
        yield lexemes.quoted(lexemes.HAS_ATTACHMENT)
    if document.list_id:
        yield from lexemes.mailing_list(document.list_id)
    for mark, people in zip(
        lexemes.PEOPLE, (document.from_, document.to, document.cc, document.bcc), strict=True
    ):
        for one in people:
            yield from lexemes.person(mark, one.name[:NAME_LENGTH], one.address)
    for name in document.filenames:
        yield from lexemes.file(name[:NAME_LENGTH])


def _vector(fields: Sequence[str], plain: Sequence[str], *, is_cut: bool) -> Vector:
    literal = " ".join((*fields, *plain))
    if len(literal) <= _SURELY_FITS:
        return Vector(literal=literal, is_capped=is_cut)
    fitting = _fitting(fields, VECTOR_BYTES // 2)
    fitting += _fitting(plain, VECTOR_BYTES - sum(map(_size, fitting)))
    return Vector(literal=" ".join(fitting), is_capped=is_cut or len(fitting) < len(fields) + len(plain))


def _fitting(entries: Sequence[str], room: int) -> list[str]:
    """As many entries, from the first on, as so many bytes hold."""
    fitting: list[str] = []
    for entry in entries:
        room -= _size(entry)
        if room < 0:
            break
        fitting.append(entry)
    return fitting


def _size(entry: str) -> int:
    """Bytes that an entry takes at most: its text, a count, two for each position, and padding."""
    lexeme, _, places = (entry, "", "") if entry.endswith("'") else entry.rpartition(":")
    return len(lexeme.encode()) + 4 + 2 * min(places.count(",") + 1, _PLACES_OF_ONE_WORD)
