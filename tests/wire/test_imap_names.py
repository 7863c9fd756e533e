"""Folder names as servers spell them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient import imap_utf7

from postroom.wire.imap_names import command, decode_utf7, folders_of, from_wire, quoted, readable, to_wire
from postroom.wire.imap_replies import listed


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_modified_utf7_is_read_as_others_write_it(name: str):
    assert decode_utf7(imap_utf7.encode(name).decode("ascii")) == name


@pytest.mark.parametrize("name", ["&", "&-&", "&AA", "&AAAA*-", "&2AA-", "a&b", "&A-"])
def test_what_is_no_modified_utf7_stays_readable(name: str):
    assert decode_utf7(name).replace("&", "") == name.replace("&-", "&").replace("&", "")


@pytest.mark.parametrize(
    ("raw", "delimiter", "name"),
    [
        (b"inbox", b"/", "INBOX"),
        (b"INBOX.Sent", b".", "INBOX/Sent"),
        (b"a/b.c", b".", "a∕b/c"),
        (b"&AMQ-rger.2026", b".", "Ärger/2026"),
        ("Ärger".encode(), b"/", "Ärger"),
        (b"\xff\xfe", b"/", "\ufffd\ufffd"),
        (b"../../etc", b"/", "../../etc"),
        (b"a\x01b\x7f", b"/", "a\ufffdb\ufffd"),
        (b"A & B", b"/", "A & B"),
        (b"flat", None, "flat"),
        (b"&2AA-", b"/", "&2AA-"),
    ],
)
def test_names_are_shown_as_people_know_them(raw: bytes, delimiter: bytes | None, name: str):
    assert readable(raw, delimiter) == name


@given(st.binary(max_size=50))
def test_the_wire_name_gives_back_every_byte(raw: bytes):
    assert to_wire(from_wire(raw)) == raw


def test_strings_are_quoted_or_become_literals():
    assert quoted(b'a"b\\c d') == [b'"a\\"b\\\\c d"']
    assert command(b"LOGIN", quoted(b"u"), quoted("ä".encode())) == [b'LOGIN "u" {2}', "ä".encode()]
    assert command(b"X", quoted(b"a\nb"), b"(Y)") == [b"X {3}", b"a\nb (Y)"]


def folders(*lines: bytes):
    found = [listed([line]) for line in lines]
    return folders_of(one for one in found if one)


def test_folders_come_inbox_first_and_once_each():
    found = folders(
        b'* LIST () "/" Zebra\r\n',
        b'* LIST (\\NoSelect) "/" "Apple \\"pie\\""\r\n',
        b'* LIST () "/" Inbox\r\n',
        b'* LIST () "/" INBOX\r\n',
        b'* LIST (\\NonExistent) "/" gone\r\n',
        b"* LIST () NIL NIL\r\n",
    )
    assert [(one.name, one.is_selectable) for one in found] == [
        ("INBOX", True), ('Apple "pie"', False), ("NIL", True), ("Zebra", True), ("gone", False),
    ]  # fmt: skip
    assert found[0].wire_name == "Inbox"


def test_two_folders_that_look_alike_stay_two():
    found = folders(b'* LIST () "/" "a\x01"\r\n', b'* LIST () "/" "a\x02"\r\n')
    assert len({one.name for one in found}) == len({one.wire_name for one in found}) == 2


def test_a_name_may_come_as_a_literal():
    one = listed([b'* LIST () "/" {5}\r\n', b'a"b\\c', b"\r\n"])
    assert one == (set(), b"/", b'a"b\\c')


def test_the_use_of_a_folder_gives_its_type():
    found = folders(b'* LIST (\\HasNoChildren \\Sent) "/" Gesendet\r\n', b'* LIST (\\Junk) "/" X\r\n')
    assert [one.type for one in found] == ["sent", "spam"]
