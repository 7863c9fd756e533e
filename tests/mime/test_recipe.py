"""Cutting and rebuilding: whatever comes in comes out again, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mime import recipe as recipes
from postroom.mime.recipe import Recipe, Skeleton, cut, rebuild, verified
from postroom.model import ParsedAttachment, TransferEncoding


def attachment(
    data: bytes, start: int, end: int, encoding: TransferEncoding = "base64", *, held: bool = True
) -> ParsedAttachment:
    return ParsedAttachment(
        filename=None,
        mime_type="application/octet-stream",
        content_id=None,
        is_inline=False,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).digest(),
        start=start,
        end=end,
        encoding=encoding,
        data=data if held else None,
    )


def wrapped(data: bytes, length: int, eol: bytes) -> bytes:
    text = base64.b64encode(data)
    return eol.join(text[at : at + length] for at in range(0, len(text), length)) if length else text


def fetch_from(*attachments: bytes):
    known = {hashlib.sha256(data).digest(): data for data in attachments}

    def fetch(sha256: bytes) -> Iterator[bytes]:
        data = known[sha256]
        yield from (data[at : at + 100_001] for at in range(0, len(data), 100_001))

    return fetch


def rebuilt(skeleton: Skeleton, recipe: Recipe | None, *attachments: bytes) -> bytes:
    return b"".join(rebuild(skeleton.pieces(), recipe, fetch_from(*attachments)))


HEAD, TAIL = b"Subject: Angebot\r\n\r\n--b\r\n\r\n", b"\r\n--b--\r\n"
DATA = bytes(range(256)) * 40


def message(encoded: bytes, data: bytes = DATA, *, held: bool = True) -> tuple[bytes, ParsedAttachment]:
    return HEAD + encoded + TAIL, attachment(data, len(HEAD), len(HEAD) + len(encoded), held=held)


@pytest.mark.parametrize("held", [True, False], ids=["held", "streamed"])
@pytest.mark.parametrize("length", [0, 4, 60, 64, 72, 75, 76, 77, 998])
@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
@pytest.mark.parametrize("edges", [(b"", b""), (b"\r\n", b"\r\n"), (b"", b"\n\n"), (b"\n", b"\r\n\n")])
def test_base64_of_any_line_length_and_line_end_is_cut(length, eol, edges, held):
    raw, one = message(edges[0] + wrapped(DATA, length, eol) + edges[1], held=held)
    recipe, skeleton = cut(raw, [one])
    assert recipe is not None
    assert bytes(skeleton) == HEAD + edges[0] + edges[1] + TAIL
    assert len(skeleton) == len(bytes(skeleton))
    assert rebuilt(skeleton, recipe, DATA) == raw


def broken_base64() -> Iterator[tuple[str, bytes]]:
    good = wrapped(DATA, 76, b"\r\n")
    yield "one short line in the middle", good[:500] + b"\r\n" + good[500:]
    yield "mixed line ends", good.replace(b"\r\n", b"\n", 3)
    yield "a space at a line's end", good.replace(b"\r\n", b" \r\n", 1)
    yield "text after the padding", good + b"\r\nSent from my phone"
    yield "a character that is no base64", good[:200] + b"!" + good[200:]
    yield "the padding is missing", wrapped(DATA + b"x", 76, b"\r\n").rstrip(b"=")
    yield "bits set behind the last byte", wrapped(DATA, 76, b"\r\n")[:-3] + b"B=="
    yield "other bytes than the attachment's", wrapped(DATA[::-1], 76, b"\r\n")


@pytest.mark.parametrize("held", [True, False], ids=["held", "streamed"])
@pytest.mark.parametrize(("name", "encoded"), list(broken_base64()))
def test_base64_that_another_mailer_would_write_otherwise_stays_in_the_message(name, encoded, held):
    data = DATA + b"x" if "padding is" in name else DATA
    raw, one = message(encoded, data, held=held)
    recipe, skeleton = cut(raw, [one])
    assert recipe is None
    assert bytes(skeleton) == raw


def test_an_identity_part_is_cut_as_it_stands():
    raw = HEAD + DATA + TAIL
    recipe, skeleton = cut(raw, [attachment(DATA, len(HEAD), len(HEAD) + len(DATA), "identity")])
    assert bytes(skeleton) == HEAD + TAIL
    assert rebuilt(skeleton, recipe, DATA) == raw


@pytest.mark.parametrize("encoding", ["quoted-printable", "uuencode"])
def test_encodings_with_many_spellings_are_never_cut(encoding):
    raw = HEAD + DATA + TAIL
    recipe, _ = cut(raw, [attachment(DATA, len(HEAD), len(HEAD) + len(DATA), encoding)])
    assert recipe is None


def test_a_small_attachment_stays_in_the_message():
    raw, one = message(wrapped(b"x" * 1023, 76, b"\r\n"), b"x" * 1023)
    assert cut(raw, [one])[0] is None
    raw, one = message(wrapped(b"x" * 1024, 76, b"\r\n"), b"x" * 1024)
    assert cut(raw, [one])[0] is not None


def test_of_nested_attachments_the_outermost_is_cut():
    inner = wrapped(DATA, 76, b"\r\n")
    nested = b"Subject: inner\r\n\r\n" + inner + b"\r\nend"
    raw, start = HEAD + nested + TAIL, len(HEAD)
    outer = attachment(nested, start, start + len(nested), "identity")
    within = attachment(DATA, start + nested.index(inner), start + nested.index(inner) + len(inner))
    recipe, skeleton = cut(raw, [within, outer])
    assert recipe is not None
    assert [one.sha256 for one in recipe.cuts] == [outer.sha256]
    assert rebuilt(skeleton, recipe, nested) == raw


def test_when_the_outer_part_cannot_be_cut_the_inner_one_is():
    inner = wrapped(DATA, 76, b"\r\n")
    nested = b"Subject: inner\r\n\r\n" + inner + b"\r\nend"
    raw, start = HEAD + nested + TAIL, len(HEAD)
    outer = attachment(nested, start, start + len(nested), "quoted-printable")
    within = attachment(DATA, start + nested.index(inner), start + nested.index(inner) + len(inner))
    recipe, skeleton = cut(raw, [outer, within])
    assert recipe is not None
    assert [one.sha256 for one in recipe.cuts] == [within.sha256]
    assert rebuilt(skeleton, recipe, DATA) == raw


def test_neighbours_and_the_same_attachment_twice_come_back_in_their_places():
    other = b"\x00" * 5000
    first, second, third = wrapped(DATA, 76, b"\n"), wrapped(other, 0, b""), wrapped(DATA, 64, b"\r\n")
    raw = first + b"\n" + second + b"\n" + third
    at = len(first) + 1
    parts = [
        attachment(DATA, 0, len(first)),
        attachment(other, at, at + len(second)),
        attachment(DATA, at + len(second) + 1, len(raw)),
    ]
    recipe, skeleton = cut(raw, parts)
    assert recipe is not None
    assert bytes(skeleton) == b"\n\n"
    assert rebuilt(skeleton, recipe, DATA, other) == raw
    assert b"".join(rebuild((b"\n", b"", b"\n"), recipe, fetch_from(DATA, other))) == raw


def test_a_recipe_survives_json():
    raw, one = message(wrapped(DATA, 76, b"\r\n"))
    recipe, _ = cut(raw, [one])
    assert recipe is not None
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_verified_notices_one_changed_byte():
    raw, one = message(wrapped(DATA, 76, b"\r\n"))
    recipe, skeleton = cut(raw, [one])
    digest, fetch = hashlib.sha256(raw).digest(), fetch_from(DATA)
    assert verified(digest, bytes(skeleton), recipe, fetch)
    assert not verified(digest, bytes(skeleton).replace(b"Angebot", b"Angebos"), recipe, fetch)

    def other(_: bytes) -> Iterable[bytes]:
        return [DATA[:-1] + b"?"]

    assert not verified(digest, bytes(skeleton), recipe, other)


class Window:
    """A body that is made when it is asked for, and counts the most that was asked for at once."""

    def __init__(self, row: bytes, rows: int) -> None:
        self._row, self._size, self.largest = row, len(row) * rows, 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: slice, /) -> bytes:
        start, stop, _ = index.indices(self._size)
        self.largest = max(self.largest, stop - start)
        skip = start % len(self._row)
        return (self._row * ((stop - start + skip) // len(self._row) + 1))[skip : skip + stop - start]

    def find(self, sub: bytes, start: int = 0, end: int | None = None, /) -> int:
        at = self[start : start + 2 * len(self._row)].find(sub)
        return -1 if at < 0 else start + at


def test_a_part_too_large_to_hold_is_cut_and_rebuilt_in_windows():
    line, rows = base64.b64encode(b"m" * 57), 200_000
    body = Window(line + b"\r\n", rows)
    plain = b"m" * 57 * rows
    one = attachment(plain, 0, len(body), held=False)
    recipe, skeleton = cut(body, [one])
    assert recipe is not None
    assert bytes(skeleton) == b"\r\n"
    assert body.largest <= recipes.WINDOW_BYTES * 2
    expected = hashlib.sha256((line + b"\r\n") * rows).digest()
    assert verified(
        expected,
        bytes(skeleton),
        recipe,
        lambda _: (plain[at : at + 99_999] for at in range(0, len(plain), 99_999)),
    )


# Any bytes at all -------------------------------------------------------------------------------------------

eols = st.sampled_from([b"\r\n", b"\n", b"\r", b"", b"\r\n\r\n", b"\n\r"])
noise = st.lists(st.one_of(st.binary(max_size=40), eols), max_size=8).map(b"".join)


@st.composite
def parts(draw: st.DrawFn) -> tuple[bytes, bytes, TransferEncoding]:
    data = draw(st.binary(max_size=600))
    encoding: TransferEncoding = draw(st.sampled_from(["base64", "identity", "quoted-printable"]))
    if encoding != "base64":
        return data, data, encoding
    encoded = wrapped(data, draw(st.integers(0, 90)), draw(eols))
    encoded = draw(eols) + encoded + draw(eols)
    if draw(st.booleans()) and encoded:
        at = draw(st.integers(0, len(encoded) - 1))
        encoded = encoded[:at] + draw(noise) + encoded[at + draw(st.integers(0, 2)) :]
    return data, encoded, encoding


@given(st.lists(st.tuples(noise, parts()), max_size=4), noise, st.booleans(), st.integers(-3, 3))
def test_cutting_and_rebuilding_any_bytes_is_the_identity(sections, tail, held, shift):
    raw, found, datas = b"", [], []
    for before, (data, encoded, encoding) in sections:
        start = len(raw) + len(before)
        raw += before + encoded
        found.append(attachment(data, start + shift, start + len(encoded), encoding, held=held))
        datas.append(data)
    raw += tail
    recipe, skeleton = cut(raw, found, minimum_bytes=1)
    assert rebuilt(skeleton, recipe, *datas) == raw
    restored = Recipe.from_json(recipe.to_json()) if recipe else None
    assert verified(hashlib.sha256(raw).digest(), bytes(skeleton), restored, fetch_from(*datas))


@given(
    st.binary(max_size=3000), st.lists(st.tuples(st.integers(-5, 3100), st.integers(-5, 3100)), max_size=6)
)
def test_attachments_that_lie_about_their_place_lose_nothing(raw, places):
    datas = [raw[max(start, 0) : max(end, 0)] for start, end in places]
    found = [attachment(d, s, e, "identity") for d, (s, e) in zip(datas, places, strict=True)]
    recipe, skeleton = cut(raw, found, minimum_bytes=1)
    assert rebuilt(skeleton, recipe, *datas) == raw
