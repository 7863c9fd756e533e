"""Parsing: any bytes give a message, and what the corpora expect is what comes out."""

from __future__ import annotations

import email
import email.policy
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mime.parse import decoded_pieces, parse
from postroom.model import ParsedMessage
from tests.support.corpus import corpus

# Where the standard library is wrong or of another taste, and why we differ.
ARGUED_SUBJECTS = {
    "empty_in_reply_to.eml": "it keeps a trailing blank",
    "bad_subject.eml": "it keeps a trailing blank",
    "must_supply_encoding.eml": "it keeps a trailing blank",
    "bad_date_header.eml": "it keeps a trailing blank",
    "invalid_subject_characters.eml": "it does not guess the charset of 8-bit headers",
    "example14.eml": "it shows a tab of the folding",
    "example13.eml": "it does not know `Subject :` (RFC 5322 4.5.3)",
    "raw_email_incorrect_header.eml": "it stops at a line that is no field",
}


def _texts(parsed: ParsedMessage) -> list[str]:
    people = [*parsed.from_, *parsed.to, *parsed.cc]
    return [
        parsed.subject, parsed.text or "", parsed.html or "", parsed.preview, parsed.message_id or "",
        *(person.name + person.address for person in people), *(part.filename or "" for part in parsed.attachments),
        *(name + value for name, value in parsed.headers), *parsed.references, *parsed.defects,
    ]  # fmt: skip


def _is_clean(parsed: ParsedMessage) -> bool:
    return not re.search("[\0\ud800-\udfff]", "".join(_texts(parsed)))


@given(st.binary(max_size=600))
def test_no_bytes_are_refused(raw: bytes) -> None:
    assert _is_clean(parse(raw))


PIECES = st.sampled_from(
    [b"Subject: ", b"Content-Type: multipart/mixed; boundary=x\n", b"--x\n", b"--x--\n", b"\n", b"\r\n", b"From: ", b"<a@b>",
     b"=?utf-8?q?=", b"?=", b'"', b"(", b";", b"Content-Transfer-Encoding: base64\n", b"AAAA", b"\xff\xfe", b"\0", b" ", b":",
     b"Content-Disposition: attachment; filename*0*=utf-8''%", b"Date: Mon, 99 Jan 20255 ", b"text/html"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=60))
def test_no_mail_is_refused(pieces: list[bytes]) -> None:
    assert _is_clean(parse(b"".join(pieces)))


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: x\n\n" + b"<div>" * 100_000,
        b"To: " + b"(" * 200_000,
        b"To: " + b'"' * 200_001,
        b"Subject: " + b"=?utf-8?q?x?= " * 20_000,
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * 60_000,
        b"Content-Type: text/plain" + b"; a=b" * 60_000,
    ],
)
def test_hostile_mail_takes_little_memory(raw: bytes) -> None:
    tracemalloc.start()
    parse(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(raw) + 2_000_000


def _cases(name: str, pattern: str) -> list[Path]:
    folder = Path(__file__).parents[3] / "shared" / "corpus" / name
    return sorted(folder.rglob(pattern)) or [folder / "missing"]


@pytest.mark.parametrize("path", _cases("mikel-mail", "*.eml"), ids=lambda path: path.name)
def test_subjects_and_senders_agree_with_the_standard_library(path: Path) -> None:
    corpus("mikel-mail")
    raw = path.read_bytes()
    ours, theirs = parse(raw), email.message_from_bytes(raw, policy=email.policy.default)
    assert _is_clean(ours)
    assert (str(theirs["subject"] or "") != ours.subject) == (path.name in ARGUED_SUBJECTS)


def _addresses(value: Any) -> list[tuple[str, str]]:
    groups = value["Address"].get("Group") or [{"addresses": value["Address"].get("List", [])}]
    return [(each["name"] or "", each["address"] or "") for group in groups for each in group["addresses"]]


@pytest.mark.parametrize("path", _cases("mail-parser", "*.eml"), ids=lambda path: path.name)
def test_what_stalwarts_parser_expects(path: Path) -> None:
    corpus("mail-parser")
    ours = parse(path.read_bytes())
    expected = json.loads(path.with_suffix(".json").read_text())
    headers = {
        each["name"]: each["value"]
        for each in expected["parts"][0]["headers"]
        if isinstance(each["name"], str)
    }
    if "subject" in headers and "Text" in headers["subject"]:
        assert ours.subject == headers["subject"]["Text"]
    # A lone word such as `Moderator-Address` is an address without a domain for us, a name for them.
    if "from" in headers and "Address" in headers["from"] and path.stem not in ("001", "004"):
        assert [(each.name, each.address) for each in ours.from_] == _addresses(headers["from"])
    bodies = [expected["parts"][index]["body"] for index in expected["text_body"]]
    wanted = [body["Text"] for body in bodies if "Text" in body]
    for text in wanted:
        assert "".join(text.split()) in "".join((ours.text or "").split())


def test_names_and_hashes_of_attachments() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello\r\n--x\r\n"
        b'Content-Type: application/pdf; name="=?utf-8?q?=C3=84rger=2Epdf?="\r\nContent-Transfer-Encoding: base64\r\n'
        b"Content-Disposition: attachment;\r\n filename*0*=utf-8''%C3%84r;\r\n filename*1=ger.pdf\r\n\r\nAAEC\r\nAwQ=\r\n--x--\r\n"
    )
    [part] = parse(raw).attachments
    assert (part.filename, part.data, part.size_bytes) == ("Ärger.pdf", bytes(range(5)), 5)
    assert b"".join(decoded_pieces(raw, part)) == part.data


def test_a_character_split_over_two_encoded_words_is_whole() -> None:
    assert parse(b"Subject: =?utf-8?b?w4Q=?=\n =?utf-8?q?rger_=C3?= =?utf-8?q?=BC?=\n\n").subject == "Ärger ü"


def test_flowed_text_is_unwrapped() -> None:
    raw = b"Content-Type: text/plain; format=flowed\n\nThis goes \non.\n> quoted \n> too\n-- \nme\n"
    assert parse(raw).text == "This goes on.\n> quoted too\n-- \nme\n"
