"""An IMAP server over a mailbox, with a personality and a script of faults (RFC 3501, RFC 9051)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from postroom.testing.imap_session import Session
from postroom.testing.line import Line
from postroom.testing.mailbox import Mailbox
from postroom.testing.personality import DOVECOT, Personality
from postroom.testing.server import MailServer


class ImapServer(MailServer):
    """`with ImapServer(GMAIL) as server:` listens on `server.port`; anything of it may be changed while it runs."""

    def __init__(
        self,
        personality: Personality = DOVECOT,
        *,
        username: str = "me",
        password: str = "secret",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(
            personality, mailbox=Mailbox(personality, clock), username=username, password=password
        )
        self.lies = 0
        """How often a liar has lied: the next lie follows from it."""

    def serve(self, line: Line) -> None:
        Session(self, line).serve()
