"""The sample mailbox: the same for everybody, complete, and consistent in itself."""

from __future__ import annotations

import email
import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from email.message import Message

import pytest

from postroom.sample import UNTIL, SampleMessage, generate
from postroom.sample.odd import ODDITIES
from postroom.sample.prose import scripts

MAILBOX = list(generate())
PINNED = "8b43fc1f32d5bb87a7d693f243e29e7fc70999848a859aecda42744fa21071c2"
SMIME, TNEF = "application/pkcs7-signature", "application/ms-tnef"
KINDS = {
    *(
        "work",
        "life",
        "list",
        "newsletter",
        "statement",
        "build",
        "order",
        "odd",
        "invoice",
        "spam",
        "ticket",
    ),
    *("invitation", "library", "draft", "bounce", "de", "fr", "es", "pl", "el", "ru", "ja", "zh", "ar"),
}
FOLDERS = {
    *("INBOX", "Sent", "Drafts", "Trash", "Spam", "Archive", "Family", "Newsletters", "Lists/Rowers"),
    *("Projects/Harbour", "Projects/Lantern", "Reisen/Süden"),
}
CHARSETS = {
    *("us-ascii", "utf-8", "iso-8859-1", "iso-8859-2", "iso-8859-7", "iso-8859-15", "koi8-r", "shift_jis"),
    *("windows-1251", "windows-1252", "windows-1256", "gb2312", "iso-2022-jp"),
}
TYPES = {
    *(
        "multipart/alternative",
        "multipart/mixed",
        "multipart/related",
        "multipart/signed",
        "multipart/report",
    ),
    *("text/plain", "text/html", "text/csv", "text/calendar", "message/rfc822", "message/delivery-status"),
    *(
        "application/pdf",
        "application/zip",
        "application/octet-stream",
        SMIME,
        TNEF,
        "image/png",
        "image/jpeg",
    ),
}


def digest(messages: Iterable[SampleMessage]) -> str:
    whole = hashlib.sha256()
    for message in messages:
        known = (message.folder, sorted(message.flags), message.labels, message.received_at.isoformat())
        whole.update(repr(known).encode())
        whole.update(message.raw)
    return whole.hexdigest()


def parsed() -> list[Message]:
    return [email.message_from_bytes(message.raw) for message in MAILBOX]


def ids(value: str | None) -> list[str]:
    return re.findall(r"<([^>]+)>", value or "")


def test_seed_1_gives_the_same_bytes_on_every_machine():
    assert digest(MAILBOX) == PINNED


def test_another_seed_gives_other_mail():
    assert digest(generate(50, seed=2)) != digest(generate(50, seed=1))


@pytest.mark.parametrize("count", [0, 1, 7, 400, 431, 1500])
def test_there_are_as_many_messages_as_were_asked_for(count: int):
    assert len(list(generate(count))) == count


def test_every_kind_folder_charset_and_type_is_there():
    parts = [part for message in parsed() for part in message.walk()]
    assert {message.kind for message in MAILBOX} == KINDS
    assert {message.folder for message in MAILBOX} == FOLDERS
    assert {part.get_content_charset() for part in parts} >= CHARSETS
    assert {part.get_content_type() for part in parts} >= TYPES
    assert {str(part["Content-Transfer-Encoding"]) for part in parts} >= {
        "7bit",
        "8bit",
        "base64",
        "quoted-printable",
    }
    assert any(part.get_param("format") == "flowed" for part in parts)


def test_each_kind_has_its_share():
    counts = Counter(message.kind for message in MAILBOX)
    assert (counts["newsletter"], counts["invoice"], counts["odd"], counts["draft"]) == (
        45,
        14,
        len(ODDITIES),
        5,
    )


def test_no_conversation_is_held_twice_in_the_first_four_hundred():
    kinds = {script.kind for script in scripts()} - {"club"} | {"list"}
    pairs = zip(MAILBOX, parsed(), strict=True)
    opened = [str(m["Subject"]) for sample, m in pairs if sample.kind in kinds and not m["In-Reply-To"]]
    assert len(opened) == len(set(opened)) > 60


