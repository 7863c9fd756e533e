"""What comes without anybody having written it: newsletters, orders, builds, reminders, invitations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from postroom.sample import files, mail, prose
from postroom.sample.envelope import came_from, message_id
from postroom.sample.mail import SampleMessage
from postroom.sample.people import ME, PEOPLE

_ITEMS = (
    ("Bronze cleat, 150 mm", 2490),
    ("Tarred marline, 50 m", 1180),
    ("Oilskin jacket, yellow", 9950),
    ("Brass lamp, small", 4600),
    ("Rubbing strip, ash, 2 m", 3150),
    ("Linseed oil, 5 l", 2875),
    ("Copper nails, 500 g", 1640),
    ("Tide table for next year", 690),
    ("Wool socks, grey", 1450),
    ("Signal flag, letter K", 1295),
    ("Oar leathers, pair", 2250),
    ("Bailer, tin", 980),
)
_BOOKS = (
    "The Salt Ledger",
    "Steam Bending for the Impatient",
    "A Café in Winter",
    "Knots and Their Reasons",
    "The Lighthouse Keeper's Daughter",
)
_MEETINGS = (
    ("Site meeting", "Warehouse 9, cabin"),
    ("Design review", "Long table"),
    ("Lantern test in the basin", "Old slip"),
    ("Committee", "Boathouse"),
)
_POSTAGE = 495


def notice(
    kind: str,
    rng: Random,
    at: datetime,
    until: datetime,
    sender: tuple[str, str],
    subject: str,
    entity: bytes,
    *,
    folder: str = "INBOX",
    more: Sequence[tuple[str, str]] = (),
    labels: tuple[str, ...] = (),
) -> SampleMessage:
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
    flags = frozenset[str]() if unread else frozenset({"\\Seen"})
    raw = mail.message(headers, entity)
    return SampleMessage(raw=raw, folder=folder, flags=flags, labels=labels, received_at=at, kind=kind)


def both(rng: Random, text: str, html: str) -> bytes:
    """The text, and the same as HTML."""
    parts = [mail.plain(text, "utf-8", "quoted-printable")]
    parts += [mail.text_entity("html", html, "utf-8", "quoted-printable")]
    return mail.multipart("alternative", parts, f"----=_Part_{rng.getrandbits(48)}")


def newsletter(rng: Random, until: datetime, number: int) -> SampleMessage:
    """The Slack Tide, every Sunday, in HTML: number 0 is the latest."""
    last_sunday = until - timedelta(days=(until.weekday() + 1) % 7 or 7)
    at = last_sunday + timedelta(days=-7 * number, hours=6 + rng.randrange(3), minutes=rng.randrange(60))
    blanks, issue = prose.Blanks(rng, "en", at.month), 212 - number
    told = [(head, blanks.fill(story)) for head, story in rng.sample(prose.stories(), 4)]
    more = (
        ("List-Id", "The Slack Tide <weekly.slack-tide.example>"),
        ("List-Unsubscribe", "<https://slack-tide.example/leave>,\n <mailto:leave@slack-tide.example>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    sender, subject = ("The Slack Tide", "letter@slack-tide.example"), f"The Slack Tide {issue}: {told[0][0]}"
    entity = mail.text_entity("html", _newsletter_page(rng, issue, told), "utf-8", "quoted-printable")
    folder = "Trash" if number % 9 == 5 else "Newsletters"
    return notice("newsletter", rng, at, until, sender, subject, entity, folder=folder, more=more)


def _newsletter_page(rng: Random, issue: int, told: Sequence[tuple[str, str]]) -> str:
    site = "https://slack-tide.example"
    sections = "\n".join(
        f"<h2>{prose.escape(head)}</h2>\n"
        f'<p>{prose.escape(story)} <a href="{site}/{issue}/{n}">Read on</a></p>'
        for n, (head, story) in enumerate(told, 1)
    )
    return (
        "<!DOCTYPE html>\n<html><head><title>The Slack Tide</title><style>h2 { color: #124 }</style></head>\n"
        f"<body>\n<h1>The Slack Tide</h1>\n<p>No. {issue}, a letter from the harbour every Sunday</p>\n"
        f'{sections}\n<img src="{site}/open/{rng.getrandbits(64):016x}.gif" width="1" height="1" alt="">\n'
        f'<p><a href="{site}/leave/{rng.getrandbits(40):010x}">Unsubscribe</a></p>\n</body></html>\n'
    )


def order(rng: Random, until: datetime, at: datetime) -> list[SampleMessage]:
    """A confirmation, and the parcel's notice two days later."""
    items = [(name, rng.randrange(1, 4), cents) for name, cents in rng.sample(_ITEMS, rng.randrange(1, 4))]
    code, total = f"CH{rng.randrange(100000, 999999)}", sum(n * cents for _, n, cents in items) + _POSTAGE
    shown = [*((f"{n} x {name}", prose.money(n * cents)) for name, n, cents in items)]
    shown.append(("Postage", prose.money(_POSTAGE)))
    lines = "\n".join(f"  {name:<32}{price:>10}" for name, price in shown)
    subject, text = prose.template("order", code=code, lines=lines, total=prose.money(total))
    rows = "".join(f"<tr><td>{prose.escape(name)}</td><td>{price}</td></tr>\n" for name, price in shown)
    html = (
        f"<html><body><h1>Thank you!</h1><p>Your order <b>{code}</b></p>\n"
        f"<table>\n{rows}</table>\n<p>Total {prose.money(total)}</p></body></html>\n"
    )
    sender = ("The Chandlery by Post", "orders@chandlery-post.example")
    first = notice("order", rng, at, until, sender, subject, both(rng, text, html))
    later = min(at + timedelta(hours=47), until - timedelta(hours=2))
    item, track = items[0][0].split(",")[0].lower(), f"{rng.getrandbits(48):012x}"
    subject, text = prose.template("parcel", code=code, item=item, track=track)
    return [first, notice("order", rng, later, until, sender, subject, mail.plain(text))]


