"""The benchmark mailboxes: 20,000 messages with attachments, and 200,000 without in ten tenants.

    python -m benchmarks.corpus OUT                    one Maildir of 20,000 messages, 1.15 GB
    python -m benchmarks.corpus OUT --format mbox      the same as one file
    python -m benchmarks.corpus OUT --tenants          ten mailboxes of very different size

The same seed gives the same bytes. Messages are made as they are asked for: nothing is held.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

from benchmarks import words
from postroom.sample import SampleMessage, write_maildir, write_mbox
from postroom.sample.mail import date

TENANTS = {
    "north": 74_000,
    "south": 48_000,
    "east": 30_000,
    "west": 19_000,
    "upper": 12_000,
    "lower": 8_000,
    "outer": 4_500,
    "inner": 2_500,
    "old": 1_400,
    "new": 600,
}
_START = datetime(2019, 1, 1, tzinfo=UTC)
_FOLDERS = (
    *("INBOX",) * 9,
    *("Archive",) * 5,
    "Sent",
    "Sent",
    "Projects/Bridge",
    "Projects/Mill",
    "Lists/Talk",
    "Trash",
)
_FILES = (
    ("application/pdf", "pdf", b"%PDF-1.5\n"),
    ("image/jpeg", "jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
    ("application/zip", "zip", b"PK\x03\x04"),
    ("text/csv", "csv", b"item;count;price\n"),
)
_STYLE = "".join(f".c{n} {{ margin: {n}px 0; font: 14px sans-serif; color: #2{n:02d} }}\n" for n in range(24))
_TOP = f'<html><head><style>\n{_STYLE}</style></head><body>\n<p class="c3">'
_BREAK = '</p>\n<p class="c3">'
_BYTES_A_LINE = 57
"""What one line of 76 base64 characters holds."""


@dataclass(frozen=True, slots=True)
class _Parent:
    """An earlier message that a later one may answer."""

    message_id: str
    references: str
    subject: str


@cache
def people(seed: int = 1) -> tuple[tuple[str, str], ...]:
    """3,000 correspondents at 120 domains."""
    rng = Random(f"{seed}/people")
    domains = [f"{words.rare(rng, seed)}.{rng.choice(('example', 'test'))}" for _ in range(120)]
    names = [(words.rare(rng, seed), words.rare(rng, seed)) for _ in range(3_000)]
    return tuple((f"{a.title()} {b.title()}", f"{a}.{b}@{rng.choice(domains)}") for a, b in names)


@cache
def _noise(seed: int) -> bytes:
    """12 MB that no compressor makes smaller, as lines of base64."""
    return base64.encodebytes(Random(f"{seed}/noise").randbytes(210_000 * _BYTES_A_LINE))


@cache
def _tables(seed: int) -> bytes:
    """A few MB of words, as lines of base64."""
    text = "".join(words.lines(seed)).encode()
    return base64.encodebytes(text[: len(text) // _BYTES_A_LINE * _BYTES_A_LINE])


class _Writer:
    """Writes one mailbox, message by message."""

    def __init__(self, owner: str, count: int, seed: int, share: float) -> None:
        self._rng = Random(f"{seed}/{owner}/{count}")
        self._owner, self._count, self._seed, self._share = owner, count, seed, share
        self._parents: deque[_Parent] = deque(maxlen=400)
        self._sent_files: deque[bytes] = deque(maxlen=40)

    def __iter__(self) -> Iterator[SampleMessage]:
        step = timedelta(days=2_800) / max(self._count, 1)
        for number in range(self._count):
            yield self._message(number, (_START + step * number).replace(microsecond=0))

    def _message(self, number: int, at: datetime) -> SampleMessage:
        rng = self._rng
        body = self._body(number)
        if rng.random() < self._share:
            body = self._with_files(number, body)
        flags = {"\\Seen"} if rng.random() < 0.85 else set[str]()
        flags |= {"\\Flagged"} if rng.random() < 0.03 else set()
        raw = self._head(number, at).encode() + body
        folder = _FOLDERS[rng.randrange(len(_FOLDERS))]
        return SampleMessage(raw=raw, folder=folder, flags=frozenset(flags), received_at=at, kind="bulk")

    def _head(self, number: int, at: datetime) -> str:
        rng, known = self._rng, people(self._seed)
        # The square makes a few of them write most of the mail.
        name, address = known[int(rng.random() ** 2 * len(known))]
        domain = address.partition("@")[2]
        message_id = f"{rng.getrandbits(64):016x}.{number}@{domain}"
        reply, subject = self._thread(message_id)
        copies = [rng.choice(known) for _ in range(rng.choice((0, 0, 0, 1, 2, 5)))]
        others = ",\n ".join(f"{who} <{where}>" for who, where in copies)
        listed = f"List-Id: <talk.{domain}>\nList-Unsubscribe: <https://{domain}/leave/{number}>\n"
        return (
            f"Return-Path: <{address}>\n{self._received(domain, at)}"
            f"From: {name} <{address}>\nTo: {self._owner} <{self._owner}@postroom.example>\n"
            + (f"Cc: {others}\n" if others else "")
            + f"Subject: {subject}\nDate: {date(at)}\nMessage-ID: <{message_id}>\n{reply}"
            + (listed if number % 7 == 0 else "")
            + "X-Mailer: Gannet 11.0\nMIME-Version: 1.0\n"
        )

    def _received(self, domain: str, at: datetime) -> str:
        rng, when = self._rng, date(at)
        hops = "".join(
            f"Received: from relay{hop}.{domain} (relay{hop}.{domain} [192.0.2.{rng.randrange(255)}])\n"
            f"\tby mx{hop}.postroom.example (Postmill) with ESMTPS id {rng.getrandbits(48):012X}\n"
            f"\tfor <{self._owner}@postroom.example>; {when}\n"
            for hop in range(rng.randrange(2, 5))
        )
        signature = base64.b64encode(rng.randbytes(240)).decode("ascii")
        folded = "\n ".join(signature[cut : cut + 70] for cut in range(0, 320, 70))
        return (
            f"{hops}Authentication-Results: mx1.postroom.example; dkim=pass header.d={domain};\n"
            f" spf=pass smtp.mailfrom={domain}; dmarc=pass header.from={domain}\n"
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=k1;\n"
            f" h=from:to:subject:date:message-id:list-id; bh={signature[:43]}=;\n b={folded}\n"
        )

    def _thread(self, message_id: str) -> tuple[str, str]:
        """Two in five answer somebody: the reference fields, and the subject."""
        rng = self._rng
        if self._parents and rng.random() < 0.4:
            parent = self._parents[rng.randrange(len(self._parents))]
            known = "\n ".join([*parent.references.split("\n ")[-11:], f"<{parent.message_id}>"]).lstrip()
            self._parents.append(_Parent(message_id, known, parent.subject))
            return f"In-Reply-To: <{parent.message_id}>\nReferences: {known}\n", f"Re: {parent.subject}"
        line = words.lines(self._seed)[rng.randrange(words.LINES)]
        subject = line.strip(".\n")[:60] if line.isascii() else words.rare(rng, self._seed)
        self._parents.append(_Parent(message_id, "", subject))
        return "", subject

    def _body(self, number: int) -> bytes:
        """Text, and for three in four the same as HTML."""
        rng = self._rng
        count = min(2_000, int(rng.lognormvariate(3.4, 0.8)) + 1)
        chosen = rng.choices(words.lines(self._seed), k=count)
        tail = " ".join(words.rare(rng, self._seed) for _ in range(3))
        chosen.append(f"Ref {self._owner.upper()}-{number:06d} {tail}\n")
        text = "".join(chosen).encode()
        plain = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + text
        if number % 4 == 3:
            return plain
        page = f"{_TOP}{_BREAK.join(chosen)}</p></body></html>\n"
        html = b"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
        html += binascii.b2a_qp(page.encode(), istext=True)
        return _multipart("alternative", [plain, html], f"a{number:08x}")

    def _with_files(self, number: int, body: bytes) -> bytes:
        files = [self._file(f"{number}-{n}") for n in range(self._rng.choice((1, 1, 1, 1, 1, 1, 1, 2)))]
        return _multipart("mixed", [body, *files], f"m{number:08x}")

    def _file(self, name: str) -> bytes:
        """A file of its own, or, one time in ten, one that was sent before."""
        rng = self._rng
        if self._sent_files and rng.random() < 0.1:
            return self._sent_files[rng.randrange(len(self._sent_files))]
        mime_type, extension, magic = _FILES[rng.randrange(len(_FILES))]
        pool = _tables(self._seed) if extension == "csv" else _noise(self._seed)
        lines = min(int(rng.lognormvariate(7.72, 0.85)) + 1, len(pool) // 77 - 1)
        start = rng.randrange(len(pool) // 77 - lines) * 77
        first = base64.encodebytes((magic + name.encode()).ljust(_BYTES_A_LINE))
        head = f'Content-Type: {mime_type}; name="{name}.{extension}"\nContent-Transfer-Encoding: base64\n'
        head += f'Content-Disposition: attachment; filename="{name}.{extension}"\n\n'
        made = head.encode() + first + pool[start : start + lines * 77]
        self._sent_files.append(made)
        return made


def _multipart(subtype: str, parts: list[bytes], boundary: str) -> bytes:
    mark = f"--=_{boundary}".encode()
    head = f'Content-Type: multipart/{subtype}; boundary="=_{boundary}"\n\n'.encode()
    return head + b"".join(mark + b"\n" + part + b"\n" for part in parts) + mark + b"--\n"


def mailbox(count: int = 20_000, seed: int = 1) -> Iterator[SampleMessage]:
    """One mailbox; 18 of 100 messages carry files."""
    return iter(_Writer("sam", count, seed, 0.18))


def tenants(seed: int = 1, share: float = 1.0) -> dict[str, Iterator[SampleMessage]]:
    """Ten mailboxes without files, by tenant; `share` shortens all of them alike."""
    return {name: iter(_Writer(name, int(size * share), seed, 0.0)) for name, size in TENANTS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", choices=("maildir", "mbox"), default="maildir")
    parser.add_argument("--tenants", action="store_true")
    given = parser.parse_args()
    write = write_mbox if given.format == "mbox" else write_maildir
    began = time.perf_counter()
    if given.tenants:
        given.out.mkdir(parents=True, exist_ok=True)
        ending = ".mbox" if given.format == "mbox" else ""
        count = sum(write(given.out / f"{name}{ending}", mail) for name, mail in tenants(given.seed).items())
    else:
        count = write(given.out, mailbox(given.messages, given.seed))
    print(f"{count:,} messages in {time.perf_counter() - began:.1f} s: {given.out}")


if __name__ == "__main__":
    main()
