"""A path is what is in it: the right source for mail, one clear sentence for anything else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postroom.errors import NotAMailbox
from postroom.model import RawMessage
from postroom.wire.detect import open_path
from postroom.wire.joined import JoinedSource
from postroom.wire.letters import LettersSource
from postroom.wire.maildir import MaildirSource
from postroom.wire.mbox import MboxSource
from tests.support.corpus import corpus

LETTER = b"From: a@b.c\nSubject: hello\n\nText\n"
MBOX = b"From a@b.c Thu Jan  4 10:00:00 2024\n" + LETTER


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("inbox", MBOX, MboxSource),
        ("inbox.mbox", b"\n\n" + MBOX, MboxSource),
        ("2024-January.txt", MBOX, MboxSource),
        ("crlf.mbox", MBOX.replace(b"\n", b"\r\n"), MboxSource),
        ("letter.eml", LETTER, LettersSource),
        ("letter.EML", MBOX, LettersSource),
        ("letter.eml", b"\nno header at all\n", LettersSource),
        ("letter.txt", LETTER, LettersSource),
        ("42", b"Received: from x\n\tby y\nSubject: MH\n\n", LettersSource),
        ("letter.eml", b"Subject: a null \0 byte\n\n", LettersSource),
    ],
)
def test_files_are_told_by_their_content(tmp_path: Path, name: str, content: bytes, kind: type):
    with open_path(put(tmp_path / name, content)) as source:
        assert type(source) is kind
        (folder,) = source.folders()
        (message,) = source.messages(folder)
    assert isinstance(message, RawMessage)


def test_a_letter_keeps_the_from_line_that_it_begins_with(tmp_path: Path):
    source = open_path(put(tmp_path / "letter.eml", MBOX))
    (message,) = source.messages(source.folders()[0])
    assert (message.body, message.uid, source.done_bytes) == (MBOX, 1, source.size_bytes)
    assert isinstance(message, RawMessage)
    assert message.internal_date is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("photo.mbox", b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(900), "JPEG"),
        ("photo.eml", b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(900), "JPEG"),
        ("mail.mbox", b"", "empty"),
        ("letter.eml", b"", "empty"),
        ("blank.mbox", b" \n\n", "empty"),
        ("mail.zip", b"PK\x03\x04", "Unpack"),
        ("mail.pst", b"!BDN", "readpst"),
        ("notes.txt", b"From time to time I write notes.\n", "neither"),
        ("notes.yaml", b"name: x\nversion: 1\n", "neither"),
    ],
)
def test_a_file_that_is_no_mail_is_refused_in_one_sentence(
    tmp_path: Path, name: str, content: bytes, words: str
):
    path = put(tmp_path / name, content)
    with pytest.raises(NotAMailbox) as refused:
        open_path(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


def test_what_is_not_there_or_is_no_file_is_refused(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").mkdir()
    put(tmp_path / "photos" / "1.jpeg", b"\xff\xd8\xff")
    reasons = {"missing": "no such", "link": "no such", "fifo": "named pipe"} | dict.fromkeys(
        ("empty", "photos"), "no mail"
    )
    for name, words in reasons.items():
        with pytest.raises(NotAMailbox, match=words):
            open_path(tmp_path / name)


def test_no_permission_is_said(ordinary_place: Path):
    for path in (
        put(ordinary_place / "mail.mbox", MBOX),
        put(ordinary_place / "folder" / "a.eml", LETTER).parent,
    ):
        path.chmod(0)
        try:
            with pytest.raises(NotAMailbox, match="Permission denied"):
                open_path(path)
        finally:
            path.chmod(0o700)


def test_a_folder_of_letters_is_a_tree_of_folders_in_a_stable_order(tmp_path: Path):
    root = tmp_path / "letters"
    for name in (
        "b.eml",
        "a.eml",
        "Sent/1.eml",
        "inbox/1",
        "Projects/x/1.txt",
        ".hidden/1.eml",
        "Sent/photo.jpeg",
    ):
        put(root / name, LETTER)
    put(root / "notes.txt", b"no mail\n")
    put(root / "Sent/photo.jpeg", b"\xff\xd8\xff")
    source = open_path(root)
    assert isinstance(source, LettersSource)
    found = {folder.name: [each.where for each in source.messages(folder)] for folder in source.folders()}
    assert list(found) == ["letters", "Projects/x", "Sent", "INBOX"]
    assert found["letters"] == [str(root / "a.eml"), str(root / "b.eml")]
    assert sum(map(len, found.values())) == 5


def test_a_letter_that_cannot_be_read_is_reported_in_its_place(ordinary_place: Path):
    root = ordinary_place / "letters"
    for name in ("a.eml", "b.eml", "c.eml"):
        put(root / name, LETTER)
    (root / "b.eml").chmod(0)
    (root / "d.eml").symlink_to(ordinary_place / "nowhere")
    source = open_path(root)
    found = list(source.messages(source.folders()[0]))
    assert [isinstance(each, RawMessage) for each in found] == [True, False, True, False]
    assert [each.uid for each in found] == [1, 2, 3, 4]


def test_the_folders_of_thunderbird_are_read_as_it_shows_them(tmp_path: Path):
    for name in ("Inbox", "Sent", "Inbox.sbd/Work", "Old.mbox/mbox"):
        put(tmp_path / "Mail" / name, MBOX)
    put(tmp_path / "Mail" / "Inbox.msf", b"// <!-- <mdb:mork:z")
    source = open_path(tmp_path / "Mail")
    assert isinstance(source, JoinedSource)
    assert [folder.name for folder in source.folders()] == ["INBOX", "Sent", "Inbox/Work", "Old"]
    assert source.size_bytes == 4 * len(MBOX)


def test_a_folder_of_everything_gives_everything(tmp_path: Path):
    root = tmp_path / "mail"
    for part in ("cur", "new", "tmp"):
        (root / "Maildir" / part).mkdir(parents=True)
    put(root / "Maildir/cur/1.a:2,S", LETTER)
    put(root / "old.mbox", MBOX)
    put(root / "one.eml", LETTER)
    (root / "loop").symlink_to(root)
    source = open_path(root)
    assert isinstance(source, JoinedSource)
    assert {f.name: [m.body for m in source.messages(f)] for f in source.folders()} == {
        "Maildir": [LETTER],
        "old": [LETTER],
        "mail": [LETTER],
    }
    assert source.done_bytes == source.size_bytes


def test_a_single_maildir_is_found(tmp_path: Path):
    put(tmp_path / "Maildir/new/1.a", LETTER)
    assert isinstance(open_path(tmp_path / "Maildir"), MaildirSource)


def test_every_letter_of_the_corpora_is_read_byte_for_byte():
    for name in ("mikel-mail", "mail-parser"):
        root = corpus(name)
        source = open_path(root)
        found = [each for folder in source.folders() for each in source.messages(folder)]
        given = sorted(path.read_bytes() for path in root.rglob("*.eml"))
        bodies = [bytes(each.body[:]) for each in found if isinstance(each, RawMessage)]
        assert set(given) <= set(bodies)
        assert len(bodies) == len(found)