def build(rng: Random, until: datetime, at: datetime) -> SampleMessage:
    """The machine that checks the drawings."""
    detail, outcome = f"  0 errors, {rng.randrange(3)} warnings", "passed"
    if rng.random() < 0.4:
        detail, outcome = (
            f"  axis 4: door leaf collides with column C{rng.randrange(2, 9)}\n  1 error",
            "failed",
        )
    subject, text = prose.template(
        "build",
        drawing=rng.choice(("lift-shaft", "roof-north", "quay-wall", "reading-room", "pontoons")),
        number=4000 - 3 * (until - at).days - rng.randrange(3),
        outcome=outcome,
        detail=detail,
        seconds=rng.randrange(40, 600),
        desk=rng.randrange(2, 6),
    )
    more, sender = (("Auto-Submitted", "auto-generated"),), ("Drawing check", "checks@ci.northpier.example")
    folder = "Trash" if rng.random() < 0.3 else "INBOX"
    return notice("build", rng, at, until, sender, subject, mail.plain(text), folder=folder, more=more)


def library(rng: Random, until: datetime, at: datetime) -> SampleMessage:
    book, day = rng.choice(_BOOKS), f"{at + timedelta(days=3):%d.%m.%Y}"
    subject, text = prose.template("library", book=book, day=day)
    sender = ("Quayside Library", "desk@quayside-library.example")
    entity = mail.plain(text, "windows-1252", "quoted-printable")
    return notice("library", rng, at, until, sender, subject, entity)


def invitation(rng: Random, until: datetime, at: datetime) -> SampleMessage:
    """A meeting, as text, as HTML and as text/calendar (RFC 6047)."""
    host, (title, place) = PEOPLE[rng.choice(("priya", "hannah", "marta", "fiona"))], rng.choice(_MEETINGS)
    day = at + timedelta(days=rng.randrange(2, 9))
    start = day.replace(hour=rng.randrange(8, 16), minute=30, second=0, tzinfo=UTC)
    subject, text = prose.template("invitation", title=title, place=place, when=f"{start:%d.%m.%Y %H:%M} UTC")
    uid = f"{rng.getrandbits(64):016x}@{host.domain}"
    event = files.calendar(uid, title, place, start, host.address, ME.address)
    parts = [
        mail.plain(text),
        mail.text_entity("html", prose.page(text), "utf-8", "quoted-printable"),
        mail.text_entity("calendar", event, "utf-8", "8bit", "utf-8; method=REQUEST"),
    ]
    body = mail.multipart("alternative", parts, f"=_{rng.getrandbits(64):016x}a")
    sheet = mail.attachment("application/ics", "invite.ics", event.encode())
    entity = mail.multipart("mixed", [body, sheet], f"=_{rng.getrandbits(64):016x}m")
    return notice("invitation", rng, at, until, (host.name, host.address), subject, entity)
