"""An IMAP server over a mailbox, with a personality and a script of faults (RFC 3501, RFC 9051)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from postroom.testing.faults import Fault, Script
from postroom.testing.imap_session import Session
from postroom.testing.line import Line
from postroom.testing.listening import Listening
from postroom.testing.mailbox import Mailbox, NoSuchFolder
from postroom.testing.personality import DOVECOT, Personality


class ImapServer(Listening):
    """`with ImapServer(GMAIL) as server:` listens on `server.port`; anything of it may be changed while it runs."""

    def __init__(
        self,
        personality: Personality = DOVECOT,
        *,
        username: str = "me",
        password: str = "secret",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__()
        self.personality = personality
        self.mailbox = Mailbox(personality, clock)
        self.username, self.password = username, password
        self.script = Script()
        self.commands: list[str] = []
        """What clients asked, without tags and literals."""
        self.lies = 0
        """How often a liar has lied: the next lie follows from it."""
        self._arrivals = 0

    def serve(self, line: Line) -> None:
        Session(self, line).serve()

    def befall(self, fault: Fault, folder_name: str | None) -> None:
        """What somebody else does to the mailbox just now."""
        try:
            folder = self.mailbox.folder(folder_name or "INBOX")
        except NoSuchFolder:
            return
        uids = list(folder.entries)
        if fault.kind == "arrive":
            self._arrivals += 1
            raw = b"Message-ID: <arrived-%d@example.test>\r\nSubject: arrived\r\n\r\n" % self._arrivals
            self.mailbox.append(folder.name, raw)
        elif fault.kind == "renumber":
            self.mailbox.renumber(folder.name)
        elif fault.kind == "remove" and folder.name != "INBOX" and not folder.use:
            self.mailbox.delete(folder.name)
        elif uids and fault.kind == "vanish":
            self.mailbox.expunge(folder.name, [uids[fault.after % len(uids)]])
        elif uids and fault.kind == "reflag":
            entry = folder.entries[uids[fault.after % len(uids)]]
            self.mailbox.store(folder.name, entry.uid, entry.words ^ {"\\Flagged"})
