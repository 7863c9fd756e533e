"""Mail that others collected: what they expect of it is what comes out, and where not, it is argued here."""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from postroom.mime.parse import parse
from postroom.model import Address, ParsedMessage
from tests.support.corpus import CORPUS, corpus

# The expectations of mail-parser: JSON beside each message, and a second one for its form with CRLF ------------

ARGUED_EXPECTATIONS = {
    (
        "007",
        "html",
    ): "htmlBody of RFC 8621 lists the plain texts around the page too; they are in `text`, as sent",
    ("007", "text"): "textBody of RFC 8621 lists the picture between the texts too; it is an attachment",
}


def _expectations() -> list[Path]:
    return sorted((CORPUS / "mail-parser" / "rfc").glob("*.json")) or [CORPUS / "mail-parser" / "missing"]


def _header(part: dict[str, Any], name: str) -> Any:
    return next((each["value"] for each in part["headers"] if each["name"] == name), None)


def _people(value: Any) -> list[tuple[str, str, str | None]]:
    if value is None:
        return []
    groups = value["Address"].get("Group") or [{"name": None, "addresses": value["Address"].get("List", [])}]
    return [
        (each["name"] or "", each["address"] or "", group["name"])
        for group in groups
        for each in group["addresses"]
    ]


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, dict):
        return None
    given = value["DateTime"]
    offset = timedelta(hours=given["tz_hour"], minutes=given["tz_minute"]) * (
        -1 if given["tz_before_gmt"] else 1
    )
    parts = [given[name] for name in ("year", "month", "day", "hour", "minute", "second")]
    return datetime(*parts, tzinfo=timezone(offset))


def _attribute(part: dict[str, Any], field: str, name: str) -> str | None:
    attributes = (_header(part, field) or {}).get("ContentType", {}).get("attributes") or []
    return next((each["value"] for each in attributes if each["name"] == name), None)


def _file_name(part: dict[str, Any]) -> str | None:
    name = _attribute(part, "content_disposition", "filename") or _attribute(part, "content_type", "name")
    if name is None and "Message" in part["body"]:
        return f"{_header(part['body']['Message']['parts'][0], 'subject')['Text']}.eml"
    return name


def _mime_type(part: dict[str, Any]) -> str:
    given = _header(part, "content_type")
    if given is None:
        return "message/rfc822" if "Message" in part["body"] else "text/plain"
    return f"{given['ContentType']['c_type']}/{given['ContentType']['c_subtype']}"


def _bytes(raw: bytes, part: dict[str, Any]) -> bytes | None:
    """The decoded bytes as they expect them; a message's in base64 they only give in pieces."""
    ((kind, content),) = part["body"].items()
    if kind in ("Text", "Html"):
        return content.encode()
    if kind in ("Binary", "InlineBinary"):
        return bytes(content)
    return (
        None if _header(part, "content_transfer_encoding") else raw[part["offset_body"] : part["offset_end"]]
    )


def _as_sent(texts: list[str]) -> str:
    """Line ends as we keep them; a text that does not end its line ends it before the next."""
    lines = [text.replace("\r\n", "\n") for text in texts]
    return "".join(text if text.endswith("\n") else text + "\n" for text in lines[:-1]) + "".join(lines[-1:])


def _differences(raw: bytes, expected: dict[str, Any]) -> set[str]:
    found = parse(raw)
    parts = expected["parts"]
    root = parts[0]
    text_parts = [parts[index]["body"] for index in expected["text_body"]]
    html_parts = [parts[index]["body"] for index in expected["html_body"]]
    html_is_text = not any("Html" in body for body in html_parts)
    attachments = [parts[index] for index in expected["attachments"]]
    pairs = {
        "subject": ((_header(root, "subject") or {}).get("Text", ""), found.subject),
        "from": (_people(_header(root, "from")), [(each.name, each.address, each.group) for each in found.from_]),
        "to": (_people(_header(root, "to")), [(each.name, each.address, each.group) for each in found.to]),
        "date": (_moment(_header(root, "date")), found.sent_at),
        "text": (_as_sent([next(iter(body.values())) if "Text" in body else "?" for body in text_parts]), found.text or ""),
        "html": ("" if html_is_text else _as_sent([next(iter(body.values())) for body in html_parts]), found.html or ""),
        "names": ([_file_name(each) for each in attachments], [each.filename for each in found.attachments]),
        "types": ([_mime_type(each) for each in attachments], [each.mime_type for each in found.attachments]),
        "places": ([(each["offset_body"], each["offset_end"]) for each in attachments], [(each.start, each.end) for each in found.attachments]),
    }  # fmt: skip
    for number, (part, ours) in enumerate(zip(attachments, found.attachments, strict=True)):
        content = _bytes(raw, part)
        if content is not None:
            pairs[f"bytes {number}"] = (hashlib.sha256(content).digest(), ours.sha256)
            pairs[f"size {number}"] = (len(content), ours.size_bytes)
    return {name for name, (theirs, ours) in pairs.items() if theirs != ours}


