"""Google Takeout's labels become folders and flags, in whatever language the user reads Gmail."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroom.model import RawMessage
from postroom.wire.gmail import labels_of
from postroom.wire.mbox import MboxSource


@pytest.mark.parametrize(
    ("value", "flags", "folders"),
    [
        ("Inbox,Unread", set(), ("INBOX",)),
        ("Inbox,Opened,Important,Category Updates", {"\\Seen"}, ("INBOX",)),
        ("Sent,Starred,Work/Projects", {"\\Seen", "\\Flagged"}, ("Sent", "Work/Projects")),
        ("Archived,Opened", {"\\Seen"}, ()),
        ("Drafts", {"\\Seen", "\\Draft"}, ("Drafts",)),
        ('Inbox,"Bills, open",Unread', set(), ("INBOX", "Bills, open")),
        ("=?UTF-8?Q?Posteingang,Ge=C3=B6ffnet,Kategorie_=E2=80=9EWerbung=E2=80=9C?=", {"\\Seen"}, ("INBOX",)),
        (
            "=?UTF-8?B?R2VzZW5kZXQsTWFya2llcnQsw4RtdGVyLEfDpA==?=",
            {"\\Seen", "\\Flagged"},
            ("Gesendet", "Ämter", "Gä"),
        ),
        ("=?UTF-8?Q?Bo=C3=AEte_de_r=C3?=\n =?UTF-8?Q?=A9ception,Non_lus,Suivis?=", {"\\Flagged"}, ("INBOX",)),
        ("Recibidos,=?UTF-8?Q?No_le=C3=ADdo,Categor=C3=ADa:_Promociones?=", set(), ("INBOX",)),
        ("", {"\\Seen"}, ()),
    ],
)
def test_labels_become_folders_and_flags(value: str, flags: set[str], folders: tuple[str, ...]):
    for newline in ("\n", "\r\n"):
        header = f"Subject: x\nX-Gmail-Labels: {value}\nTo: y\n".replace("\n", newline).encode()
        found = labels_of(header)
        assert found is not None
        assert found.flags[0] == flags
        assert found.folders == folders


def test_the_important_label_is_the_keyword_of_rfc_8457():
    found = labels_of(b"X-Gmail-Labels: Inbox,Important\n")
    assert found is not None
    assert found.flags[1] == {"$Important"}


def test_mail_of_others_has_no_labels():
    assert labels_of(b"Subject: X-Gmail-Labels: Inbox\n") is None


def test_a_takeout_is_read_whole_and_its_fields_stay_in_the_bytes(tmp_path: Path):
    message = (
        b"X-GM-THRID: 1787654321098765432\r\nX-Gmail-Labels: =?UTF-8?Q?Inbox,Unread,Caf=C3=A9/Men=C3=BC?=\r\n"
        b"Subject: hello\r\n\r\nText\r\n"
    )
    path = tmp_path / "All mail Including Spam and Trash.mbox"
    path.write_bytes(b"From 1787654321098765432@xxx Thu Jan 04 10:00:00 +0000 2024\r\n" + message + b"\r\n")
    source = MboxSource(path)
    (folder,) = source.folders()
    (found,) = source.messages(folder)
    assert folder.type == "archive"
    assert isinstance(found, RawMessage)
    assert (found.body, found.flags, found.labels) == (message, frozenset(), ("INBOX", "Café/Menü"))
    assert found.internal_date is not None
    assert found.internal_date.isoformat() == "2024-01-04T10:00:00+00:00"
