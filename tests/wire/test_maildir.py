"""Maildir as mail programs leave it: flags, folders, and what lies there that is no mail."""

from __future__ import annotations

import mailbox
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroom.model import RawMessage, Unreadable
from postroom.wire.maildir import MaildirSource

LETTER = b"Subject: hello\n\nText\n"


def maildir(path: Path) -> Path:
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    return path


def put(path: Path, name: str, body: bytes = LETTER) -> Path:
    (path / name).write_bytes(body)
    return path / name


def inbox_of(path: Path) -> list[RawMessage | Unreadable]:
    source = MaildirSource(path)
    return list(source.messages(source.folders()[0]))


@pytest.mark.parametrize(
    ("name", "flags", "keywords"),
    [
        ("1.a.host:2,", set(), set()),
        ("1.a.host:2,S", {"\\Seen"}, set()),
        ("1.a.host!2,FS", {"\\Seen", "\\Flagged"}, set()),
        ("1.a.host;2,RT", {"\\Answered", "\\Deleted"}, set()),
        ("1.a.host,S=20,W=22:2,DPSab", {"\\Draft", "\\Seen"}, {"$Forwarded", "Work", "Home"}),
        ("1.a.host:2,Zz", set(), set()),
        ("1.a.host", set(), set()),
    ],
)
def test_flags_are_in_the_name(tmp_path: Path, name: str, flags: set[str], keywords: set[str]):
    root = maildir(tmp_path / "Maildir")
    put(root / "cur", name)
    put(root, "dovecot-keywords", b"0 Work\n1 Home\nx broken\n999999 far\n")
    (message,) = inbox_of(root)
    assert isinstance(message, RawMessage)
    assert (message.flags, message.keywords) == (flags, keywords)


def test_new_and_cur_are_read_in_the_order_of_names_and_tmp_is_not(tmp_path: Path):
    root = maildir(tmp_path / "Maildir")
    for part, name in (("new", "1.a"), ("cur", "3.c:2,S"), ("new", "4.d"), ("cur", "2.b:2,"), ("tmp", "0.t")):
        put(root / part, name, name.encode())
    put(root / "cur", ".hidden")
    put(root, "dovecot-uidlist")
    assert [(each.uid, each.body) for each in inbox_of(root)] == [
        (1, b"1.a"),
        (2, b"2.b:2,"),
        (3, b"3.c:2,S"),
        (4, b"4.d"),
    ]


def test_the_time_of_the_file_is_the_internal_date(tmp_path: Path):
    root = maildir(tmp_path / "Maildir")
    os.utime(put(root / "cur", "1.a:2,"), (0, 1_700_000_000))
    (message,) = inbox_of(root)
    assert isinstance(message, RawMessage)
    assert message.internal_date == datetime.fromtimestamp(1_700_000_000, UTC)


def test_folders_are_found_by_dots_and_by_folders_and_named_in_any_encoding(tmp_path: Path):
    root = maildir(tmp_path / "Maildir")
    for name in (
        ".Sent.2024",
        ".Entw&APw-rfe",
        ".Büro",
        ".Tom &- Co",
        "a\\2eb",
        ".&open",
        "Lists/dev",
        ".x\\2ey.z",
    ):
        maildir(root / name)
    (root / ".no-maildir").mkdir()
    source = MaildirSource(root)
    assert [folder.name for folder in source.folders()] == [
        "INBOX", "&open", "Büro", "Entwürfe", "Lists/dev", "Sent/2024", "Tom & Co", "a.b", "x.y/z",
    ]  # fmt: skip
    assert {folder.name: folder.type for folder in source.folders()}["Entwürfe"] == "drafts"


def test_a_folder_name_that_is_no_utf_8_is_read_and_can_be_stored(tmp_path: Path):
    root = maildir(tmp_path / "Maildir")
    for name in (b".caf\xe9", b".caf\xe8"):
        put(maildir(Path(os.fsdecode(os.fsencode(root) + b"/" + name))) / "cur", "1.a:2,", name)
    source = MaildirSource(root)
    folders = source.folders()[1:]
    assert [folder.name for folder in folders] == ["caf\ufffd"] * 2
    assert [message.body for folder in folders for message in source.messages(folder)] == [
        b".caf\xe8",
        b".caf\xe9",
    ]
    assert [folder.wire_name.encode("utf-8") for folder in folders]


def test_a_name_of_dots_stays_inside_the_mailbox(tmp_path: Path):
    root = maildir(tmp_path / "Maildir")
    maildir(root / "...etc")
    assert [folder.name for folder in MaildirSource(root).folders()] == ["INBOX", "etc"]


