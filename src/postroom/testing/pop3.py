"""A POP3 server over the inbox of a mailbox, with a personality and a script of faults (RFC 1939, RFC 2449, RFC 2595)."""

from __future__ import annotations

import ssl

from postroom.testing.line import Line
from postroom.testing.mailbox import Mailbox
from postroom.testing.personality import DOVECOT, Personality
from postroom.testing.pop3_session import Pop3Session
from postroom.testing.server import MailServer


class Pop3Server(MailServer):
    """`with Pop3Server(GMAIL) as server:` listens on `server.port`. Give it the mailbox of an ImapServer to have both."""

    def __init__(
        self,
        personality: Personality = DOVECOT,
        *,
        mailbox: Mailbox | None = None,
        username: str = "me",
        password: str = "secret",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(personality, mailbox or Mailbox(personality), username=username, password=password)
        self.tls = tls
        """With a context STLS is offered."""
        self.names: dict[int, str] = {}
        """UIDLs of one's own by UID, where they are not to follow from the mailbox: two that are alike, say."""

    def uidl(self, uid: int) -> str:
        """The unique-id of a message (RFC 1939 7)."""
        return self.names.get(uid, f"{self.mailbox.folder('INBOX').uidvalidity:08x}{uid:08x}")

    def serve(self, line: Line) -> None:
        Pop3Session(self, line).serve()
