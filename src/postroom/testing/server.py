"""Server: what all of them have, a personality, a mailbox, somebody who may sign in, a script, and others at the mailbox."""

from __future__ import annotations

import ssl

from postroom.testing.faults import WORLD, Fault, Script
from postroom.testing.listening import Listening
from postroom.testing.mailbox import Mailbox, NoSuchFolder
from postroom.testing.personality import DOVECOT, Personality


class MailServer(Listening):
    """Anything of it may be changed while it runs."""

    def __init__(
        self,
        personality: Personality = DOVECOT,
        *,
        mailbox: Mailbox | None = None,
        username: str = "me",
        password: str = "secret",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__()
        self.personality = personality
        self.mailbox = mailbox or Mailbox(personality)
        self.lock = self.mailbox.lock
        self.username, self.password = username, password
        self.tls = tls
        """With a context POP3 offers STLS, and SMTP STARTTLS."""
        self.script = Script()
        self.commands: list[str] = []
        """What clients asked, without tags and literals."""
        self._arrivals = 0

    def due(self, command: str, folder_name: str | None) -> list[Fault]:
        """What goes wrong at this command, by the script; what others do to the mailbox then is done. Hold the lock."""
        faults = self.script.due(command)
        for each in faults:
            if each.kind in WORLD:
                self._befall(each, folder_name)
        return faults

    def _befall(self, fault: Fault, folder_name: str | None) -> None:
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
