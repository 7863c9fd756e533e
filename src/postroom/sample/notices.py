"""What comes without anybody having written it to you: newsletters, invoices, orders, tickets, builds, statements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from random import Random

from postroom.sample import files, mail, prose
from postroom.sample.envelope import came_from, message_id
from postroom.sample.mail import SampleMessage
from postroom.sample.people import ME, PEOPLE

_QUARTER = timedelta(days=91)
_ITEMS = (
    ("Bronze cleat, 150 mm", 2490), ("Tarred marline, 50 m", 1180), ("Oilskin jacket, yellow", 9950), ("Brass lamp, small", 4600),
    ("Rubbing strip, ash, 2 m", 3150), ("Linseed oil, 5 l", 2875), ("Copper nails, 500 g", 1640), ("Tide table for next year", 690),
    ("Wool socks, grey", 1450), ("Signal flag, letter K", 1295), ("Oar leathers, pair", 2250), ("Bailer, tin", 980),
)  # fmt: skip


def notice(
    kind: str, rng: Random, at: datetime, until: datetime, sender: tuple[str, str], subject: str, entity: bytes,
    *, folder: str = "INBOX", more: Sequence[tuple[str, str]] = (), labels: tuple[str, ...] = (),
) -> SampleMessage:  # fmt: skip
    """A message to Alex from a sender that is a machine, or acts like one."""
    name, address = sender
    domain = address.partition("@")[2]
    headers = [
        *came_from(rng, domain, address, at),
        ("From", mail.mailbox(name, address)),
        ("To", mail.mailbox(ME.name, ME.address)),
        ("Subject", mail.unstructured(subject, "utf-8", "q")),
        ("Date", mail.date(at)),
        ("Message-ID", f"<{message_id(rng, domain, at)}>"),
        *more,
    ]
    unread = rng.random() < (0.7 if until - at < timedelta(days=21) else 0.15)
    flags = frozenset() if unread else frozenset({"\\Seen"})
    raw = mail.message(headers, entity)
    return SampleMessage(raw=raw, folder=folder, flags=flags, labels=labels, received_at=at, kind=kind)


def both(
    rng: Random, text: str, html: str, charset: str = "utf-8", encoding: str = "quoted-printable"
) -> bytes:
    parts = [mail.plain(text, charset, encoding), mail.text_entity("html", html, charset, encoding)]
    return mail.multipart("alternative", parts, f"----=_Part_{rng.getrandbits(48)}")


def with_file(rng: Random, text: bytes, mime_type: str, name: str, data: bytes) -> bytes:
    return mail.multipart(
        "mixed", [text, mail.attachment(mime_type, name, data)], f"----=_Part_{rng.getrandbits(48)}"
    )


@cache
def _stories() -> tuple[tuple[str, str], ...]:
    text = resources.files(__package__).joinpath("scripts", "newsletter.txt").read_text("utf-8")
    return tuple(
        (head, story) for head, _, story in (line.partition(" | ") for line in text.strip().split("\n"))
    )


def newsletter(rng: Random, until: datetime, number: int) -> SampleMessage:
    """The Slack Tide, every Sunday, in HTML: number 0 is the latest."""
    at = until - timedelta(days=7 * number, hours=17 - rng.randrange(3), minutes=rng.randrange(60))
    blanks, issue = prose.Blanks(rng, "en", at.month), 212 - number
    stories = [(head, blanks.fill(story)) for head, story in rng.sample(_stories(), 4)]
    sections = "\n".join(
        f'<h2>{prose.escape(head)}</h2>\n<p>{prose.escape(story)} <a href="https://slack-tide.example/{issue}/{n}">Read on</a></p>'
        for n, (head, story) in enumerate(stories, 1)
    )
    html = (
        "<!DOCTYPE html>\n<html><head><title>The Slack Tide</title><style>h2 { color: #124 }</style></head>\n"
        f'<body>\n<h1>The Slack Tide</h1>\n<p class="small">No. {issue}, a letter from the harbour every Sunday</p>\n{sections}\n'
        f'<img src="https://slack-tide.example/open/{rng.getrandbits(64):016x}.gif" width="1" height="1" alt="">\n'
        f'<p><a href="https://slack-tide.example/leave/{rng.getrandbits(40):010x}">Unsubscribe</a></p>\n</body></html>\n'
    )
    subject = f"The Slack Tide {issue}: {stories[0][0]}"
    more = (
        ("List-Id", "The Slack Tide <weekly.slack-tide.example>"),
        ("List-Unsubscribe", "<https://slack-tide.example/leave>,\n <mailto:leave@slack-tide.example>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    entity = mail.text_entity("html", html, "utf-8", "quoted-printable")
    folder = "Trash" if number % 9 == 5 else "Newsletters"
    sender = ("The Slack Tide", "letter@slack-tide.example")
    return notice("newsletter", rng, at, until, sender, subject, entity, folder=folder, more=more)


def alices_invoice(rng: Random, until: datetime, number: int) -> SampleMessage:
    """Alice invoices once a quarter, with a PDF: number 0 is the latest."""
    at = until - _QUARTER * number - timedelta(days=16, hours=14, minutes=rng.randrange(90))
    code, total = f"BL-{at.year}-{100 + at.month}", prose.money(42000 + 1250 * rng.randrange(9))
    quarter = (at.month - 2) // 3 % 4 + 1
    text = (
        f"Hi Alex,\n\nhere is our invoice {code} for the bookkeeping of quarter {quarter}: {total}, payable within 30 days."
        f" {rng.choice(('Nothing unusual this time.', 'The extra hour is the fish.', 'I took off the hour we spent laughing.'))}"
        f"\n\nBest,\nAlice\n\n-- \n{PEOPLE['alice'].footer}"
    )
    sheet = files.pdf(
        f"Invoice {code}",
        [
            "Bright Ledger",
            f"To: {ME.name}, Northpier Studio",
            f"Bookkeeping, quarter {quarter}",
            f"Total: {total}",
        ],
    )
    entity = with_file(
        rng, mail.plain(text, "utf-8", "quoted-printable"), "application/pdf", f"Invoice {code}.pdf", sheet
    )
    sender = (PEOPLE["alice"].name, PEOPLE["alice"].address)
    return notice("invoice", rng, at, until, sender, f"Invoice {code}", entity, labels=("Receipts",))


def rope_invoice(rng: Random, until: datetime, number: int) -> SampleMessage:
    at = until - timedelta(days=118 * number + 31, hours=8, minutes=rng.randrange(240))
    code, total = f"{7000 + 13 * number}", prose.money(rng.randrange(9000, 88000), "de")
    text = (
        f"Dear customer,\n\nplease find attached invoice {code} for your order of {rng.choice(('hemp rope', 'mooring lines', 'fenders'))}."
        f" The amount of {total} is due in 14 days.\n\nBaltic Rope Works\nThis message was sent by our order system, nobody reads the replies."
    )
    sheet = files.pdf(f"Invoice {code}", ["Baltic Rope Works", f"Amount due: {total}"])
    entity = with_file(
        rng, mail.plain(text, "us-ascii", "7bit"), "application/octet-stream", f"RE_{code}.pdf", sheet
    )
    return notice(
        "invoice",
        rng,
        at,
        until,
        ("Baltic Rope Works", "billing@balticrope.example"),
        f"Invoice {code} for your order",
        entity,
    )


def order(rng: Random, until: datetime, at: datetime) -> list[SampleMessage]:
    """A confirmation, and the parcel's notice two days later."""
    items = [(item, rng.randrange(1, 4), cents) for item, cents in rng.sample(_ITEMS, rng.randrange(1, 4))]
    code, total = (
        f"CH{rng.randrange(100000, 999999)}",
        prose.money(sum(count * cents for _, count, cents in items) + 495),
    )
    lines = "\n".join(
        f"  {count} x {item:<28} {prose.money(count * cents):>10}" for item, count, cents in items
    )
    text = f"Hello Alex,\n\nthank you for your order {code}.\n\n{lines}\n  Postage {prose.money(495):>34}\n\nTotal {total}\n\nThe Chandlery by Post"
    rows = "".join(
        f"<tr><td>{count}</td><td>{prose.escape(item)}</td><td>{prose.money(count * cents)}</td></tr>\n"
        for item, count, cents in items
    )
    html = f"<html><body><h1>Thank you!</h1><p>Your order <b>{code}</b></p>\n<table>\n{rows}</table>\n<p>Total {total}</p></body></html>\n"
    sender = ("The Chandlery by Post", "orders@chandlery-post.example")
    first = notice("order", rng, at, until, sender, f"Your order {code}", both(rng, text, html))
    track = f"https://chandlery-post.example/track/{rng.getrandbits(48):012x}"
    sent = f"Hello Alex,\n\nyour order {code} is on its way, {items[0][0].split(',')[0].lower()} and all. Follow it here:\n{track}\n\nIf you are out, the parcel goes to the lock office."
    second = notice(
        "order",
        rng,
        min(at + timedelta(hours=47), until - timedelta(hours=2)),
        until,
        sender,
        f"Your order {code} is on its way",
        mail.plain(sent),
    )
    return [first, second]


