"""POP3: one inbox on a server, listed by UIDL and read; deleted from only when told to (RFC 1939)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from postroom.errors import ConnectionFailed, ServerMisbehaved, SourceError
from postroom.model import Body, Encryption, FolderState, RawMessage, SourceFolder, Unreadable
from postroom.wire import pop3_login
from postroom.wire.imap_replies import for_people
from postroom.wire.pop3_connection import Pop3Connection, Pop3Refused
from postroom.wire.sasl import Credentials

NUMBERING = 2
"""UIDVALIDITY of folders numbered by UIDL: neither an IMAP server's nor that of imported files."""
INBOX = SourceFolder(name="INBOX", type="inbox", wire_name="INBOX")
_TRIES = 2
_MAX_BREAKAGES = 10
"""So many times in a row a server may break off before it is given up."""


def uid_of(uidl: bytes) -> int:
    """A number for a unique-id: 63 bits of its SHA-256, the same on every run."""
    return int.from_bytes(hashlib.sha256(uidl).digest()[:8], "big") >> 1 or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A message as the server lists it. Identical copies may share a unique-id (RFC 1939 7): several numbers."""

    uidl: bytes
    numbers: tuple[int, ...]
    size: int


class Pop3Source:
    """An account on a POP3 server: `with Pop3Source(host=…) as source: …`.

    One connection, opened when it is needed and again after it broke, for one thread at a time. A message's
    UID is made of its unique-id.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        encryption: Encryption,
        who: Credentials,
        ca_file: Path | None = None,
        ca_pem: str | None = None,
        timeout_seconds: float = 60.0,
        batch_messages: int = 100,
        batch_bytes: int = 8 * 2**20,
    ) -> None:
        self._host, self._port = host, port
        self._encryption: Encryption = encryption
        self._who = who
        self._ca_file, self._ca_pem = ca_file, ca_pem
        self._timeout_seconds = timeout_seconds
        self._batch_messages, self._batch_bytes = batch_messages, batch_bytes
        self._link: Pop3Connection | None = None
        self._listed: dict[int, Listed] = {}
        self.mechanism = ""
        """How the last sign-in was done."""

    def __enter__(self) -> Self:
        self._connection()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; nothing that was not removed before goes."""
        if self._link:
            self._link.close()
        self._link = None

    def folders(self) -> Sequence[SourceFolder]:
        """The inbox: POP3 has nothing else."""
        self._connection()
        return (INBOX,)

    def state(self, folder: SourceFolder, known: FolderState | None = None) -> FolderState:
        """What the server holds now, oldest first; POP3 knows no flags."""
        self._connection()
        return FolderState(uidvalidity=NUMBERING, exists=len(self._listed), uids=dict.fromkeys(self._listed))

    def messages(
        self, folder: SourceFolder, uids: Sequence[int] | None = None
    ) -> Iterator[RawMessage | Unreadable]:
        """The messages with these UIDs in this order, or all; what is gone meanwhile is left out.

        What breaks the connection twice comes as `Unreadable`, and its neighbours come after it.
        """
        wanted = list(self.state(folder).uids if uids is None else uids)
        tries: dict[int, int] = {}
        at = breakages = 0
        while at < len(wanted):
            self._connection()
            refused: list[Unreadable] = []
            try:
                for outcome in self._retrieved(self._window(wanted[at:], alone=wanted[at] in tries)):
                    at, breakages = at + 1, 0
                    if isinstance(outcome, Unreadable):
                        refused.append(outcome)
                    elif outcome is not None:
                        yield outcome
            except (ConnectionFailed, ServerMisbehaved) as error:
                self.close()
                breakages += 1
                if breakages > _MAX_BREAKAGES:
                    raise
                uid = wanted[at]
                tries[uid] = tries.get(uid, 0) + 1
                if tries[uid] >= _TRIES:
                    at += 1
                    yield self._unreadable(uid, str(error.fields["reason"]))
            yield from map(self._with_header, refused)

    def remove(self, uids: Sequence[int]) -> int:
        """Delete these on the server, all or none (RFC 1939 6: at QUIT); how many there were.

        Only for what is stored for good.
        """
        link = self._connection()
        numbers = [number for uid in uids if uid in self._listed for number in self._listed[uid].numbers]
        if not numbers:
            return 0
        removed = 0
        try:
            for start in range(0, len(numbers), self._batch_messages):
                part = numbers[start : start + self._batch_messages]
                for group in [part] if "PIPELINING" in link.capabilities else [[each] for each in part]:
                    link.send(*(b"DELE %d" % number for number in group))
                    for _ in group:
                        removed += self._accepts(link)
            link.run(b"QUIT")
        except Pop3Refused as refusal:
            reason = f"the server did not delete everything it was told to ({refusal.text})"
            raise SourceError(where=link.where, reason=reason) from refusal
        finally:
            self.close()
        return removed

    def _accepts(self, link: Pop3Connection) -> bool:
        try:
            link.reply()
        except Pop3Refused:
            return False  # the next run tries again
        return True

    def _connection(self) -> Pop3Connection:
        if self._link and self._link.is_open:
            return self._link
        link = pop3_login.connect(
            host=self._host,
            port=self._port,
            encryption=self._encryption,
            ca_file=self._ca_file,
            ca_pem=self._ca_pem,
            timeout_seconds=self._timeout_seconds,
        )
        self.mechanism = pop3_login.sign_in(link, self._who)
        try:
            self._listed = _listing(link)
        except BaseException:
            link.close()
            raise
        self._link = link
        return link

    def _window(self, uids: Sequence[int], *, alone: bool) -> list[int]:
        """So many of the next messages as are asked for at once; one at least."""
        if alone or "PIPELINING" not in self._connection().capabilities:
            return list(uids[:1])
        window: list[int] = []
        filled = 0
        for uid in uids[: self._batch_messages]:
            size = self._listed[uid].size if uid in self._listed else 0
            if window and filled + size > self._batch_bytes:
                break
            window.append(uid)
            filled += size
        return window

    def _retrieved(self, uids: Sequence[int]) -> Iterator[RawMessage | Unreadable | None]:
        """One outcome for each, in order: None for what is gone. Leaving early ends the connection."""
        link = self._connection()
        there = {uid: self._listed[uid].numbers[0] for uid in uids if uid in self._listed}
        is_complete = False
        try:
            link.send(*(b"RETR %d" % number for number in there.values()))
            for uid in uids:
                if uid not in there:
                    yield None
                    continue
                try:
                    yield self._outcome(uid, link.body())
                except Pop3Refused as refusal:
                    yield self._unreadable(uid, refusal.text)
            is_complete = True
        finally:
            if not is_complete:
                link.close()

    def _outcome(self, uid: int, body: Body) -> RawMessage | Unreadable:
        """What came. Nothing at all of a message that is listed with a size is none: it would be deleted there."""
        if not len(body) and self._listed[uid].size:
            return self._unreadable(uid, "the server lists it but does not give its text")
        return RawMessage(uid=uid, body=body, where=self._place(uid))

    def _with_header(self, trouble: Unreadable) -> Unreadable:
        """With what TOP still gives of a message that RETR does not."""
        with suppress(Pop3Refused, SourceError):
            link = self._connection()
            if "TOP" in link.capabilities and trouble.uid in self._listed:
                link.send(b"TOP %d 0" % self._listed[trouble.uid].numbers[0])
                return replace(trouble, body=link.body()[:])
        return trouble

    def _unreadable(self, uid: int, reason: str) -> Unreadable:
        return Unreadable(uid=uid, where=self._place(uid), reason=reason)

    def _place(self, uid: int) -> str:
        uidl = self._listed[uid].uidl.decode("latin-1") if uid in self._listed else str(uid)
        return f"{self._host} INBOX, UIDL {uidl}"


def _listing(link: Pop3Connection) -> dict[int, Listed]:
    """The maildrop by UID, oldest first. Raises SourceError where messages have no lasting names."""
    try:
        names = _numbered(link, b"UIDL")
    except Pop3Refused as refusal:
        reason = f"it gives messages no lasting names (UIDL: {refusal.text}), so none could be told from the others"
        mend = "If the server speaks IMAP, too: postroom account add --protocol imap."
        raise SourceError(where=link.where, reason=reason, mend=mend) from refusal
    try:
        sizes = _numbered(link, b"LIST")
    except Pop3Refused:
        sizes = {}
    found: dict[int, Listed] = {}
    for number, uidl in sorted(names.items()):
        uid = uid_of(uidl)
        before = found.get(uid)
        if before and before.uidl != uidl:
            raise SourceError(
                where=link.where, reason=f"the UIDLs {before.uidl!r} and {uidl!r} are one to us"
            )
        size = sizes.get(number, b"")
        found[uid] = Listed(
            uidl=uidl,
            numbers=(*(before.numbers if before else ()), number),
            size=int(size) if size.isdigit() and len(size) < 16 else 2**20,
        )
    return found


def _numbered(link: Pop3Connection, command: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for line in link.listed(command):
        number, _, value = line.strip().partition(b" ")
        value = value.split(b" ")[0]
        if not number.isdigit() or len(number) > 10 or not 0 < len(value) <= 1000:
            link.misbehaved(f"its answer to {command.decode()} has the line {for_people(line)!r}")
        found[int(number)] = value
    return found
