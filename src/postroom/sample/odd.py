"""Odd mail: what real mailboxes hold and no standard allows. Each is one line of a table and one small builder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from postroom.sample import mail
from postroom.sample.mail import SampleMessage
from postroom.sample.people import ME

_FROM = f"From: Odd Corner <odd@corner.test>\nTo: {ME.address}\n"


def odd(rng: Random, until: datetime) -> list[SampleMessage]:
    """One of each, spread over the two years."""
    messages = []
    for number, (name, build) in enumerate(_BUILDERS.items()):
        at = until - timedelta(days=11 + 47 * number, hours=9, minutes=rng.randrange(400))
        head = f"Received: from corner.test by mx.postroom.example; {mail.date(at)}\nX-Odd: {name}\n"
        raw = build(f"{_FROM}Date: {mail.date(at)}\n", f"Message-ID: <odd.{number}.{name}@corner.test>\n")
        flags = frozenset({"\\Seen"}) if number % 3 else frozenset()
        messages.append(
            SampleMessage(raw=head.encode() + raw, folder="INBOX", flags=flags, received_at=at, kind="odd")
        )
    return messages


def _no_message_id(head: str, identity: str) -> bytes:
    return f"{head}Subject: A message without a name\n\nIt has no Message-ID, and it does not miss it.\n".encode()


def _twin(head: str, identity: str) -> bytes:
    same = "Message-ID: <twin@corner.test>\n"
    return f"{head}{same}Subject: Twin, the first\n\nTwo different messages carry one Message-ID.\n".encode()


def _other_twin(head: str, identity: str) -> bytes:
    same = "Message-ID: <twin@corner.test>\n"
    return f"{head}{same}Subject: Twin, the second\n\nThis is the other one, with other words.\n".encode()


def _broken_words(head: str, identity: str) -> bytes:
    subject = "=?utf-8?Q?Half_a_w=C3=B6rd?= =?utf-8?B?c3BsaXQg4g==?= =?nowhere-8?Q?lost?= =?utf-8?Q?open"
    return f"{head}{identity}Subject: {subject}\n\nThe encoded words of the subject are broken in four ways.\n".encode()


def _eight_bit(head: str, identity: str) -> bytes:
    return f"{head}{identity}Subject: Grüße vom Café\n\nEight bits in a header, no charset named: déjà vu.\n".encode(
        "cp1252"
    )


def _no_date(head: str, identity: str) -> bytes:
    return f"{_FROM}{identity}Subject: No date at all\n\nThere is no Date field; the Received line knows better.\n".encode()


def _in_1970(head: str, identity: str) -> bytes:
    date = "Date: Thu, 01 Jan 1970 00:00:01 +0000\n"
    return f"{_FROM}{date}{identity}Subject: From the first second\n\nA clock without a battery.\n".encode()


def _in_2040(head: str, identity: str) -> bytes:
    date = f"Date: {mail.date(datetime(2040, 2, 29, 12, 0, tzinfo=UTC))}\n"
    return f"{_FROM}{date}{identity}Subject: From after 2038\n\nThis was sent on a leap day that is still to come.\n".encode()


def _no_boundary(head: str, identity: str) -> bytes:
    kind = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="nowhere"\n'
    return f"{head}{identity}{kind}Subject: The boundary that never comes\n\nA multipart by name only.\n".encode()


def _empty(head: str, identity: str) -> bytes:
    return f"{head}{identity}Subject: Nothing to say\n\n".encode()


def _long_subject(head: str, identity: str) -> bytes:
    subject = mail.fold("A subject that does not know when to stop, " * 120 + "and stops here.")
    return f"{head}{identity}Subject: {subject}\n\nThe subject above has five thousand characters.\n".encode()


def _nul(head: str, identity: str) -> bytes:
    return f"{head}{identity}Subject: A hole in the text\n\nBefore the hole \0 after the hole.\n".encode()


def _groups(head: str, identity: str) -> bytes:
    # RFC 5322 3.4: a group with members, and a group with none.
    to = "To: Night shift:sweeper@market.test, Pump <pump@market.test>;, undisclosed-recipients:;\n"
    grouped = head.replace(f"To: {ME.address}\n", to)
    return f"{grouped}{identity}Subject: To a group\n\nGood night, all of you.\n".encode()


def _many_recipients(head: str, identity: str) -> bytes:
    cc = ",\n ".join(f'"Guest, Number {n}" <guest{n}@party.test>' for n in range(1, 300))
    return f"{head}Cc: {cc}\n{identity}Subject: Everybody is invited\n\nThree hundred recipients in one field.\n".encode()


def _from_lines(head: str, identity: str) -> bytes:
    return f"{head}{identity}Subject: Lines that begin with From\n\nFrom here on it is odd.\n>From there too.\n\nFrom me\n".encode()


_BUILDERS: dict[str, Callable[[str, str], bytes]] = {
    "no-message-id": _no_message_id,
    "twin": _twin,
    "other-twin": _other_twin,
    "broken-words": _broken_words,
    "eight-bit": _eight_bit,
    "no-date": _no_date,
    "in-1970": _in_1970,
    "in-2040": _in_2040,
    "no-boundary": _no_boundary,
    "empty": _empty,
    "long-subject": _long_subject,
    "nul": _nul,
    "groups": _groups,
    "many-recipients": _many_recipients,
    "from-lines": _from_lines,
}