@pytest.mark.parametrize("path", _expectations(), ids=lambda path: path.name)
def test_what_mail_parser_expects_is_what_comes_out(path: Path):
    corpus("mail-parser")
    raw = path.with_name(f"{path.name[:3]}.eml").read_bytes()
    if ".crlf" in path.name:
        raw = raw.replace(b"\n", b"\r\n")
    argued = {what for number, what in ARGUED_EXPECTATIONS if number == path.name[:3]}
    assert _differences(raw, json.loads(path.read_text("utf-8"))) == argued


def test_a_message_in_base64_is_decoded_whole():
    raw = (corpus("mail-parser") / "rfc" / "008.eml").read_bytes()
    nested = json.loads((CORPUS / "mail-parser" / "rfc" / "008.json").read_text("utf-8"))["parts"][2]["body"][
        "Message"
    ]
    (found,) = parse(raw).attachments
    assert found.size_bytes == nested["parts"][0]["offset_end"]
    assert found.data is not None
    inner = parse(found.data)
    assert inner.subject == _header(nested["parts"][0], "subject")["Text"]


# The standard library, on the mail that Ruby's mail collected ------------------------------------------------

_CHARSET = "the label is wrong; the standard library believes it or marks every byte"
_NAMES = "it knows no RFC 2047 in file names, and cuts bare ones at the first blank"
_WHOLE = "it lists the children of the outermost multipart only, or nothing where there is but one part"
_NESTED = "it gives no name to a message that has none; we take its subject"
_PEOPLE = "it drops or tears the address"
_GARBAGE = "it ends the header at the first line that is no field"
ARGUED_DIFFERENCES = {
    ("attachment_message_rfc822_inline_image", "attachments"): _WHOLE,
    ("attachment_message_rfc822_inline_image", "html"): "RFC 2045 6.7 (3): blanks at the end of a line go",
    ("attachment_only_email", "attachments"): _WHOLE,
    ("attachment_pdf_non_ascii", "text"): _CHARSET,
    ("attachment_pdf_non_ascii_lf", "text"): _CHARSET,
    ("attachment_with_base64_encoded_name", "attachments"): _NAMES,
    ("attachment_with_encoded_name", "attachments"): _NAMES,
    ("attachment_with_unquoted_name", "attachments"): _NAMES,
    ("bad_subject", "from"): "it leaves blanks between the encoded words of a quoted name",
    ("content_transfer_encoding_7-bit", "html"): _CHARSET,
    ("content_transfer_encoding_7-bit", "text"): _CHARSET,
    ("content_transfer_encoding_empty", "html"): _CHARSET,
    ("content_transfer_encoding_plain", "text"): _CHARSET,
    ("example13", "date"): _GARBAGE,
    ("example13", "from"): _GARBAGE,
    ("example13", "subject"): _GARBAGE,
    ("example13", "text"): _GARBAGE,
    ("example13", "to"): _GARBAGE,
    ("invalid_subject_characters", "subject"): _CHARSET,
    ("missing_body", "to"): "<Undisclosed-Recipient:@mailman.enron.com;> is an address as sent, not half of it",
    ("missing_content_disposition", "attachments"): _WHOLE,
    ("mix_caps_content_type", "from"): "Big Bug bb@bug.com is a name and an address, not one of both",
    ("multi_address_bounce1", "attachments"): _NESTED,
    ("multi_address_bounce1", "from"): "a comment behind the address is a name",
    ("multi_address_bounce2", "attachments"): _NESTED,
    ("multi_address_bounce2", "from"): "a comment behind the address is a name",
    ("multipart_report_multiple_status", "attachments"): _NESTED,
    ("must_supply_encoding", "from"): "it gives lone surrogates",
    ("raw_email10", "text"): "it raises at the charset X-UNKNOWN",
    ("raw_email11", "attachments"): _WHOLE,
    ("raw_email4", "attachments"): _WHOLE,
    ("raw_email4", "text"): "there are two texts in a row; it gives one",
    ("raw_email5", "text"): _CHARSET,
    ("raw_email6", "text"): _CHARSET,
    ("raw_email7", "attachments"): _WHOLE,
    ("raw_email8", "attachments"): _NAMES,
    ("raw_email_bad_time", "html"): "it finds no text and no page in multipart/related below multipart/mixed",
    ("raw_email_bad_time", "text"): "it finds no text and no page in multipart/related below multipart/mixed",
    ("raw_email_incorrect_header", "date"): _GARBAGE,
    ("raw_email_incorrect_header", "from"): _GARBAGE,
    ("raw_email_incorrect_header", "subject"): _GARBAGE,
    ("raw_email_incorrect_header", "text"): _GARBAGE,
    ("raw_email_incorrect_header", "to"): _GARBAGE,
    ("raw_email_multiple_from", "from"): _PEOPLE,
    ("raw_email_multiple_from", "to"): _PEOPLE,
    ("raw_email_with_at_display_name", "to"): _PEOPLE,
    ("raw_email_with_binary_encoded", "attachments"): _WHOLE,
    ("raw_email_with_illegal_boundary", "html"): "the boundary holds what RFC 2046 forbids, and is there all the same",
    ("raw_email_with_illegal_boundary", "text"): "the boundary holds what RFC 2046 forbids, and is there all the same",
    ("raw_email_with_mimepart_without_content_type", "attachments"): _NESTED,
    ("raw_email_with_mimepart_without_content_type", "text"): "the first part of a report is its text",
    ("raw_email_with_nested_attachment", "attachments"): _WHOLE,
    ("report_530", "text"): "the first part of a report is its text",
    ("trademark_character_in_subject", "date"): "-0000 is UTC for us: every date is aware",
    ("utf8_headers", "from"): "it gives lone surrogates",
    ("utf8_headers", "to"): "it gives lone surrogates",
}  # fmt: skip