def build(rng: Random, until: datetime, at: datetime) -> SampleMessage:
    """The machine that checks the drawings at night."""
    number, drawing = (
        rng.randrange(900, 4000),
        rng.choice(("lift-shaft", "roof-north", "quay-wall", "reading-room", "pontoons")),
    )
    failed = rng.random() < 0.4
    outcome = "failed" if failed else "passed"
    detail = (
        f"  axis 4: door leaf collides with column C{rng.randrange(2, 9)}\n  1 error, {rng.randrange(2, 9)} warnings"
        if failed
        else "  0 errors, 0 warnings"
    )
    text = f"Run {number} of {drawing} {outcome}.\n\n{detail}\n\nTook {rng.randrange(40, 600)} s on desk-{rng.randrange(2, 6)}. You get this because you watch {drawing}."
    more = (("Auto-Submitted", "auto-generated"), ("X-Run", str(number)))
    sender = ("Drawing check", "checks@ci.northpier.example")
    folder = "Trash" if rng.random() < 0.3 else "INBOX"
    return notice(
        "build",
        rng,
        at,
        until,
        sender,
        f"[{drawing}] run {number} {outcome}",
        mail.plain(text),
        folder=folder,
        more=more,
    )


def statement(rng: Random, until: datetime, number: int) -> SampleMessage:
    """The bank, once a month, HTML only and in windows-1252."""
    at = until - timedelta(days=30 * number + 1, hours=19)
    balance = prose.money(rng.randrange(80000, 910000))
    rows = "".join(
        f"<tr><td>{day:02d}</td><td>{rng.choice(('Quayside bakery', 'Coastline Rail', 'Chandlery by Post', 'Tidewater RC', 'Corner grocer'))}</td><td>{prose.money(rng.randrange(250, 9000))}</td></tr>\n"
        for day in sorted(rng.sample(range(1, 28), 5))
    )
    html = f"<html><body><p>Dear Alex Morgan,</p><p>your statement is ready. Balance: <b>{balance}</b> – thank you for banking with us.</p><table>\n{rows}</table></body></html>\n"
    entity = mail.text_entity("html", html, "windows-1252", "8bit")
    folder = "Archive" if number > 8 else "INBOX"
    return notice(
        "statement",
        rng,
        at,
        until,
        ("Copperleaf Bank", "no-reply@copperleaf-bank.example"),
        "Your monthly statement",
        entity,
        folder=folder,
    )


