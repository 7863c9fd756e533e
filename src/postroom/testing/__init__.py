"""Testing: mail servers that misbehave by a script, for whoever wants to know what a mail client does then.

    from postroom.testing import DOVECOT, ImapServer, Fault, Script

    with ImapServer(DOVECOT) as server:
        server.mailbox.append("INBOX", b"Subject: Hello\\r\\n\\r\\nHi\\r\\n")
        server.script = Script([Fault(kind="cut", command="FETCH", nth=2, after=40)])
        ...  # a client signs in at 127.0.0.1, server.port, as "me" with "secret"

`Pop3Server` and `SmtpServer` are the same for the other two protocols; all three can stand on one mailbox.
Everything is decided by the script and by what the client says; there is no clock and no chance in it.
"""

from postroom.testing.faults import Fault, Script
from postroom.testing.imap import ImapServer
from postroom.testing.mailbox import Mailbox, NoSuchFolder
from postroom.testing.personality import COURIER, DOVECOT, EXCHANGE, GMAIL, LIAR, PERSONALITIES, Personality
from postroom.testing.pop3 import Pop3Server
from postroom.testing.replay import ReplayServer
from postroom.testing.smtp import SmtpServer, Taken

__all__ = [
    "COURIER",
    "DOVECOT",
    "EXCHANGE",
    "GMAIL",
    "LIAR",
    "PERSONALITIES",
    "Fault",
    "ImapServer",
    "Mailbox",
    "NoSuchFolder",
    "Personality",
    "Pop3Server",
    "ReplayServer",
    "Script",
    "SmtpServer",
    "Taken",
]
