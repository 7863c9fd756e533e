"""The owner of a mailbox, who does things to it with another program, whatever server it lies on.

Folders are named as Postroom names them, levels joined by `/`; messages by their UIDs.
"""

from __future__ import annotations

import hashlib
import imaplib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from imapclient import imap_utf7

from postroom.testing import ImapServer
from tests.support.mirror import Side

_UID = re.compile(rb"UID (\d+)")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")


class Owner(ABC):
    """What anybody can do to a mailbox of theirs, and what lies in it then."""

    name: str
    imap_port: int
    username: str
    secret: str
    prefix = ""
    """What the names of folders that are made begin with."""
    sent, drafts = "Sent", "Drafts"
    keeps_sent = False
    """The server puts what was sent by its SMTP server into the Sent folder by itself."""
    lies = False
    folders_are_labels = False
    """What is taken out of a folder stays in All Mail (Gmail)."""
    keywords: Sequence[str] = ("$Later",)
    """Words of one's own that the server keeps beside the flags."""

    def password(self, _user: str) -> str:
        return self.secret

    @abstractmethod
    def create(self, folder: str) -> None:
        """Make a folder, if it is not there."""

    @abstractmethod
    def append(self, folder: str, raw: bytes, words: Sequence[str] = ()) -> None: ...

    @abstractmethod
    def flag(self, folder: str, uids: Iterable[int], words: Sequence[str]) -> None: ...

    @abstractmethod
    def expunge(self, folder: str, uids: Iterable[int]) -> None: ...

    @abstractmethod
    def move(self, folder: str, uids: Iterable[int], to: str) -> None: ...

    @abstractmethod
    def copy(self, folder: str, uids: Iterable[int], to: str) -> None: ...

    @abstractmethod
    def rename(self, folder: str, now: str) -> None: ...

    @abstractmethod
    def renumber(self, folder: str) -> None:
        """The same messages under another UIDVALIDITY."""

    @abstractmethod
    def held(self) -> Side:
        """What lies where."""


class OwnerByImap(Owner):
    """Of a real server: all of it is said in IMAP, and with no more than the server offers."""

    def __init__(
        self,
        name: str,
        port: int,
        username: str,
        secret: str,
        *,
        renumber: Callable[[str], None] | None = None,
        keywords: Sequence[str] = ("$Later",),
    ) -> None:
        self.name, self.imap_port, self.username, self.secret = name, port, username, secret
        self._renumber, self.keywords = renumber, keywords
        self.create(self.sent)
        self.create(self.drafts)

    @contextmanager
    def _client(self, folder: str | None = None) -> Iterator[imaplib.IMAP4]:
        client = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=20)
        try:
            client.login(self.username, self.secret)
            if folder is not None:
                _ok(client.select(_quoted(folder)))
            yield client
        finally:
            client.logout()

    def create(self, folder: str) -> None:
        with self._client() as client:
            if folder not in _listed(client):
                _ok(client.create(_quoted(folder)))

    def append(self, folder: str, raw: bytes, words: Sequence[str] = ()) -> None:
        with self._client() as client:
            _ok(client.append(_quoted(folder), f"({' '.join(words)})", '"03-Feb-2026 04:05:06 +0100"', raw))

    def flag(self, folder: str, uids: Iterable[int], words: Sequence[str]) -> None:
        with self._client(folder) as client:
            _ok(client.uid("STORE", _set(uids), "+FLAGS", f"({' '.join(words)})"))

    def expunge(self, folder: str, uids: Iterable[int]) -> None:
        with self._client(folder) as client:
            _ok(client.uid("STORE", _set(uids), "+FLAGS", "(\\Deleted)"))
            _ok(client.expunge())

    def move(self, folder: str, uids: Iterable[int], to: str) -> None:
        with self._client(folder) as client:
            if "MOVE" in client.capabilities:
                _ok(client.uid("MOVE", _set(uids), _quoted(to)))
                return
            _ok(client.uid("COPY", _set(uids), _quoted(to)))
            _ok(client.uid("STORE", _set(uids), "+FLAGS", "(\\Deleted)"))
            _ok(client.expunge())

    def copy(self, folder: str, uids: Iterable[int], to: str) -> None:
        with self._client(folder) as client:
            _ok(client.uid("COPY", _set(uids), _quoted(to)))

    def rename(self, folder: str, now: str) -> None:
        with self._client() as client:
            _ok(client.rename(_quoted(folder), _quoted(now)))

    def renumber(self, folder: str) -> None:
        before = self._uidvalidity(folder)
        if self._renumber is not None:
            self._renumber(folder)
        else:
            self._put_back(folder)
        assert self._uidvalidity(folder) != before

    def _put_back(self, folder: str) -> None:
        """What comes nearest to it at a server that never does it: the folder goes and is made again with its mail."""
        with self._client(folder) as client:
            found = _fetched(client, "(FLAGS INTERNALDATE BODY.PEEK[])")
            client.unselect() if "UNSELECT" in client.capabilities else client.close()
            _ok(client.delete(_quoted(folder)))
            _ok(client.create(_quoted(folder)))
            for _, head, body in found:
                words, date = _words(head), imaplib.Internaldate2tuple(head)
                assert date
                given = f"({' '.join(words)})"
                _ok(client.append(_quoted(folder), given, imaplib.Time2Internaldate(date), body))

    def _uidvalidity(self, folder: str) -> bytes:
        with self._client(folder) as client:
            return client.response("UIDVALIDITY")[1][0]

    def held(self) -> Side:
        found: Side = {}
        with self._client() as client:
            for folder in _listed(client):
                _ok(client.select(_quoted(folder), readonly=True))
                for uid, head, body in _fetched(client, "(FLAGS BODY.PEEK[])"):
                    digest = hashlib.sha256(body).hexdigest()
                    found.setdefault(folder, {})[uid] = (digest, _words(head) - {"\\Recent"})
        return found


