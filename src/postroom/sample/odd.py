"""Odd mail: what real mailboxes hold and no standard allows, one line of a table each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from postroom.sample import mail
from postroom.sample.mail import SampleMessage
from postroom.sample.people import ME


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """One oddity. None leaves the field out; an empty string stands for the usual value."""

    name: str
    subject: str
    body: str
    date: str | None = ""
    message_id: str | None = ""
    to: str = ME.address
    more: str = ""
    charset: str = "utf-8"

    def raw(self, at: datetime) -> bytes:
        lines = [f"Received: from corner.test by mx.postroom.example; {mail.date(at)}"]
        lines += ["From: Odd Corner <odd@corner.test>", f"To: {self.to}", f"X-Odd: {self.name}"]
        if self.date is not None:
            lines.append(f"Date: {self.date or mail.date(at)}")
        if self.message_id is not None:
            lines.append(f"Message-ID: <{self.message_id or self.name}@corner.test>")
        lines += [self.more] if self.more else []
        lines.append(f"Subject: {self.subject}")
        return ("\n".join(lines) + f"\n\n{self.body}").encode(self.charset)


_LONG = mail.fold("A subject that does not know when to stop, " * 120 + "and stops here.")
_GUESTS = "Cc: " + ",\n ".join(f'"Guest, Number {n}" <guest{n}@party.test>' for n in range(1, 300))
_BROKEN = "=?utf-8?Q?Half_a_w=C3=B6rd?= =?utf-8?B?c3BsaXQg4g==?= =?nowhere-8?Q?lost?= =?utf-8?Q?open"
# RFC 5322 3.4: a group with members, and a group with none.
_GROUPS = "Night shift:sweeper@market.test, Pump <pump@market.test>;, undisclosed-recipients:;"

ODDITIES = (
    Odd(
        name="no-message-id",
        subject="A message without a name",
        message_id=None,
        body="It has no Message-ID, and it does not miss it.\n",
    ),
    Odd(
        name="twin",
        subject="Twin, the first",
        message_id="twin",
        body="Two different messages carry one Message-ID.\n",
    ),
    Odd(
        name="other-twin",
        subject="Twin, the second",
        message_id="twin",
        body="This is the other one, with other words.\n",
    ),
    Odd(
        name="broken-words",
        subject=_BROKEN,
        body="The encoded words of the subject are broken in four ways.\n",
    ),
    Odd(
        name="eight-bit",
        subject="Grüße vom Café",
        charset="cp1252",
        body="Eight bits in a header and no charset named: déjà vu.\n",
    ),
    Odd(
        name="no-date",
        subject="No date at all",
        date=None,
        body="There is no Date field; the Received line knows better.\n",
    ),
    Odd(
        name="in-1970",
        subject="From the first second",
        date="Thu, 01 Jan 1970 00:00:01 +0000",
        body="A clock without a battery.\n",
    ),
    Odd(
        name="in-2040",
        subject="From after 2038",
        date="Wed, 29 Feb 2040 12:00:00 +0000",
        body="This was sent on a leap day that is still to come.\n",
    ),
    Odd(
        name="no-boundary",
        subject="The boundary that never comes",
        more='MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="nowhere"',
        body="A multipart by name only.\n",
    ),
    Odd(name="empty", subject="Nothing to say", body=""),
    Odd(name="long-subject", subject=_LONG, body="The subject above has five thousand characters.\n"),
    Odd(name="nul", subject="A hole in the text", body="Before the hole \0 after the hole.\n"),
    Odd(name="groups", subject="To a group", to=_GROUPS, body="Good night, all of you.\n"),
    Odd(
        name="many-recipients",
        subject="Everybody is invited",
        more=_GUESTS,
        body="Three hundred recipients, counting you.\n",
    ),
    Odd(
        name="from-lines",
        subject="Lines that begin with From",
        body="From here on it is odd.\n>From there too.\n\nFrom me\n",
    ),
)


def odd(rng: Random, until: datetime) -> list[SampleMessage]:
    """One of each, spread over the two years; every third is unread."""
    messages = []
    for number, oddity in enumerate(ODDITIES):
        at = until.astimezone(UTC) - timedelta(days=11 + 47 * number, hours=9, minutes=rng.randrange(400))
        flags = frozenset({"\\Seen"}) if number % 3 else frozenset[str]()
        raw = oddity.raw(at)
        messages.append(SampleMessage(raw=raw, folder="INBOX", flags=flags, received_at=at, kind="odd"))
    return messages
