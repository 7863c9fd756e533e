"""View: what one client at an IMAP server has signed in to, opened and been told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom.testing.mailbox import Folder
from postroom.testing.syntax import from_wire, number_set, quoted, to_wire

if TYPE_CHECKING:
    from postroom.testing.imap import ImapServer

SYSTEM_FLAGS = r"\Answered \Flagged \Deleted \Seen \Draft"


class Refused(Exception):
    """NO or BAD, with its text."""


class Ended(Exception):
    """BYE, with its text."""


class View:
    """The commands are methods of those that inherit it: `_fetch` for FETCH."""

    def __init__(self, server: ImapServer) -> None:
        self._server = server
        self._has_signed_in = False
        self._folder: str | None = None
        self._uidvalidity = 0
        self._is_read_only = False
        self._view: list[int] = []
        """The UIDs by place, as far as the client has been told."""
        self._enabled: set[str] = set()
        self.is_uid = False
        self.code = b""

    @property
    def _words(self) -> frozenset[str]:
        return self._server.personality.words

    @property
    def _places(self) -> dict[int, int]:
        """The places by UID."""
        return {uid: place for place, uid in enumerate(self._view, 1)}

    @property
    def _tells_modseq(self) -> bool:
        return "CONDSTORE" in self._enabled

    def _name(self, raw: bytes) -> str:
        return from_wire(raw, self._server.personality.delimiter)

    def _wire(self, name: str) -> bytes:
        return quoted(to_wire(name, self._server.personality.delimiter))

    def _opened(self) -> Folder:
        """Raises Ended where the folder is gone or was renumbered meanwhile."""
        assert self._folder is not None
        found = self._server.mailbox.folders.get(self._folder)
        if found is None or found.uidvalidity != self._uidvalidity:
            raise Ended("The selected mailbox is no longer what it was.")
        return found

    def news(self) -> list[bytes]:
        """What has gone and come in the open folder since the client was told last."""
        if self._folder is None:
            return []
        folder, said = self._opened(), list[bytes]()
        gone = [uid for uid in self._view if uid not in folder.entries]
        if gone and "QRESYNC" in self._enabled:
            said.append(b"* VANISHED %s\r\n" % number_set(gone))
        else:
            said += [b"* %d EXPUNGE\r\n" % (self._view.index(uid) + 1) for uid in reversed(gone)]
        before = len(self._view) - len(gone)
        self._view = list(folder.entries)
        if len(self._view) != before:
            said.append(b"* %d EXISTS\r\n" % len(self._view))
        return said

    def _remove_deleted(self, folder: Folder, among: list[int] | None) -> None:
        marked = [uid for uid, each in folder.entries.items() if "\\Deleted" in each.words]
        self._server.mailbox.expunge(folder.name, [uid for uid in marked if among is None or uid in among])