class OwnerOfSimulated(Owner):
    """Of the simulator: done to the mailbox behind it, which tells the truth also where the server lies."""

    def __init__(self, server: ImapServer) -> None:
        kind = server.personality
        self.server, self.name, self.lies, self.prefix = server, kind.name, kind.lies, kind.prefix
        self.imap_port, self.username, self.secret = server.port, server.username, server.password
        self.keeps_sent, self.sent, self.folders_are_labels = kind.keeps_sent, kind.sent, kind.is_gmail
        named = {use: folder for folder, use in kind.folders}
        self.drafts = named.get("\\Drafts", f"{kind.prefix}Drafts")
        self.create(self.drafts)

    def create(self, folder: str) -> None:
        with self.server.lock:
            if folder not in self.server.mailbox.folders:
                self.server.mailbox.create(folder)

    def append(self, folder: str, raw: bytes, words: Sequence[str] = ()) -> None:
        with self.server.lock:
            self.server.mailbox.append(folder, raw, words)

    def flag(self, folder: str, uids: Iterable[int], words: Sequence[str]) -> None:
        with self.server.lock:
            for uid in uids:
                before = self.server.mailbox.folder(folder).entries[uid].words
                self.server.mailbox.store(folder, uid, before | set(words))

    def expunge(self, folder: str, uids: Iterable[int]) -> None:
        with self.server.lock:
            self.server.mailbox.expunge(folder, uids)

    def move(self, folder: str, uids: Iterable[int], to: str) -> None:
        with self.server.lock:
            self.server.mailbox.move(folder, uids, to)

    def copy(self, folder: str, uids: Iterable[int], to: str) -> None:
        with self.server.lock:
            self.server.mailbox.copy(folder, uids, to)

    def rename(self, folder: str, now: str) -> None:
        with self.server.lock:
            self.server.mailbox.rename(folder, now)

    def renumber(self, folder: str) -> None:
        with self.server.lock:
            self.server.mailbox.renumber(folder)

    def held(self) -> Side:
        with self.server.lock:
            return {name: dict(found) for name, found in self.server.mailbox.held().items() if found}


def _ok(answer: tuple[str, Any]) -> None:
    assert answer[0] == "OK", answer


def _set(uids: Iterable[int]) -> str:
    return ",".join(map(str, uids))


def _quoted(folder: str) -> str:
    return '"' + imap_utf7.encode(folder).decode() + '"'


def _listed(client: imaplib.IMAP4) -> list[str]:
    _, lines = client.list()
    names = [
        line.rpartition(b' "/" ')[2].strip(b'"')
        for line in lines
        if isinstance(line, bytes) and b"\\noselect" not in line.lower()
    ]
    return [imap_utf7.decode(name) for name in names]


def _fetched(client: imaplib.IMAP4, items: str) -> list[tuple[int, bytes, bytes]]:
    """UID, what was said before and behind the body, and the body of every message of the open folder."""
    _, data = client.uid("FETCH", "1:*", items)
    found = []
    for each, after in pairwise([*data, b""]):
        if isinstance(each, tuple):
            head = each[0] + (after if isinstance(after, bytes) else b"")
            uid = _UID.search(head)
            assert uid, head
            found.append((int(uid[1]), head, each[1]))
    return found


def _words(head: bytes) -> frozenset[str]:
    flags = _FLAGS.search(head)
    assert flags, head
    return frozenset(flags[1].decode().split())
