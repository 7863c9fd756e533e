"""The mailbox on disk: mbox and Maildir give back every byte."""

from __future__ import annotations

import mailbox
import re
from collections import Counter
from pathlib import Path

from postroom.sample import generate, write_maildir, write_mbox
from postroom.sample.write import modified_utf7

MAILBOX = list(generate())


def test_an_mbox_gives_back_every_byte(tmp_path: Path):
    path = tmp_path / "sample.mbox"
    assert write_mbox(path, MAILBOX) == 400
    pieces = re.split(rb"^From sample@postroom\.example [^\n]*\n", path.read_bytes(), flags=re.MULTILINE)[1:]
    assert [re.sub(rb"^>(>*From )", rb"\1", piece[:-1], flags=re.M) for piece in pieces] == [
        m.raw for m in MAILBOX
    ]


def test_the_standard_library_counts_the_same_messages(tmp_path: Path):
    write_mbox(tmp_path / "sample.mbox", MAILBOX)
    box = mailbox.mbox(tmp_path / "sample.mbox", create=False)
    assert len(box) == 400
    box.close()


def test_a_from_line_inside_a_message_is_quoted(tmp_path: Path):
    odd = [message for message in MAILBOX if b"X-Odd: from-lines" in message.raw]
    write_mbox(tmp_path / "odd.mbox", odd)
    text = (tmp_path / "odd.mbox").read_bytes()
    assert b"\n>From here on" in text
    assert b"\n>>From there too" in text


def test_a_maildir_has_every_folder_flag_and_byte(tmp_path: Path):
    assert write_maildir(tmp_path / "box", MAILBOX) == 400
    box = mailbox.Maildir(tmp_path / "box", create=False)
    folders = [("INBOX", box), *((name, box.get_folder(name)) for name in box.list_folders())]
    assert {name for name, _ in folders} == {
        modified_utf7(message.folder.replace("/", ".")) for message in MAILBOX
    }
    held = Counter(
        (f.get_bytes(key), f.get_message(key).get_flags()) for _, f in folders for key in f.iterkeys()
    )
    letters = {"\\Seen": "S", "\\Flagged": "F", "\\Answered": "R", "\\Draft": "D"}
    assert held == Counter((m.raw, "".join(sorted(letters[flag] for flag in m.flags))) for m in MAILBOX)


def test_new_mail_lies_in_new_and_keeps_its_date(tmp_path: Path):
    write_maildir(tmp_path / "box", MAILBOX)
    for path in (tmp_path / "box" / "new").iterdir():
        assert ":" not in path.name
        assert path.stat().st_mtime == int(path.name.split(".")[0])


def test_folder_names_are_spelled_as_imap_spells_them():
    assert modified_utf7("Reisen.Süden") == "Reisen.S&APw-den"
    assert modified_utf7("Q&A") == "Q&-A"
    assert modified_utf7("台北") == "&U,BTFw-"