def test_every_message_can_be_read_to_the_last_part():
    for message in parsed():
        for part in message.walk():
            assert part.is_multipart() or part.get_payload(decode=True) is not None


def test_only_the_odd_ones_have_defects():
    for sample, message in zip(MAILBOX, parsed(), strict=True):
        if sample.kind != "odd":
            assert [part.defects for part in message.walk() if part.defects] == [], message["Subject"]


def test_no_line_is_longer_than_mail_allows():
    # RFC 5322 2.1.1: 998 characters.
    assert max(len(line) for message in MAILBOX for line in message.raw.split(b"\n")) <= 998


def test_every_answer_names_a_message_that_is_there():
    # One thread began before anybody thought of Alex: its first message is not in the mailbox, as happens.
    known = {identity for message in parsed() for identity in ids(message["Message-ID"])}
    orphans = [m["Subject"] for m in parsed() if m["In-Reply-To"] and ids(m["In-Reply-To"])[0] not in known]
    assert orphans == ["Re: Password for the camera on the crane"]


def test_the_references_end_with_the_parent_and_begin_with_its_references():
    by_id = {ids(message["Message-ID"])[0]: message for message in parsed() if message["Message-ID"]}
    replies = [message for message in by_id.values() if message["In-Reply-To"]]
    assert len(replies) > 150
    for reply in replies:
        (parent,) = ids(reply["In-Reply-To"])
        before = ids(by_id[parent]["References"]) if parent in by_id else []
        assert ids(reply["References"]) == [*before, parent]


def test_an_answer_is_later_than_what_it_answers():
    by_id = {
        ids(message["Message-ID"])[0]: sample
        for sample, message in zip(MAILBOX, parsed(), strict=True)
        if message["Message-ID"]
    }
    for sample, message in zip(MAILBOX, parsed(), strict=True):
        parents = [by_id[identity] for identity in ids(message["In-Reply-To"]) if identity in by_id]
        assert all(parent.received_at < sample.received_at for parent in parents)


def test_threads_have_up_to_twelve_messages():
    lengths = {len(script.turns) for script in scripts()}
    assert max(lengths) == 12
    assert {2, 3, 4, 5, 6} < lengths


def test_the_mailbox_is_in_order_and_ends_when_it_is_told_to():
    dates = [message.received_at for message in MAILBOX]
    assert dates == sorted(dates)
    assert dates[-1] < UNTIL
    assert dates[0] > datetime(2024, 10, 1, tzinfo=UTC)
    assert (UNTIL - dates[-1]).days < 7


def test_an_earlier_end_moves_everything():
    earlier = datetime(2025, 3, 1, tzinfo=UTC)
    assert max(message.received_at for message in generate(400, until=earlier)) < earlier


def test_the_latest_mail_is_partly_unread_and_the_oldest_mostly_read():
    unread = [message for message in MAILBOX if "\\Seen" not in message.flags]
    assert 30 < len(unread) < 120
    assert all(message.folder not in ("Sent", "Drafts") for message in unread)
    assert {flag for message in MAILBOX for flag in message.flags} == {
        "\\Seen",
        "\\Flagged",
        "\\Answered",
        "\\Draft",
    }


def test_only_reserved_domains_occur():
    # RFC 2606; `mail.example.co.uk` stands for a domain with two endings.
    domains = {d.lower() for m in MAILBOX for d in re.findall(rb"@([A-Za-z0-9.-]+\.[A-Za-z]+)", m.raw)}
    assert {d for d in domains if not d.endswith((b".example", b".test", b".example.co.uk"))} == set()


def test_on_the_wire_every_line_ends_with_crlf():
    wire = list(generate(60, crlf=True))
    assert all(re.search(rb"(?<!\r)\n", message.raw) is None for message in wire)
    assert [message.raw.replace(b"\r\n", b"\n") for message in wire] == [
        message.raw for message in generate(60)
    ]
