"""Papers: invoices and tickets with a PDF, and the bank's monthly page."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from postroom.sample import files, mail, prose
from postroom.sample.mail import SampleMessage
from postroom.sample.notices import notice
from postroom.sample.people import ME, PEOPLE

_QUARTER = timedelta(days=91)
_REMARKS = (
    "Nothing unusual this time.",
    "The extra hour is the fish.",
    "I took off the hour we spent laughing.",
    "The receipts were nearly in order, well done.",
)
_SHOPS = ("Quayside bakery", "Coastline Rail", "Chandlery by Post", "Tidewater RC", "Corner grocer")
_PLACES = ("Longreach", "Saltmarsh", "Penhallow", "Great Wick")


def _with_pdf(rng: Random, text: bytes, name: str, data: bytes, mime_type: str = "application/pdf") -> bytes:
    parts = [text, mail.attachment(mime_type, name, data)]
    return mail.multipart("mixed", parts, f"----=_Part_{rng.getrandbits(48)}")


def alices_invoice(rng: Random, until: datetime, number: int) -> SampleMessage:
    """Alice invoices once a quarter: number 0 is the latest."""
    at = until - _QUARTER * number - timedelta(days=16, hours=14, minutes=rng.randrange(90))
    code, total = f"BL-{at.year}-{100 + at.month}", prose.money(42000 + 1250 * rng.randrange(9))
    quarter = (at.month - 2) // 3 % 4 + 1
    subject, text = prose.template(
        "invoice", code=code, total=total, quarter=quarter, remark=rng.choice(_REMARKS)
    )
    lines = ["Bright Ledger", f"To: {ME.name}", f"Bookkeeping, quarter {quarter}", f"Total: {total}"]
    body = mail.plain(text, "utf-8", "quoted-printable")
    entity = _with_pdf(rng, body, f"Invoice {code}.pdf", files.pdf(subject, lines))
    sender = (PEOPLE["alice"].name, PEOPLE["alice"].address)
    return notice("invoice", rng, at, until, sender, subject, entity, labels=("Receipts",))


def rope_invoice(rng: Random, until: datetime, number: int) -> SampleMessage:
    """A shop that sends its PDFs as octet streams."""
    at = until - timedelta(days=118 * number + 31, hours=8, minutes=rng.randrange(240))
    code, total = f"{7000 - 13 * number}", prose.money(rng.randrange(9000, 88000), "de")
    what = rng.choice(("hemp rope", "mooring lines", "fenders"))
    subject, text = prose.template("rope", code=code, what=what, total=total)
    sheet = files.pdf(f"Invoice {code}", ["Baltic Rope Works", f"Amount due: {total}"])
    entity = _with_pdf(rng, mail.plain(text), f"BRW_{code}.pdf", sheet, "application/octet-stream")
    sender = ("Baltic Rope Works", "billing@balticrope.example")
    return notice("invoice", rng, at, until, sender, subject, entity)


def ticket(rng: Random, until: datetime, at: datetime) -> SampleMessage:
    place, seat, code = rng.choice(_PLACES), rng.randrange(1, 80), f"{rng.getrandbits(24):06X}"
    subject, text = prose.template("ticket", place=place, coach=rng.choice("ABCD"), seat=seat, code=code)
    sheet = files.pdf(f"Ticket {code}", [f"Northpier to {place}", f"Seat {seat}", "Adult, single"])
    entity = _with_pdf(rng, mail.plain(text), f"ticket-{code}.pdf", sheet)
    return notice(
        "ticket", rng, at, until, ("Coastline Rail", "tickets@coastline-rail.example"), subject, entity
    )


def statement(rng: Random, until: datetime, number: int) -> SampleMessage:
    """The bank, once a month, HTML only and in windows-1252."""
    at = until - timedelta(days=30 * number + 1, hours=19)
    days = sorted(rng.sample(range(1, 28), 5))
    rows = "".join(
        _row(f"{day:02d}", rng.choice(_SHOPS), prose.money(rng.randrange(250, 9000))) for day in days
    )
    subject, html = prose.template("statement", balance=prose.money(rng.randrange(80000, 910000)), rows=rows)
    entity = mail.text_entity("html", f"{html}\n", "windows-1252", "8bit")
    sender, folder = (
        ("Copperleaf Bank", "no-reply@copperleaf-bank.example"),
        "Archive" if number > 8 else "INBOX",
    )
    return notice("statement", rng, at, until, sender, subject, entity, folder=folder)


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"
