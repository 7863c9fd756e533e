"""IMAP: a mailbox on a server, listed, followed and read (RFC 9051 and RFC 3501). Reading changes nothing there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from postroom.errors import ServerMisbehaved, SourceError
from postroom.model import Encryption, FolderState, RawMessage, Sighting, SourceFolder, Unreadable
from postroom.wire import imap_login, imap_look
from postroom.wire.imap_connection import CommandRefused, ImapConnection, Witness
from postroom.wire.imap_fetch import BodyReader
from postroom.wire.imap_names import command, quoted, to_wire
from postroom.wire.imap_replies import selected, statuses
from postroom.wire.imap_write import MailboxWriter
from postroom.wire.sasl import Bearer, Password, Tokens

_TRIES = 3
_UNDECIDED = (b"UNAVAILABLE", b"INUSE", b"SERVERBUG", b"LIMIT", b"NOPERM", b"AUTHORIZATIONFAILED", b"EXPIRED")
"""Response codes (RFC 5530 3) that say nothing about whether a folder is there."""


class ImapSource:
    """An account on an IMAP server: `with ImapSource(host=…) as source: …`.

    One connection, opened when it is needed and again after it broke, for one thread at a time. Folders are
    opened read-only and bodies fetched with PEEK, so nothing on the server changes but by `writer`.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        encryption: Encryption,
        username: str,
        password: str = "",
        tokens: Tokens | None = None,
        ca_file: Path | None = None,
        ca_pem: str | None = None,
        timeout_seconds: float = 60.0,
        batch_messages: int = 150,
        batch_bytes: int = 16 * 2**20,
        whole_bytes: int = 150 * 2**20,
        compresses: bool | None = None,
        witness: Callable[[], Witness] | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._encryption: Encryption = encryption
        self._who = (
            Bearer(username=username, tokens=tokens)
            if tokens
            else Password(username=username, password=password)
        )
        self._ca_file, self._ca_pem = ca_file, ca_pem
        self._timeout_seconds = timeout_seconds
        self._batch_messages, self._batch_bytes = batch_messages, batch_bytes
        self._whole_bytes = whole_bytes
        self._compresses = compresses
        self._witness = witness
        self._link: ImapConnection | None = None
        self._selected: str | None = None
        self._uidvalidities: dict[str, int | None] = {}
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
        """End the connection; a further call would open a new one."""
        if self._link:
            self._link.close()
        self._link = None

    def folders(self) -> Sequence[SourceFolder]:
        """Every folder, the inbox first, the others by name."""
        link = self._connection()
        found = imap_look.folders(link)
        if not found:  # RFC 9051 5.1: there is always an INBOX; to believe it is to forget all
            raise ServerMisbehaved(where=link.where, reason="it lists no folder at all, not even INBOX")
        return found

    def states(self) -> dict[str, FolderState]:
        """The numbers of all folders by wire name, `uids` empty, in one round trip (LIST-STATUS, RFC 5819).

        Empty where the server cannot tell or its numbers would prove nothing (no CONDSTORE): ask `state`.
        """
        link = self._connection()
        if not {"LIST-STATUS", "CONDSTORE"} <= link.capabilities:
            return {}
        try:
            found = link.ask(b'LIST "" "*" RETURN (STATUS ' + _status_items(link) + b")", parse=statuses)
        except CommandRefused:
            return {}
        return {name.decode("latin-1"): _numbers(link, values) for name, values in found}

    def numbers(self, wire_name: str) -> FolderState | None:
        """The numbers of one folder without opening it; None where there is no such folder.

        Raises SourceError where the server can neither give them nor say that it is not there.
        """
        link = self._connection()
        try:
            found = link.ask(
                *command(b"STATUS", quoted(to_wire(wire_name)), _status_items(link)), parse=statuses
            )
        except CommandRefused as refusal:
            if refusal.word == b"BAD" or refusal.code.upper().startswith(_UNDECIDED):
                raise SourceError(where=f"{wire_name} on {self._host}", reason=refusal.text) from refusal
            return None
        return _numbers(link, found[0][1]) if found else FolderState(uidvalidity=None)

    def state(self, folder: SourceFolder, known: FolderState | None = None) -> FolderState:
        """What the folder holds now: all UIDs with flags, or none where nothing changed since `known`.

        Where the server keeps count of changes (CONDSTORE, QRESYNC) only those since `known` are asked for.
        """
        now = self._examine(folder)
        self._uidvalidities[folder.wire_name] = now.uidvalidity
        if known is not None and self._is_unchanged(known, now):
            return now
        try:
            return replace(now, uids=self._uids(folder, now, known))
        except CommandRefused as refusal:
            raise self._refused(folder, "the server does not say what it holds", refusal) from refusal

    @property
    def knows_messages(self) -> bool:
        """Whether the server has an id for a message that is the same in all folders."""
        return bool(imap_look.identity(self._connection()))

    def sightings(
        self, folder: SourceFolder, uids: Sequence[int], *, headers: bool = False
    ) -> dict[int, Sighting]:
        """What can be told of these messages without their bodies; with `headers` also Message-ID and Date."""
        return imap_look.sightings(self._opened(folder), uids, headers=headers)

    def messages(
        self,
        folder: SourceFolder,
        uids: Sequence[int] | None = None,
        sizes: Mapping[int, int] | None = None,
    ) -> Iterator[RawMessage | Unreadable]:
        """The messages with these UIDs in this order, or all; UIDs that vanished meanwhile are left out.

        `sizes` are those that are known already; without them they are asked for.
        """
        if not folder.is_selectable:
            return  # RFC 9051 7.3.1: a level of the hierarchy, without messages of its own
        wanted = list(self.state(folder).uids if uids is None else uids)
        reader = BodyReader(
            opened=lambda: self._opened(folder),
            where=f"{self._host} {folder.name}",
            batch_messages=self._batch_messages,
            batch_bytes=self._batch_bytes,
            whole_bytes=self._whole_bytes,
            sizes=sizes,
            identity=imap_look.identity(self._connection()),
        )
        yield from reader.read(wanted)

    def writer(self) -> MailboxWriter:
        """Changes over the same connection, until something else is asked of this source."""
        link = self._connection()
        self._selected = None
        return MailboxWriter(link)

    def watched(self, folder: SourceFolder) -> tuple[ImapConnection, FolderState] | None:
        """The connection with this folder opened, given away to who waits there for news, and what the folder holds;
        a further call of anything opens a new one. None where the server offers no IDLE (RFC 2177)."""
        link = self._connection()
        if "IDLE" not in link.capabilities:
            return None
        if link.is_compressed:  # who waits reads the socket itself
            link.close()
            link = self._connected(compresses=False)
        now = self._examine(folder)
        self._link = None
        return link, now

    def _connection(self) -> ImapConnection:
        if self._link and self._link.is_open:
            return self._link
        return self._connected(compresses=self._compresses)

    def _connected(self, *, compresses: bool | None) -> ImapConnection:
        self._selected = None
        self._link = imap_login.connect(
            host=self._host,
            port=self._port,
            encryption=self._encryption,
            ca_file=self._ca_file,
            ca_pem=self._ca_pem,
            timeout_seconds=self._timeout_seconds,
            witness=self._witness() if self._witness else None,
        )
        self.mechanism = imap_login.sign_in(self._link, self._who)
        imap_login.introduce(self._link, compresses=compresses)
        return self._link

    def _opened(self, folder: SourceFolder) -> ImapConnection:
        """The connection with this folder selected, being the folder that was looked at before."""
        link = self._connection()
        if self._selected != folder.wire_name:
            self._same(folder)
        return link

    def _same(self, folder: SourceFolder) -> FolderState:
        """Open again: UIDs that the caller holds must still mean the same messages (RFC 9051 2.3.1.1)."""
        now = self._examine(folder)
        before = self._uidvalidities.setdefault(folder.wire_name, now.uidvalidity)
        if before != now.uidvalidity:
            self._selected = None
            reason = f"{folder.name} was renumbered meanwhile (UIDVALIDITY {before}, now {now.uidvalidity})"
            raise ServerMisbehaved(where=self._host, reason=reason)
        return now

    def _examine(self, folder: SourceFolder) -> FolderState:
        """Select read-only (RFC 9051 6.3.3) and give the numbers."""
        link = self._connection()
        self._selected = None
        name = quoted(to_wire(folder.wire_name or folder.name))
        extra = [b"(CONDSTORE)"] if "CONDSTORE" in link.capabilities else []
        try:
            found = dict(link.ask(*command(b"EXAMINE", name, *extra), parse=selected))
        except CommandRefused as refusal:
            raise self._refused(folder, "the server does not open it", refusal) from refusal
        self._selected = folder.wire_name
        return _numbers(link, found)

    def _is_unchanged(self, known: FolderState, now: FolderState) -> bool:
        return proves_unchanged(known, now, counts_deletions="QRESYNC" in self._connection().capabilities)

    def _uids(
        self, folder: SourceFolder, now: FolderState, known: FolderState | None
    ) -> Mapping[int, frozenset[str] | None]:
        link = self._connection()
        if known and known.uidvalidity == now.uidvalidity and known.highestmodseq and now.highestmodseq:
            return imap_look.since(link, now, known)
        for _ in range(_TRIES):
            uids = imap_look.everything(link, now)
            if len(uids) >= (now.exists or 0):
                return uids
            now = self._same(folder)  # something vanished meanwhile, or the server passes messages over
        return dict.fromkeys(imap_look.all_uids(link)) | imap_look.everything(link, now)

    def _refused(self, folder: SourceFolder, what: str, refusal: CommandRefused) -> SourceError:
        return SourceError(where=f"{folder.name} on {self._host}", reason=f"{what} ({refusal.text})")


