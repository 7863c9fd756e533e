"""Letters between people: a script becomes a thread of messages, with quotes, references and attachments."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from random import Random

from postroom.sample import files, mail, prose
from postroom.sample.envelope import LIST_ADDRESS, list_headers, message_id, transport
from postroom.sample.mail import SampleMessage
from postroom.sample.people import ME, PEOPLE, Person
from postroom.sample.prose import Blanks, Script, Turn

_REPLY_PREFIXES = {"hannah": "AW: ", "jonas": "AW: ", "karl": "Aw: ", "claire": "RE: ", "marta": "Odp: "}
_HTML_WRITERS = ("Gannet 11.0", "Heron 16.0", "Wren for tablets")
_LOGO = "northpier-studio.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """What a later turn needs to know of an earlier one. `shown` is its text in lines, without the footer."""

    turn: Turn
    message_id: str
    shown: list[str]
    at: datetime
    raw: bytes


@dataclass(slots=True, kw_only=True)
class _Thread:
    script: Script
    rng: Random
    blanks: Blanks
    until: datetime
    subject: str
    sent: list[_Sent] = field(default_factory=list)

    @property
    def speakers(self) -> list[str]:
        """Everybody seen so far, in the order of appearance."""
        names = [name for sent in self.sent for name in (sent.turn.speaker, *sent.turn.to, *sent.turn.cc)]
        return list(dict.fromkeys(names))


def correspondence(script: Script, rng: Random, until: datetime, start: datetime) -> list[SampleMessage]:
    """The thread of a script from the day it begins. Alex gets what is sent to Alex, or sends it."""
    delays = [timedelta(minutes=rng.randrange(14, 1500)) for _ in script.turns]
    start = min(start, until - sum(delays, timedelta(hours=14 * len(delays))))
    blanks = Blanks(rng, script.language, start.month)
    thread = _Thread(script=script, rng=rng, blanks=blanks, until=until, subject=blanks.fill(script.subject))
    messages: list[SampleMessage] = []
    at = start
    for turn, delay in zip(script.turns, delays, strict=True):
        at = _awake(at + delay, PEOPLE[turn.speaker])
        if messages and turn.speaker == ME.key:
            messages[-1] = replace(messages[-1], flags=messages[-1].flags | {"\\Answered", "\\Seen"})
        message = _letter(thread, turn, at)
        messages += [message] if message else []
    return messages


def _awake(at: datetime, person: Person) -> datetime:
    """Nobody writes at night: what would be sent between ten and seven is sent after breakfast."""
    hour = (at.hour + person.offset_hours) % 24
    if 7 <= hour < 22:
        return at
    return at + timedelta(hours=(7 - hour) % 24 + at.minute % 3, minutes=13)


def _letter(thread: _Thread, turn: Turn, at: datetime) -> SampleMessage | None:
    to, cc = _recipients(thread, turn)
    speaker, list_name = PEOPLE[turn.speaker], turn.option("list")
    local = at.astimezone(timezone(timedelta(hours=speaker.offset_hours)))
    identity = message_id(thread.rng, speaker.domain, at)
    charset, encoding = thread.script.charsets[len(thread.sent) % len(thread.script.charsets)]
    text = _words(thread, turn)
    words = f"{text}\n\n-- \n{speaker.footer}" if speaker.footer and not thread.sent else text
    entity = _entity(thread, turn, speaker, words, charset, encoding)
    headers = [
        *transport(thread.rng, speaker, at, list_name),
        ("From", mail.mailbox(speaker.name, speaker.address)),
        *_addressed(to, cc, list_name),
        ("Subject", _subject(thread, turn, list_name, charset)),
        ("Date", mail.date(local)),
        ("Message-ID", f"<{identity}>"),
        *_references(thread),
        *([("User-Agent", speaker.mailer)] if speaker.mailer else []),
        *(list_headers() if list_name else []),
    ]
    raw = mail.message(headers, entity)
    sent_turn = Turn(speaker=turn.speaker, to=to, cc=cc, options=turn.options, text=turn.text)
    thread.sent.append(_Sent(turn=sent_turn, message_id=identity, shown=_wrapped(text), at=local, raw=raw))
    if ME.key not in (turn.speaker, *to, *cc) and not list_name:
        return None
    return _placed(thread, turn, at, raw)


def _recipients(thread: _Thread, turn: Turn) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """As the script says; else the one who wrote last, with everybody else in copy."""
    if turn.to or turn.option("list") or not thread.sent:
        return turn.to, turn.cc
    last = thread.sent[-1].turn
    if last.speaker == turn.speaker:
        return last.to, last.cc
    others = [name for name in thread.speakers if name not in (turn.speaker, last.speaker)]
    return (last.speaker,), tuple(others)


def _addressed(to: Sequence[str], cc: Sequence[str], list_name: str) -> list[tuple[str, str]]:
    if list_name:
        return [("To", LIST_ADDRESS)]
    fields = [("To", to), ("Cc", cc)]
    return [
        (name, ",\n ".join(mail.mailbox(PEOPLE[key].name, PEOPLE[key].address) for key in keys))
        for name, keys in fields
        if keys
    ]


def _subject(thread: _Thread, turn: Turn, list_name: str, charset: str) -> str:
    subject = f"[rowers] {thread.subject}" if list_name else thread.subject
    if thread.sent:
        subject = (
            "Fwd: " if "forward" in turn.options else _REPLY_PREFIXES.get(turn.speaker, "Re: ")
        ) + subject
    try:
        subject.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    return mail.unstructured(
        subject, charset, "q" if charset.startswith(("iso-8859", "windows-125")) else "b"
    )


def _references(thread: _Thread) -> list[tuple[str, str]]:
    """RFC 5322 3.6.4: the parent's references, then the parent."""
    if not thread.sent:
        return []
    parents = "\n ".join(f"<{sent.message_id}>" for sent in thread.sent)
    return [("In-Reply-To", f"<{thread.sent[-1].message_id}>"), ("References", parents)]


