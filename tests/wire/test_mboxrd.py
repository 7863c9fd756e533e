"""What is exported as mbox comes back exactly, whatever is in it."""

from __future__ import annotations

import mailbox
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.model import RawMessage
from postroom.wire import mboxrd
from postroom.wire.export import open_sink
from postroom.wire.mbox import MboxSource
from tests.support.corpus import corpus

THEN = datetime(2024, 2, 29, 12, 30, 45, tzinfo=UTC)
TEXTS = [b"From ", b">", b"\n", b"\r\n", b"\n\n", b"A: b", b"\0", b"\xff", b"x", b"Fro", b"m", b"Status: R"]
FROM_LINES = [
    b"From a Thu Jan  1 00:00:00 2024\n",
    b"From postroom-mboxrd+SE Thu Jan  1 00:00:00 2024\n",
]
SNIPPETS = st.sampled_from([*TEXTS, *FROM_LINES])
BODIES = st.lists(SNIPPETS, max_size=12).map(b"".join)
FLAGS = st.frozensets(st.sampled_from(["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted"]))


def exported(path: Path, messages: list[tuple[bytes, frozenset[str]]]) -> Path:
    with open_sink("mbox", path) as sink:
        for number, (body, flags) in enumerate(messages):
            sink.add("INBOX", [body[:3], body[3:]], number=number, flags=flags, received_at=THEN)
    return path


def imported(path: Path) -> list[RawMessage]:
    source = MboxSource(path)
    return [each for each in source.messages(source.folders()[0]) if isinstance(each, RawMessage)]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(BODIES, FLAGS), min_size=1, max_size=5))
def test_any_bytes_and_flags_come_back_from_an_exported_mbox(messages: list[tuple[bytes, frozenset[str]]]):
    with tempfile.TemporaryDirectory() as folder:
        found = imported(exported(Path(folder, "out.mbox"), messages))
    assert [(each.body, each.flags) for each in found] == messages
    assert {each.internal_date for each in found} == {THEN}


@settings(max_examples=300, deadline=None)
@given(BODIES, st.integers(1, 9))
def test_quoting_does_not_depend_on_how_the_bytes_are_cut(body: bytes, size: int):
    cut = [body[at : at + size] for at in range(0, len(body), size)]
    quoted = b"".join(mboxrd.quote(cut))
    assert quoted == re.sub(rb"(?m)^(>*From )", rb">\1", body)
    assert b"".join(mboxrd.unquote(quoted[at : at + size] for at in range(0, len(quoted), size))) == body


def test_a_line_without_end_is_quoted_without_being_held():
    def pieces() -> Iterator[bytes]:
        yield from [b">" * 100_000, b">" * 100_000, b"From here\n", b"x" * 100_000, b"\n>From", b" there"]
        yield from [b"\nFrom" * 30_000, b" " * 70_000]

    quoted = b"".join(mboxrd.quote(pieces()))
    assert quoted == re.sub(rb"(?m)^(>*From )", rb">\1", b"".join(pieces()))
    assert max(map(len, mboxrd.quote(pieces()))) < 400_000
    assert b"".join(mboxrd.unquote([quoted])) == b"".join(pieces())


def test_messages_that_others_append_to_an_export_are_found(tmp_path: Path):
    path = exported(tmp_path / "out.mbox", [(b"Subject: 1\n\nFrom me\n", frozenset())])
    with path.open("ab") as file:
        file.write(b"From bob Thu Jan  4 10:00:00 2024\nSubject: 2\nStatus: R\n\nHello\n")
    first, second = imported(path)
    assert (first.body, first.flags) == (b"Subject: 1\n\nFrom me\n", frozenset())
    assert (second.body, second.flags) == (b"Subject: 2\nStatus: R\n\nHello\n", {"\\Seen"})


def test_other_programs_read_an_export_as_an_mbox(tmp_path: Path):
    bodies = [b"Subject: 1\n\nOne", b"Subject: 2\n\nFrom two\n", b"Subject: 3\n\nThree\n"]
    path = exported(tmp_path / "out.mbox", [(body, frozenset({"\\Seen"})) for body in bodies])
    box = mailbox.mbox(str(path), create=False)
    try:
        assert [box[key]["Subject"] for key in box.iterkeys()] == ["1", "2", "3"]
    finally:
        box.close()


def test_all_mail_of_the_corpora_comes_back_byte_for_byte(tmp_path: Path):
    bodies = [
        path.read_bytes()
        for name in ("mikel-mail", "mail-parser")
        for path in sorted(corpus(name).rglob("*.eml"))
    ]
    assert len(bodies) > 100
    found = imported(exported(tmp_path / "out.mbox", [(body, frozenset()) for body in bodies]))
    assert [each.body for each in found] == bodies