def proves_unchanged(known: FolderState, now: FolderState, *, counts_deletions: bool) -> bool:
    """Whether equal numbers prove that nothing changed (RFC 7162 3.1.2.1).

    Only with QRESYNC (`counts_deletions`) is a deletion sure to raise HIGHESTMODSEQ; else the number of
    messages must agree too.
    """
    if now.highestmodseq is None or now.uidvalidity is None or now.uidnext is None:
        return False
    same_count = known.exists == now.exists or (known.exists is None and counts_deletions)
    numbers = (known.uidvalidity, known.uidnext, known.highestmodseq)
    return same_count and numbers == (now.uidvalidity, now.uidnext, now.highestmodseq)


def _status_items(link: ImapConnection) -> bytes:
    more = b" HIGHESTMODSEQ" * ("CONDSTORE" in link.capabilities)
    more += b" MAILBOXID" * ("OBJECTID" in link.capabilities)
    return b"(MESSAGES UIDNEXT UIDVALIDITY" + more + b")"


def _numbers(link: ImapConnection, found: Mapping[bytes, int | str | None]) -> FolderState:
    """What EXAMINE or STATUS said; HIGHESTMODSEQ counts only where CONDSTORE is offered, and 0 is none."""

    def number(key: bytes) -> int | None:
        value = found.get(key)
        return value if isinstance(value, int) else None

    mailbox_id = found.get(b"MAILBOXID")
    return FolderState(
        uidvalidity=number(b"UIDVALIDITY"),
        uidnext=number(b"UIDNEXT"),
        highestmodseq=(number(b"HIGHESTMODSEQ") or None) if "CONDSTORE" in link.capabilities else None,
        exists=number(b"MESSAGES"),
        mailbox_id=mailbox_id if isinstance(mailbox_id, str) else None,
    )
