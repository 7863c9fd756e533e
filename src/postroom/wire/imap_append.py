"""IMAP APPEND: a message of ours put into a folder, once (RFC 9051 6.3.12; UIDPLUS, RFC 4315)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from postroom.errors import ServerMisbehaved, SourceError
from postroom.model import Encryption, FolderType, SourceFolder
from postroom.wire import imap_login, imap_look
from postroom.wire.imap_connection import CommandRefused, ImapConnection
from postroom.wire.imap_names import command, quoted, to_wire
from postroom.wire.imap_replies import searched, selected
from postroom.wire.sasl import Credentials

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Where the message lies, as far as the server says."""

    uidvalidity: int | None = None
    uid: int | None = None


class ImapAppender:
    """A connection that puts messages into folders: `with ImapAppender(host=…) as mailbox: …`. All calls block."""

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
    ) -> None:
        self._where = f"{host}:{port}"
        self._link: ImapConnection = imap_login.connect(
            host=host,
            port=port,
            encryption=encryption,
            ca_file=ca_file,
            ca_pem=ca_pem,
            timeout_seconds=timeout_seconds,
        )
        imap_login.sign_in(self._link, who)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._link.close()

    def folder(self, type_: FolderType) -> SourceFolder:
        """The folder of this use. Raises SourceError when the account has none."""
        for each in imap_look.folders(self._link):
            if each.type == type_ and each.is_selectable:
                return each
        raise SourceError(
            where=self._where,
            reason=f"it has no folder for {type_}",
            mend="Make one in your mail program.",
        )

    def find(self, folder: SourceFolder, message_id: str) -> Appended | None:
        """The message with this Message-ID, if it is there already."""
        name = quoted(to_wire(folder.wire_name))
        try:
            numbers = dict(self._link.ask(*command(b"EXAMINE", name), parse=selected))
            wanted = quoted(f"<{message_id}>".encode())
            uids = self._link.ask(*command(b"UID SEARCH HEADER Message-ID", wanted), parse=searched)
        except CommandRefused as refusal:
            raise self._refused(folder, "the server does not search", refusal) from refusal
        last = max((last for ranges in uids for _, last in ranges), default=None)
        uidvalidity = numbers.get(b"UIDVALIDITY")
        assert not isinstance(uidvalidity, str)
        return None if last is None else Appended(uidvalidity=uidvalidity, uid=last)

    def append(self, folder: SourceFolder, raw: bytes, *, flags: Iterable[str], moment: datetime) -> Appended:
        """Put it there. Raises SourceError; after a ConnectionFailed it may be there all the same: `find` it."""
        try:
            self._link.run(*appending(folder.wire_name, raw, flags=flags, moment=moment))
        except CommandRefused as refusal:
            raise self._refused(folder, "the server does not take the message", refusal) from refusal
        return appended(self._link)

    def _refused(self, folder: SourceFolder, what: str, refusal: CommandRefused) -> SourceError:
        return SourceError(where=f"{folder.name} on {self._where}", reason=f"{what} ({refusal.text})")


def appending(wire_name: str, raw: bytes, *, flags: Iterable[str], moment: datetime) -> list[bytes]:
    """The command that puts a message into a folder."""
    words = f"({' '.join(flags)})".encode()
    literal = [b'"%s" {%d}' % (_date(moment), len(raw)), raw]
    return command(b"APPEND", quoted(to_wire(wire_name)), words, literal)


def appended(link: ImapConnection) -> Appended:
    """What the server said of it. RFC 4315 3: `APPENDUID 38505 3955`."""
    words = link.code.split()
    if len(words) != 3 or words[0].upper() != b"APPENDUID":
        return Appended()
    if not words[1].isdigit() or not words[2].isdigit():
        raise ServerMisbehaved(where=link.where, reason="its APPENDUID is no number")
    return Appended(uidvalidity=int(words[1]), uid=int(words[2]))


def _date(moment: datetime) -> bytes:
    """RFC 9051 9, date-time; strftime would name the month in the language of the machine."""
    return f"{moment:%d}-{_MONTHS[moment.month - 1]}-{moment:%Y %H:%M:%S %z}".encode()
