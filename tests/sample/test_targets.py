"""What the documentation searches for is in the mailbox, as often as it says."""

from __future__ import annotations

import email
import email.policy
import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from postroom.sample import SampleMessage, generate


@dataclass(frozen=True, slots=True)
class Mail:
    sample: SampleMessage
    message: EmailMessage
    text: str
    """Subject, text, HTML without tags: what a search for a word looks at."""

    @property
    def sender(self) -> str:
        return str(self.message["From"]).lower()

    @property
    def files(self) -> list[str]:
        return [name for part in self.message.walk() if (name := part.get_filename())]

    @property
    def has_attachment(self) -> bool:
        return any(part.get_content_disposition() == "attachment" for part in self.message.walk())

    def everybody(self) -> str:
        return " ".join(str(self.message[name]) for name in ("From", "To", "Cc") if self.message[name])


def read(sample: SampleMessage) -> Mail:
    message = email.message_from_bytes(sample.raw, policy=email.policy.default)
    pieces = [str(message["Subject"])]
    for part in message.walk():
        if part.get_content_maintype() == "text" and not part.get_filename():
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            text = data.decode(part.get_content_charset() or "utf-8", "replace")
            pieces.append(html.unescape(re.sub(r"<[^>]+>", " ", text)))
    return Mail(sample, message, " ".join(" ".join(pieces).split()).lower())


MAILBOX = [read(sample) for sample in generate()]

TARGETS: list[tuple[str, int, Callable[[Mail], bool]]] = [
    ("from:alice", 16, lambda m: "alice" in m.sender),
    ("from:alice has:attachment", 10, lambda m: "alice" in m.sender and m.has_attachment),
    ("from:alice invoice", 11, lambda m: "alice" in m.sender and "invoice" in m.text),
    (
        "from:alice invoice has:attachment after:2025-01-01",
        8,
        lambda m: (
            "alice" in m.sender
            and "invoice" in m.text
            and m.has_attachment
            and m.sample.received_at >= datetime(2025, 1, 1, tzinfo=UTC)
        ),
    ),
    ("ärger", 4, lambda m: "ärger" in m.text),
    ("会議", 4, lambda m: "会議" in m.text),
    ("from:example.co.uk", 6, lambda m: "example.co.uk" in m.sender),
    ("an address at mail.example.co.uk", 12, lambda m: "mail.example.co.uk" in m.everybody()),
    ("moorhen in:Lists/Rowers", 4, lambda m: "moorhen" in m.text and m.sample.folder == "Lists/Rowers"),
    ('"bathroom door"', 7, lambda m: "bathroom door" in m.text),
    ('subject:"high water"', 1, lambda m: "high water" in str(m.message["Subject"]).lower()),
    ('filename:"Floor plan revision C.pdf"', 3, lambda m: "Floor plan revision C.pdf" in m.files),
    ("larger:1M", 1, lambda m: len(m.sample.raw) > 1024 * 1024),
    ("list:rowers", 31, lambda m: "rowers.tidewater.test" in str(m.message["List-Id"])),
    ("is:draft", 5, lambda m: "\\Draft" in m.sample.flags),
]


@pytest.mark.parametrize(("query", "count", "matches"), TARGETS, ids=[query for query, _, _ in TARGETS])
def test_the_mailbox_has_what_the_documentation_searches_for(
    query: str, count: int, matches: Callable[[Mail], bool]
):
    assert sum(matches(mail) for mail in MAILBOX) == count


def test_the_same_file_goes_to_several_people():
    senders = [mail.sender for mail in MAILBOX if "Floor plan revision C.pdf" in mail.files]
    data = {
        part.get_payload(decode=True)
        for mail in MAILBOX
        for part in mail.message.walk()
        if part.get_filename() == "Floor plan revision C.pdf"
    }
    assert len(senders) == 3
    assert len(data) == 1
