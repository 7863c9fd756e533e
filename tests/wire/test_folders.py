"""What a folder is for: the server's word first, then its name in any language."""

from __future__ import annotations

import pytest

from postroom.wire.folders import folder_name, folder_type


@pytest.mark.parametrize(
    ("name", "special_use", "expected"),
    [
        ("INBOX", (), "inbox"),
        ("Inbox", (), "inbox"),
        ("Posteingang", (), "inbox"),
        ("Sent Items", (), "sent"),
        ("[Gmail]/Sent Mail", (), "sent"),
        ("INBOX/Papierkorb", (), "trash"),
        ("Entwürfe", (), "drafts"),
        ("ENTWÜRFE", (), "drafts"),
        ("Junk", (), "spam"),
        ("ゴミ箱", (), "trash"),
        ("Archive", (), "archive"),
        ("Projects/Archive", (), "custom"),
        ("Sent/2024", (), "custom"),
        ("INBOX/Inbox", (), "custom"),
        ("Presents", (), "custom"),
        ("", (), "custom"),
        ("Ablage", ["\\Archive"], "archive"),
        ("Ablage", ["\\HasNoChildren", "\\Sent"], "sent"),
        ("Ablage", "\\junk", "spam"),
        ("Ablage", None, "custom"),
        ("Trash", ["\\Flagged"], "trash"),
        ("Everything", ["\\All"], "archive"),
    ],
)
def test_a_folder_has_the_type_of_its_special_use_or_of_its_name(
    name: str, special_use: list[str] | str | None, expected: str
):
    assert folder_type(name, special_use) == expected


def test_inbox_is_one_folder_however_it_is_written():
    assert [folder_name(name) for name in ("inbox", "Inbox", "INBOX", "Inbox2")] == ["INBOX"] * 3 + ["Inbox2"]
