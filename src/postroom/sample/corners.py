"""The corners of a mailbox: drafts, spam, and mail that came back."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from postroom.sample import files, mail, prose
from postroom.sample.envelope import message_id
from postroom.sample.mail import SampleMessage
from postroom.sample.notices import both, notice
from postroom.sample.people import ME, PEOPLE

_MEANT_FOR = ("marta", "mum", "greta", "samir", "")
_SPAMMERS = (
    ("Mr. Goodwill Banks", "barrister@unclaimed-funds.test"),
    ("Parcel Desk", "notice@parcel-desk.test"),
    ("Luxury Chronometers", "deals@chrono-deals.test"),
    ("Mailbox Administrator", "admin@mailbox-verify.test"),
    ("Dr. Verdant", "hello@hair-again.test"),
)


def draft(rng: Random, until: datetime, number: int) -> SampleMessage:
    """Unfinished, and perhaps without anybody to send it to."""
    key = _MEANT_FOR[number % len(_MEANT_FOR)]
    subject, text = prose.template(f"draft-{number % len(_MEANT_FOR)}")
    at = until - timedelta(days=2 + 9 * number, minutes=rng.randrange(600))
    to = [("To", mail.mailbox(PEOPLE[key].name, PEOPLE[key].address))] if key else []
    headers = [*_from_me(rng, at), *to, ("Subject", mail.unstructured(subject))]
    raw = mail.message(headers, mail.plain(text))
    flags = frozenset({"\\Draft", "\\Seen"})
    return SampleMessage(raw=raw, folder="Drafts", flags=flags, received_at=at, kind="draft")


def _from_me(rng: Random, at: datetime) -> list[tuple[str, str]]:
    return [
        ("From", mail.mailbox(ME.name, ME.address)),
        ("Date", mail.date(at)),
        ("Message-ID", f"<{message_id(rng, ME.domain, at)}>"),
        ("User-Agent", ME.mailer),
    ]


def spam(rng: Random, until: datetime, number: int) -> SampleMessage:
    amount, code = rng.randrange(3, 97), f"{rng.getrandbits(32):08X}"
    subject, text = prose.template(f"spam-{number % len(_SPAMMERS)}", amount=amount, code=code)
    at = until - timedelta(days=rng.randrange(1, 45), minutes=rng.randrange(1440))
    more = (("X-Spam-Flag", "YES"), ("X-Spam-Score", f"{rng.randrange(62, 190) / 10:.1f}"))
    entity, sender = both(rng, text, prose.page(text)), _SPAMMERS[number % len(_SPAMMERS)]
    return notice("spam", rng, at, until, sender, subject, entity, folder="Spam", more=more)


def bounce(rng: Random, until: datetime, at: datetime) -> list[SampleMessage]:
    """A letter to an address that has gone, and the report that says so (RFC 3464)."""
    gone = f"{rng.choice(('j.hale', 'office', 'studio.north'))}@saltmarsh.test"
    subject, text = prose.template("lost")
    headers = [*_from_me(rng, at), ("To", gone), ("Subject", subject)]
    mime_type, data = files.make("rope-walk-1911.jpg")
    parts = [mail.plain(text), mail.attachment(mime_type, "rope-walk-1911.jpg", data)]
    letter = mail.message(headers, mail.multipart("mixed", parts, f"=_{rng.getrandbits(64):016x}"))
    seen = frozenset({"\\Seen"})
    sent = SampleMessage(raw=letter, folder="Sent", flags=seen, received_at=at, kind="bounce")
    identity = dict(headers)["Message-ID"]
    more = (("Auto-Submitted", "auto-replied"), ("In-Reply-To", identity), ("References", identity))
    sender, back = ("Mail Delivery System", "mailer-daemon@mx.postroom.example"), at + timedelta(minutes=2)
    subject, told = prose.template("report", gone=gone)
    report = _report(rng, told, gone, letter)
    return [sent, notice("bounce", rng, back, until, sender, subject, report, more=more)]


def _report(rng: Random, told: str, gone: str, letter: bytes) -> bytes:
    status = (
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.postroom.example\n\n"
        f"Final-Recipient: rfc822; {gone}\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user here\n"
    )
    parts = [mail.plain(told), status.encode(), b"Content-Type: message/rfc822\n\n" + letter]
    return mail.multipart("report", parts, f"=_{rng.getrandbits(64):016x}b", "; report-type=delivery-status")
