"""An SMTP server that keeps what it takes, with a personality and a script of faults (RFC 5321, RFC 6409)."""

from __future__ import annotations

from functools import cached_property

from postroom.testing.line import Line
from postroom.testing.server import MailServer
from postroom.testing.smtp_session import SmtpSession, Taken


class SmtpServer(MailServer):
    """`with SmtpServer(GMAIL) as server:` listens on `server.port`; what it took is in `server.taken`.

    With the mailbox of an ImapServer it puts what was sent into the Sent folder, where its personality does that.
    """

    needs_sign_in = False

    @cached_property
    def taken(self) -> list[Taken]:
        return []

    def take(self, taken: Taken) -> None:
        self.taken.append(taken)
        if self.personality.keeps_sent:
            self.mailbox.append(self.personality.sent, taken.raw, ["\\Seen"])

    def serve(self, line: Line) -> None:
        SmtpSession(self, line).serve()