def _letters() -> list[Path]:
    return sorted((CORPUS / "mikel-mail").rglob("*.eml")) or [CORPUS / "mikel-mail" / "missing"]


def _or_raised(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:
        return type(error).__name__


def _their_people(message: EmailMessage, name: str) -> list[tuple[str, str]]:
    return [
        (each.display_name, each.addr_spec) for field in message.get_all(name, []) for each in field.addresses
    ]


def _their_body(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return _comparable(body.get_content()) if body else ""


def _their_attachments(message: EmailMessage) -> list[tuple[str | None, str]]:
    if not message.is_multipart():
        return []
    return [(each.get_filename(), each.get_content_type()) for each in message.iter_attachments()]


def _comparable(text: str | None) -> str:
    return (text or "").replace("\r\n", "\n").rstrip("\n")


def _theirs(raw: bytes) -> dict[str, Any]:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return {
        "subject": _or_raised(lambda: str(message["subject"] or "").replace("\t", " ").strip()),
        "from": _or_raised(lambda: _their_people(message, "from")),
        "to": _or_raised(lambda: _their_people(message, "to")),
        "cc": _or_raised(lambda: _their_people(message, "cc")),
        "date": _or_raised(lambda: message["date"].datetime if message["date"] else None),
        "text": _or_raised(lambda: _their_body(message, "plain")),
        "html": _or_raised(lambda: _their_body(message, "html")),
        "attachments": _or_raised(lambda: _their_attachments(message)),
    }


def _ours(found: ParsedMessage) -> dict[str, Any]:
    def people(addresses: tuple[Address, ...]) -> list[tuple[str, str]]:
        return [(each.name, each.address) for each in addresses]

    return {
        "subject": found.subject,
        "from": people(found.from_),
        "to": people(found.to),
        "cc": people(found.cc),
        "date": found.sent_at,
        "text": _comparable(found.text),
        "html": _comparable(found.html),
        "attachments": [(each.filename, each.mime_type) for each in found.attachments],
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", _letters(), ids=lambda path: path.name)
def test_we_agree_with_the_standard_library_where_it_is_right(path: Path):
    corpus("mikel-mail")
    raw = path.read_bytes()
    theirs, ours = _theirs(raw), _ours(parse(raw))
    argued = {what for name, what in ARGUED_DIFFERENCES if name == path.stem}
    assert {what for what in ours if ours[what] != theirs[what]} == argued


def test_every_argument_is_about_a_message_that_is_there():
    corpus("mikel-mail")
    assert {name for name, _ in ARGUED_DIFFERENCES} <= {path.stem for path in _letters()}
