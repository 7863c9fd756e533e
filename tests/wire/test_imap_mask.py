"""What a recording keeps of a conversation: the protocol, and of all else only that it is the same again."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from postroom.wire.imap_mask import Mask
from postroom.wire.imap_record import Recorder

MASK = Mask(b"key", ["alice", "alice@example.test", "mail.example.test"])


def _name(name: str) -> str:
    return MASK.name(name)


@pytest.mark.parametrize("name", ["INBOX", "Sent", "INBOX.Drafts", "[Gmail]/All Mail", "Papierkorb", ""])
def test_names_that_all_programs_give_are_kept(name: str) -> None:
    assert _name(name) == name


@pytest.mark.parametrize("name", ["Akten", "INBOX.Akten.2026", "[Gmail]/Akten", "Projekte/Sent", "A&APw-b"])
def test_other_names_keep_their_levels_and_nothing_else(name: str) -> None:
    masked = _name(name)
    assert masked == _name(name)
    assert [masked.count(each) for each in "/."] == [name.count(each) for each in "/."]
    assert not {"Akten", "2026", "Projekte", "A&APw-b"} & set(masked.replace(".", "/").split("/"))
    assert Mask(b"other key", []).name(name) != masked


@pytest.mark.parametrize(
    "line",
    [
        "* CAPABILITY IMAP4rev1 LITERAL+ AUTH=PLAIN",
        "* 12 EXISTS",
        "* SEARCH 1 2 3",
        '* ESEARCH (TAG "P4") UID ALL 1:9,12',
        "* VANISHED (EARLIER) 1:4",
        '* LIST (\\HasNoChildren) "/" "INBOX"',
        '* 1 FETCH (UID 7 FLAGS (\\Seen $Forwarded) INTERNALDATE " 1-Jan-2026 00:00:00 +0000" RFC822.SIZE 3 BODY[] {3}',
        "P4 NO [LIMIT] Too many requests, try again in 5 minutes.",
        "* BYE Server is going down.",
        "* OK [UIDVALIDITY 3] Ok",
    ],
)
def test_what_is_of_the_protocol_is_kept(line: str) -> None:
    assert MASK.server(line, goes_on=False) == line


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ('* LIST () "." Akten', f'* LIST () "." "{_name("Akten")}"'),
        ('* LIST () "/" "A \\"B\\""', f'* LIST () "/" "{_name(chr(65) + " " + chr(34) + "B" + chr(34))}"'),
        ("* STATUS Akten (MESSAGES 2)", f'* STATUS "{_name("Akten")}" (MESSAGES 2)'),
        ('* NAMESPACE (("Akten." ".")) NIL NIL', f'* NAMESPACE (("{_name("Akten.")}" ".")) NIL NIL'),
        ("P1 OK alice@example.test authenticated", "P1 OK masked authenticated"),
        (
            "P1 NO No mailbox Akten for bob@x.test",
            f"P1 NO No mailbox {_name('Akten')} for masked@masked.invalid",
        ),
        ("* OK mail.example.test ready for Alice", "* OK masked ready for masked"),
        ('* ID ("name" "Dovecot" "remote-host" "bob.example")', '* ID ("name" "Dovecot")'),
        ("+ dXNlcm5hbWU6", "+ "),
        ("Dear Bob, my PIN is 1234", "xxxx xxx, xx xxx xx 0000"),
        ("* 3 eggs and a FETCH", "* 0 xxxx xxx x xxxxx"),
        ('* 1 FETCH (ENVELOPE ("x" "Subject"))', '* 0 xxxxx (xxxxxxxx ("x" "xxxxxxx"))'),
    ],
)
def test_what_people_named_or_wrote_is_not(line: str, masked: str) -> None:
    _name("Akten")
    assert MASK.server(line, goes_on=False) == masked


@pytest.mark.parametrize(
    ("line", "masked"), [(" UID 7)", " UID 7)"), ("y Bob", "x xxx"), ("* OK Bob", "* xx xxx")]
)
def test_behind_a_literal_only_the_rest_of_a_reply_is_kept(line: str, masked: str) -> None:
    assert MASK.server(line, goes_on=True) == masked


def test_of_a_sign_in_only_the_mechanism_is_kept() -> None:
    assert MASK.client("AUTHENTICATE PLAIN AGFsaWNl") == "AUTHENTICATE PLAIN"
    assert MASK.client('LOGIN "alice" "secret"') == "LOGIN"
    assert MASK.client('EXAMINE "Akten" (CONDSTORE)') == f'EXAMINE "{_name("Akten")}" (CONDSTORE)'


def _recorded(*said: tuple[str, bytes]) -> list[dict[str, Any]]:
    out = io.StringIO()
    conversation = Recorder(out, key=b"key", secrets=[]).conversation()
    for what, data in said:
        getattr(conversation, what)(data)
    conversation.ended("closed")
    return [json.loads(each) for each in out.getvalue().splitlines()][1:]


def test_a_literal_is_its_size_and_a_mark_in_however_many_pieces_it_came() -> None:
    head = ("heard", b"* 1 FETCH (BODY[] {6}\r\n")
    whole = _recorded(head, ("came", b"secret"), ("heard", b")\r\n"))
    pieces = _recorded(head, ("came", b"se"), ("came", b"cret"), ("heard", b")\r\n"))
    assert whole == pieces
    assert "secret" not in json.dumps(whole)
    broken = _recorded(head, ("came", b"se"))
    assert (broken[1]["literal"], broken[1]["came"], broken[2]["end"]) == (6, 2, "closed")


def test_a_name_that_comes_as_a_literal_is_a_name() -> None:
    listed = _recorded(("heard", b'* LIST () "/" {5}\r\n'), ("came", b"Akten"), ("heard", b"\r\n"))
    assert listed[0]["server"] == f'* LIST () "/" "{_name("Akten")}"'
    counted = _recorded(
        ("heard", b"* STATUS {5}\r\n"), ("came", b"Akten"), ("heard", b" (MESSAGES 2 UIDNEXT 3)\r\n")
    )
    assert counted[0]["server"] == f'* STATUS "{_name("Akten")}" (MESSAGES 2 UIDNEXT 3)'
    asked = _recorded(("said", b"P5 EXAMINE {5}"), ("heard", b"+ go on\r\n"), ("said", "Größe".encode()[:5]))
    assert [each for each in asked if "client" in each or "name" in each] == [
        {"on": 1, "client": "EXAMINE"},
        {"on": 1, "name": _name("Größe".encode()[:5].decode("latin-1"))},
    ]