def _wrapped(text: str) -> list[str]:
    """The lines that a reply will quote; what is quoted already keeps its lines."""
    paragraphs = text.split("\n")
    return [line for p in paragraphs for line in ([p] if p.startswith(">") else mail.wrap(p, 68))]


def _words(thread: _Thread, turn: Turn) -> str:
    """What the turn says, above what it answers."""
    text = thread.blanks.fill(turn.text)
    if not thread.sent or "forward" in turn.options:
        return text
    last = thread.sent[-1]
    lines = [line for line in last.shown if not line.startswith(">>>")]
    said, when = PEOPLE[last.turn.speaker].name, f"{last.at:%d.%m.%Y %H:%M}"
    return prose.quoted(text, thread.script.language, when, said, lines[:40])


def _entity(thread: _Thread, turn: Turn, speaker: Person, words: str, charset: str, encoding: str) -> bytes:
    boundary = f"=_{thread.rng.getrandbits(80):020x}"
    body = mail.plain(words, charset, encoding, flowed="flowed" in turn.options)
    if "html" in turn.options or (speaker.mailer in _HTML_WRITERS and thread.rng.random() < 0.6):
        body = mail.multipart(
            "alternative", [body, _html(thread, speaker, words, charset, encoding)], f"{boundary}a"
        )
    attached = [mail.attachment(*_file(name)) for name in _attached_names(thread, turn)]
    if "forward" in turn.options:
        attached.append(b"Content-Type: message/rfc822\n\n" + thread.sent[-1].raw)
    if attached:
        body = mail.multipart("mixed", [body, *attached], boundary)
    return signed(body, f"{boundary}s") if speaker.key == "jonas" else body


def _attached_names(thread: _Thread, turn: Turn) -> list[str]:
    """`jpg:crack.jpg` is a file; the kind before the colon is the one the name ends with."""
    pairs = [option.split(":", 1) for option in turn.options if ":" in option]
    return [thread.blanks.fill(name) for kind, name in pairs if name.endswith(f".{kind}")]


def _file(name: str) -> tuple[str, str, bytes]:
    mime_type, data = files.make(name)
    return mime_type, name, data


def _html(thread: _Thread, speaker: Person, words: str, charset: str, encoding: str) -> bytes:
    """The studio's own people carry its sign below their mail: an inline picture (RFC 2387, RFC 2392)."""
    if speaker.domain != "northpier.example":
        return mail.text_entity("html", prose.page(words), charset, encoding)
    content_id = f"sign.{thread.rng.getrandbits(32):08x}@{speaker.domain}"
    page = mail.text_entity("html", prose.page(words, content_id), charset, "quoted-printable")
    mime_type, name, data = _file(_LOGO)
    picture = mail.attachment(mime_type, name, data, content_id=content_id)
    return mail.multipart(
        "related", [page, picture], f"=_{thread.rng.getrandbits(64):016x}r", '; type="text/html"'
    )


def signed(entity: bytes, boundary: str) -> bytes:
    """RFC 8551 3.5: the entity and a detached signature, which has the look of one and signs nothing."""
    digest = hashlib.sha256(entity).digest()
    signature = b"\x30\x82\x01\x0c\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x81\xfe" + digest * 8
    part = mail.attachment("application/pkcs7-signature", "smime.p7s", signature)
    parameters = ';\n protocol="application/pkcs7-signature"; micalg=sha-256'
    return mail.multipart("signed", [entity, part], boundary, parameters)


def _placed(thread: _Thread, turn: Turn, at: datetime, raw: bytes) -> SampleMessage:
    """Where Alex keeps it, and whether it was read."""
    age, script = thread.until - at, thread.script
    list_name = turn.option("list")
    folder = "Lists/Rowers" if list_name else script.folder
    if folder == "INBOX" and age > timedelta(days=300):
        folder = "Archive"
    if turn.speaker == ME.key:
        folder = "Sent"
    flags = {"\\Seen"} if turn.speaker == ME.key or thread.rng.random() > _unread_chance(age) else set[str]()
    if turn.speaker != ME.key and thread.rng.random() < 0.06:
        flags.add("\\Flagged")
    labels = ("Important",) if "\\Flagged" in flags and script.kind == "work" else ()
    kind = "list" if list_name else script.kind
    return SampleMessage(
        raw=raw, folder=folder, flags=frozenset(flags), labels=labels, received_at=at, kind=kind
    )


def _unread_chance(age: timedelta) -> float:
    return 0.6 if age < timedelta(days=20) else 0.08
