"""A POP3 server over the inbox of a mailbox, with a personality and a script of faults (RFC 1939, RFC 2449, RFC 2595)."""

from __future__ import annotations

from functools import cached_property

from postroom.testing.line import Line
from postroom.testing.pop3_session import Pop3Session
from postroom.testing.server import MailServer


class Pop3Server(MailServer):
    """`with Pop3Server(GMAIL) as server:` listens on `server.port`. Give it the mailbox of an ImapServer to have both."""

    @cached_property
    def names(self) -> dict[int, str]:
        """UIDLs of one's own by UID, where they are not to follow from the mailbox: two that are alike, say."""
        return {}

    def uidl(self, uid: int) -> str:
        """The unique-id of a message (RFC 1939 7)."""
        return self.names.get(uid, f"{self.mailbox.folder('INBOX').uidvalidity:08x}{uid:08x}")

    def serve(self, line: Line) -> None:
        Pop3Session(self, line).serve()
