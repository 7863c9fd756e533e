"""Exports are whole or not there, overwrite nothing, and come back as they were."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroom.errors import TargetError, UsageError
from postroom.model import RawMessage
from postroom.wire.detect import open_path
from postroom.wire.export import FORMATS, open_sink

THEN = datetime(2024, 2, 29, 12, 30, 45, tzinfo=UTC)
LETTER = b"From: a@b.c\r\nSubject: hello\r\n\r\nText"


def export(kind: str, path: Path, messages: Sequence[Iterable[bytes]]) -> None:
    with open_sink(kind, path) as sink:
        for number, pieces in enumerate(messages):
            sink.add("INBOX", pieces, number=number, flags=frozenset(), received_at=THEN)


def add(kind: str, path: Path, folders: list[str]) -> None:
    with open_sink(kind, path) as sink:
        for number, folder in enumerate(folders):
            sink.add(folder, [LETTER], number=number, flags=frozenset({"\\Seen"}), received_at=THEN)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_has_its_name_only_when_it_is_whole(tmp_path: Path, kind: str):
    with open_sink(kind, tmp_path / "out") as sink:
        sink.add("INBOX", [LETTER], number=1, flags=frozenset(), received_at=THEN)
        assert not (tmp_path / "out").exists()
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_that_is_broken_off_leaves_nothing(tmp_path: Path, kind: str):
    def interrupted() -> Iterator[bytes]:
        yield LETTER
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(kind, tmp_path / "out", [[LETTER], interrupted()])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_is_overwritten(tmp_path: Path, kind: str):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path / "folder", tmp_path / "folder" / "file", tmp_path / "link"):
        with pytest.raises(UsageError, match="is there already"):
            open_sink(kind, path)
    assert (tmp_path / "folder" / "file").read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("kind", ["maildir", "eml"])
def test_an_empty_folder_may_be_filled(tmp_path: Path, kind: str):
    (tmp_path / "out").mkdir()
    add(kind, tmp_path / "out", ["INBOX"])
    assert any((tmp_path / "out").rglob("*.*"))


def test_an_unknown_format_and_a_missing_place_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="mbox, maildir, eml"):
        open_sink("pst", tmp_path / "out")
    for kind in FORMATS:
        with pytest.raises(TargetError, match="No such file"):
            open_sink(kind, tmp_path / "missing" / "out")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_full_disk_is_one_sentence_and_leaves_nothing(small_disk: Path, kind: str):
    with pytest.raises(TargetError, match="No space left") as failed:
        export(kind, small_disk / "out", [[bytes(1 << 17)]] * 100)
    assert failed.value.exit_code == 10
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("kind", ["maildir", "eml"])
def test_folder_names_stay_inside_the_target(tmp_path: Path, kind: str):
    names = [
        "../../etc",
        "..",
        "/etc/passwd",
        "a/../b",
        "x" * 400,
        "a\0b",
        "~",
        ".",
        "",
        "/",
        "con.:*?",
        "Sent/2024",
    ]
    (tmp_path / "deep").mkdir()
    add(kind, tmp_path / "deep" / "out", names)
    assert [each.name for each in tmp_path.iterdir()] == ["deep"]
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["out"]
    source = open_path(tmp_path / "deep" / "out")
    assert sum(len(list(source.messages(folder))) for folder in source.folders()) == len(names)


def test_a_maildir_comes_back_with_names_flags_keywords_and_dates(tmp_path: Path):
    names = ["INBOX", "INBOX/Work", "Entwürfe", "日本語/メール", "a.b/c&d", "back\\slash"]
    flags, keywords = frozenset({"\\Seen", "\\Flagged"}), frozenset({"$Forwarded", "Work", "$Junk"})
    with open_sink("maildir", tmp_path / "out") as sink:
        for number, name in enumerate(names):
            sink.add(name, [LETTER], number=number, flags=flags, received_at=THEN, keywords=keywords)
    source = open_path(tmp_path / "out")
    assert sorted(folder.name for folder in source.folders()) == sorted(names)
    for folder in source.folders():
        (message,) = source.messages(folder)
        assert isinstance(message, RawMessage)
        assert (message.body, message.flags, message.keywords) == (LETTER, flags, keywords)
        assert message.internal_date == THEN


def test_keywords_beyond_the_26_that_have_a_letter_are_left_out(tmp_path: Path):
    keywords = frozenset(f"k{n:02}" for n in range(30))
    with open_sink("maildir", tmp_path / "out") as sink:
        sink.add("INBOX", [LETTER], number=1, flags=frozenset(), received_at=THEN, keywords=keywords)
    source = open_path(tmp_path / "out")
    (message,) = source.messages(source.folders()[0])
    assert isinstance(message, RawMessage)
    assert message.keywords == set(sorted(keywords)[:26])


def test_an_export_is_for_its_owner_only(tmp_path: Path):
    for kind in FORMATS:
        add(kind, tmp_path / kind, ["INBOX"])
        assert os.stat(tmp_path / kind).st_mode & 0o077 == 0
