"""What every source of mail promises. A subclass says how its kind of mailbox is filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from postroom.model import RawMessage, SourceFolder
from postroom.wire.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A message as a test puts it into a mailbox."""

    body: bytes
    flags: frozenset[str] = frozenset()


Fill = Callable[[Mapping[str, Sequence[Given]]], Source]


def letter(number: int, text: bytes = b"Hello.\r\n") -> bytes:
    """A message of a few lines that is told from others by its number."""
    return b"From: alice@example.com\r\nMessage-ID: <%d@example.com>\r\nSubject: %d\r\n\r\n%b" % (
        number,
        number,
        text,
    )


def read(source: Source, folder: SourceFolder, uids: Sequence[int] | None = None) -> list[RawMessage]:
    found = list(source.messages(folder, uids))
    assert all(isinstance(each, RawMessage) for each in found), found
    return [each for each in found if isinstance(each, RawMessage)]


def folder_named(source: Source, name: str) -> SourceFolder:
    return next(folder for folder in source.folders() if folder.name == name)


class SourceContract:
    """Subclass it with a fixture `fill` that makes a mailbox of these messages and gives its source."""

    keeps_flags: ClassVar[bool] = True

    @pytest.fixture
    def fill(self) -> Fill:
        raise NotImplementedError

    def test_every_message_of_every_folder_comes_back_byte_for_byte(self, fill: Fill):
        given = {
            "INBOX": [Given(body=letter(n)) for n in range(5)],
            "Sent": [Given(body=letter(n)) for n in range(5, 8)],
            "Projects/Späti": [Given(body=letter(8, b"8-bit: \xe4\xff\xfe\r\n"))],
        }
        with fill(given) as source:
            found = {folder.name: sorted(_bytes(source, folder)) for folder in source.folders()}
        assert {name: found[name] for name in given} == {
            name: [each.body for each in messages] for name, messages in given.items()
        }

    def test_folders_have_types_and_a_stable_order(self, fill: Fill):
        names = ["INBOX", "Sent", "Trash", "Drafts", "Junk", "Archive", "Custom"]
        with fill({name: [Given(body=letter(1))] for name in names}) as source:
            first, second = source.folders(), source.folders()
        types = {folder.name: folder.type for folder in first}
        assert [types[name] for name in names] == [
            "inbox",
            "sent",
            "trash",
            "drafts",
            "spam",
            "archive",
            "custom",
        ]
        assert [folder.name for folder in first] == [folder.name for folder in second]

    def test_lines_that_begin_with_from_are_untouched(self, fill: Fill):
        text = b"From here\r\n>From there\r\n>>From afar\r\n\r\nFrom b Thu Jan  1 00:00:00 2024\r\nA: b\r\n"
        bodies = [letter(1, text), letter(2)]
        with fill({"INBOX": [Given(body=body) for body in bodies]}) as source:
            assert sorted(_bytes(source, folder_named(source, "INBOX"))) == bodies

    def test_flags_come_along(self, fill: Fill):
        wanted = [
            frozenset[str](),
            frozenset({"\\Seen"}),
            frozenset({"\\Flagged", "\\Answered"}),
            frozenset({"\\Draft", "\\Deleted", "\\Seen"}),
        ]
        with fill({"INBOX": [Given(body=letter(n), flags=each) for n, each in enumerate(wanted)]}) as source:
            found = read(source, folder_named(source, "INBOX"))
        by_body = {bytes(each.body[:]): each.flags for each in found}
        expected = wanted if self.keeps_flags else [frozenset()] * len(wanted)
        assert [by_body[letter(n)] for n in range(len(wanted))] == expected

    def test_uids_are_positive_unique_and_the_same_on_every_reading(self, fill: Fill):
        with fill({"INBOX": [Given(body=letter(n)) for n in range(12)]}) as source:
            folder = folder_named(source, "INBOX")
            first, second = read(source, folder), read(source, folder)
        assert [each.uid for each in first] == [each.uid for each in second]
        assert len({each.uid for each in first}) == 12
        assert min(each.uid for each in first) > 0

    def test_only_the_messages_asked_for_are_given(self, fill: Fill):
        with fill({"INBOX": [Given(body=letter(n)) for n in range(9)]}) as source:
            folder = folder_named(source, "INBOX")
            everything = {each.uid: bytes(each.body[:]) for each in read(source, folder)}
            wanted = sorted(everything)[2:7:2]
            assert {each.uid: bytes(each.body[:]) for each in read(source, folder, wanted)} == {
                uid: everything[uid] for uid in wanted
            }
            assert read(source, folder, []) == []

    def test_a_message_too_large_to_hold_answers_like_bytes(self, fill: Fill):
        large = letter(1, b"0123456789abcdef\r\n" * 600_000 + b"the end\r\n")
        with fill({"INBOX": [Given(body=large), Given(body=letter(2))]}) as source:
            body = max(read(source, folder_named(source, "INBOX")), key=lambda each: len(each.body)).body
        assert not isinstance(body, bytes)
        assert len(body) == len(large)
        assert body[:] == large
        assert body.find(b"the end") == large.find(b"the end")
        assert body.find(b"the end", 0, 1000) == -1
        assert body[-9:] == b"the end\r\n"

    def test_every_message_says_where_it_came_from(self, fill: Fill):
        with fill({"INBOX": [Given(body=letter(1)), Given(body=letter(2))]}) as source:
            places = [each.where for each in read(source, folder_named(source, "INBOX"))]
        assert all(places)
        assert len(set(places)) == 2


def _bytes(source: Source, folder: SourceFolder) -> list[bytes]:
    return [bytes(each.body[:]) for each in read(source, folder)]
