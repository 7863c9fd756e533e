"""The corners of a mailbox: drafts, spam, and mail that came back."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from postroom.sample import mail, prose
from postroom.sample.envelope import message_id
from postroom.sample.files import make
from postroom.sample.mail import SampleMessage
from postroom.sample.notices import both, notice
from postroom.sample.people import ME, PEOPLE

_DRAFTS = (
    ("marta", "Opening speech", "Dear Marta,\n\nyou asked for two minutes on why an architect of nothing (me) ended up with a rope walk. I have eleven so far. It begins with my father's boat, and with a bathroom door"),
    ("nell", "Names for the boat", "Not in any order:\n\n- Bathroom Door\n- Red Sail\n- Ruth (she will pretend not to like it)\n- "),
    ("greta", "A favour", "Dear Greta,\n\nwould it be very wrong to keep the crane's light on for the night of the opening? I know that"),
    ("samir", "شكرا", "عزيزي سمير،\n\nشكرا جزيلا على"),
    ("", "Things to say on Monday", "1. slates\n2. lift, again\n3. who feeds the cat in August"),
)  # fmt: skip

_SPAM = (
    ("Mr. Goodwill Banks", "barrister@unclaimed-funds.test", "RE: YOUR UNCLAIMED SUM OF {amount} MILLION", "Dear Beneficiary,\n\nI am barrister to a late client who shares your surname. A sum of {amount} million waits in a vault for a person of trust like you. Kindly reply with your full name and the name of your first pet."),
    ("Parcel Desk", "notice@parcel-desk.test", "Your parcel could not be delivered ({code})", "Your parcel {code} is being held. Pay the fee of 1.99 within 24 hours: http://parcel-desk.test/pay/{code}\n\nAfter that it will be returned to its sender, and so will we."),
    ("Luxury Chronometers", "deals@chrono-deals.test", "94% OFF ~ Swiss style, not Swiss price", "Genuine replica chronometers! Looks like gold, weighs like gold, is not gold. Today only, code {code}."),
    ("Mailbox Administrator", "admin@mailbox-verify.test", "Your mailbox is almost full!!", "Dear user,\n\nyour quota is at 99.{amount}%. Click below to keep your messages: http://mailbox-verify.test/login?u=alex\n\nFailure to do so will result in failure."),
    ("Dr. Verdant", "hello@hair-again.test", "One weird root doctors don't want on your head", "Customers report visible results in {amount} days. Visible to whom, we do not say. Order now: http://hair-again.test/{code}"),
)  # fmt: skip


def draft(rng: Random, until: datetime, number: int) -> SampleMessage:
    """Unfinished: no Message-ID on the way anywhere, perhaps nobody to send it to."""
    key, subject, text = _DRAFTS[number % len(_DRAFTS)]
    at = until - timedelta(days=2 + 9 * number, minutes=rng.randrange(600))
    to = [("To", mail.mailbox(PEOPLE[key].name, PEOPLE[key].address))] if key else []
    headers = [
        ("From", mail.mailbox(ME.name, ME.address)),
        *to,
        ("Subject", mail.unstructured(subject)),
        ("Date", mail.date(at)),
    ]
    headers += [
        ("Message-ID", f"<{message_id(rng, ME.domain, at)}>"),
        ("X-Draft-Revision", str(rng.randrange(2, 30))),
    ]
    raw = mail.message(headers, mail.plain(text))
    return SampleMessage(
        raw=raw, folder="Drafts", flags=frozenset({"\\Draft", "\\Seen"}), received_at=at, kind="draft"
    )


def spam(rng: Random, until: datetime, number: int) -> SampleMessage:
    name, address, subject, text = _SPAM[number % len(_SPAM)]
    values = {"amount": str(rng.randrange(3, 97)), "code": f"{rng.getrandbits(32):08X}"}
    at = until - timedelta(days=rng.randrange(1, 45), minutes=rng.randrange(1440))
    text, more = (
        text.format(**values),
        (("X-Spam-Flag", "YES"), ("X-Spam-Score", f"{rng.randrange(62, 190) / 10:.1f}")),
    )
    entity = both(rng, text, prose.page(text))
    return notice(
        "spam", rng, at, until, (name, address), subject.format(**values), entity, folder="Spam", more=more
    )


def bounce(rng: Random, until: datetime, at: datetime) -> list[SampleMessage]:
    """A letter to an address that has gone, and the report that says so (RFC 3461, RFC 3464)."""
    gone = f"{rng.choice(('j.hale', 'office', 'studio.north'))}@saltmarsh.test"
    identity = message_id(rng, ME.domain, at)
    headers = [
        ("From", mail.mailbox(ME.name, ME.address)), ("To", gone), ("Subject", "The old photographs of the rope walk"),
        ("Date", mail.date(at)), ("Message-ID", f"<{identity}>"),
    ]  # fmt: skip
    text = "Hello,\n\nsomebody at the fish market said that you have photographs of the rope walk from before the fire. I would love to see them, and I would bring cake.\n\nAlex Morgan"
    name = "rope-walk-1911.jpg"
    mime_type, data = make(name)
    parts = [mail.plain(text), mail.attachment(mime_type, name, data)]
    letter = mail.message(headers, mail.multipart("mixed", parts, f"=_{rng.getrandbits(64):016x}"))
    sent = SampleMessage(
        raw=letter, folder="Sent", flags=frozenset({"\\Seen"}), received_at=at, kind="bounce"
    )
    report = _report(rng, gone, letter)
    more = (
        ("Auto-Submitted", "auto-replied"),
        ("In-Reply-To", f"<{identity}>"),
        ("References", f"<{identity}>"),
    )
    sender = ("Mail Delivery System", "mailer-daemon@mx.postroom.example")
    back = notice(
        "bounce",
        rng,
        at + timedelta(minutes=2),
        until,
        sender,
        "Undelivered Mail Returned to Sender",
        report,
        more=more,
    )
    return [sent, back]


def _report(rng: Random, gone: str, letter: bytes) -> bytes:
    told = f"This is the mail system at mx.postroom.example.\n\nYour message could not be delivered to\n\n  <{gone}>\n\nThe other side said: 550 5.1.1 no such user here. It is attached below."
    status = (
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.postroom.example\n\n"
        f"Final-Recipient: rfc822; {gone}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user here\n"
    )
    parts = [mail.plain(told), status.encode(), b"Content-Type: message/rfc822\n\n" + letter]
    return mail.multipart("report", parts, f"=_{rng.getrandbits(64):016x}b", "; report-type=delivery-status")