def ticket(rng: Random, until: datetime, at: datetime) -> SampleMessage:
    place, seat, code = (
        rng.choice(("Longreach", "Saltmarsh", "Penhallow", "Great Wick")),
        rng.randrange(1, 80),
        f"{rng.getrandbits(24):06X}",
    )
    text = f"Your ticket to {place}\n\nCoach {rng.choice('ABCD')}, seat {seat}, booking {code}. The ticket is attached; it is valid on any train of the day. Please mind the step at {place}, it is higher than it looks."
    sheet = files.pdf(f"Ticket {code}", [f"Northpier to {place}", f"Seat {seat}", "Adult, single"])
    entity = with_file(rng, mail.plain(text), "application/pdf", f"ticket-{code}.pdf", sheet)
    return notice(
        "ticket",
        rng,
        at,
        until,
        ("Coastline Rail", "tickets@coastline-rail.example"),
        f"Your ticket to {place} ({code})",
        entity,
    )


def library(rng: Random, until: datetime, at: datetime) -> SampleMessage:
    book = rng.choice(
        (
            "The Salt Ledger",
            "Steam Bending for the Impatient",
            "A Café in Winter",
            "Knots and Their Reasons",
            "The Lighthouse Keeper's Daughter",
        )
    )
    text = f"Dear reader,\n\n“{book}” is due back on {at + timedelta(days=3):%d.%m.%Y}. You can renew it once, unless somebody else is waiting. Fines are 20 p a day; our longest outstanding one stands at £4,017.\n\nQuayside Library"
    return notice(
        "library",
        rng,
        at,
        until,
        ("Quayside Library", "desk@quayside-library.example"),
        f"Due soon: {book}",
        mail.plain(text, "windows-1252", "quoted-printable"),
    )


def invitation(rng: Random, until: datetime, at: datetime) -> SampleMessage:
    """A meeting, as text, as HTML and as text/calendar (RFC 6047)."""
    host = PEOPLE[rng.choice(("priya", "hannah", "marta", "fiona"))]
    title, place = rng.choice(
        (
            ("Site meeting", "Warehouse 9, cabin"),
            ("Design review", "Long table"),
            ("Lantern test in the basin", "Old slip"),
            ("Committee", "Boathouse"),
        )
    )
    start = (at + timedelta(days=rng.randrange(2, 9))).replace(
        hour=rng.randrange(8, 16), minute=30, second=0, tzinfo=UTC
    )
    text = f"{title}\n{start:%d.%m.%Y %H:%M} UTC, {place}\n\nPlease say whether you can come."
    event = files.calendar(
        f"{rng.getrandbits(64):016x}@{host.domain}", title, place, start, host.address, ME.address
    )
    parts = [
        mail.plain(text),
        mail.text_entity("html", prose.page(text), "utf-8", "quoted-printable"),
        mail.text_entity("calendar", event, "utf-8", "8bit", "utf-8; method=REQUEST"),
    ]
    body = mail.multipart("alternative", parts, f"=_{rng.getrandbits(64):016x}a")
    sheet = mail.attachment("application/ics", "invite.ics", event.encode())
    entity = mail.multipart("mixed", [body, sheet], f"=_{rng.getrandbits(64):016x}m")
    return notice(
        "invitation",
        rng,
        at,
        until,
        (host.name, host.address),
        f"Invitation: {title}, {start:%d.%m.} {start:%H:%M}",
        entity,
    )