def test_what_is_no_readable_file_is_reported_in_its_place_and_stops_nothing(tmp_path: Path):
    root = maildir(tmp_path / "Maildir")
    cur = root / "cur"
    put(cur, "1.good:2,S")
    (cur / "2.folder:2,").mkdir()
    (cur / "3.dangling:2,").symlink_to(tmp_path / "nowhere")
    os.mkfifo(cur / "4.fifo:2,")
    (cur / "5.loop:2,").symlink_to(cur / "5.loop:2,")
    (cur / "6.linked:2,").symlink_to(put(tmp_path, "letter"))
    put(cur, "7.good:2,")
    found = inbox_of(root)
    assert [isinstance(each, RawMessage) for each in found] == [True, False, False, False, False, True, True]
    reasons = [each.reason for each in found if isinstance(each, Unreadable)]
    assert reasons == [
        "it is a folder, not a file",
        "the link leads nowhere",
        "it is a named pipe, not a file",
        "Too many levels of symbolic links",
    ]


def test_a_file_without_permission_is_reported(ordinary_place: Path):
    root = maildir(ordinary_place / "Maildir")
    put(root / "cur", "1.a:2,")
    put(root / "cur", "2.b:2,").chmod(0)
    put(root / "cur", "3.c:2,")
    first, second, third = inbox_of(root)
    assert isinstance(first, RawMessage)
    assert isinstance(second, Unreadable)
    assert second.reason == "Permission denied"
    assert isinstance(third, RawMessage)


def test_a_folder_without_permission_is_reported(ordinary_place: Path):
    root = maildir(ordinary_place / "Maildir")
    closed = maildir(root / ".Closed")
    closed.chmod(0)
    try:
        source = MaildirSource(root)
        assert source.size_bytes == 0
        (found,) = source.messages(next(each for each in source.folders() if each.name == "Closed"))
    finally:
        closed.chmod(0o700)
    assert isinstance(found, Unreadable)
    assert found.reason == "Permission denied"


def test_a_message_that_is_flagged_or_moved_meanwhile_is_read_with_its_new_flags(tmp_path: Path):
    root = maildir(tmp_path / "Maildir")
    for name in ("1.a:2,", "2.b:2,"):
        put(root / "cur", name)
    put(root / "new", "3.c")
    source = MaildirSource(root)
    reading = source.messages(source.folders()[0])
    next(reading)
    (root / "cur" / "2.b:2,").rename(root / "cur" / "2.b:2,FS")
    (root / "new" / "3.c").rename(root / "cur" / "3.c:2,S")
    second, third = reading
    assert isinstance(second, RawMessage)
    assert isinstance(third, RawMessage)
    assert (second.flags, third.flags) == ({"\\Flagged", "\\Seen"}, {"\\Seen"})


def test_a_message_that_is_removed_meanwhile_is_reported(tmp_path: Path):
    root = maildir(tmp_path / "Maildir")
    for name in ("1.a:2,", "1.ab:2,"):
        put(root / "cur", name)
    source = MaildirSource(root)
    (folder,) = source.folders()
    assert source.size_bytes == 2 * len(LETTER)
    (root / "cur" / "1.a:2,").unlink()
    first, second = source.messages(folder)
    assert isinstance(first, Unreadable)
    assert first.reason == "it was removed during the reading"
    assert isinstance(second, RawMessage)


def test_links_to_folders_are_not_followed(tmp_path: Path):
    root = maildir(tmp_path / "Maildir")
    (root / ".loop").symlink_to(root)
    (root / "loop").symlink_to(tmp_path)
    maildir(tmp_path / "elsewhere")
    assert [folder.name for folder in MaildirSource(root).folders()] == ["INBOX"]


def test_a_maildir_that_python_wrote_is_read(tmp_path: Path):
    theirs = mailbox.Maildir(str(tmp_path / "Maildir"))
    message = mailbox.MaildirMessage(LETTER)
    message.set_subdir("cur")
    message.set_flags("FS")
    theirs.add(message)
    theirs.add_folder("Archive").add(LETTER)
    source = MaildirSource(tmp_path / "Maildir")
    found = {folder.name: list(source.messages(folder)) for folder in source.folders()}
    assert [each.body for each in found["Archive"]] == [LETTER]
    (flagged,) = found["INBOX"]
    assert isinstance(flagged, RawMessage)
    assert flagged.flags == {"\\Flagged", "\\Seen"}
    assert source.done_bytes == source.size_bytes
