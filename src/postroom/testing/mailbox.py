"""Mailbox: the folders and messages of one account on a server, as pure data. No clock, no chance, no network."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from postroom.testing.personality import Personality

ALL_MAIL = "[Gmail]/All Mail"
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_FIRST_GMAIL_ID = 1_800_000_000_000_000_000


class NoSuchFolder(LookupError):
    """There is no folder of this name, or there is one already."""


def ticking() -> Callable[[], datetime]:
    """A clock that goes on a minute whenever somebody looks at it."""
    minutes = count(1)
    return lambda: _BEGINNING + timedelta(minutes=next(minutes))


@dataclass(slots=True)
class Letter:
    """One message, wherever it lies; `words` are its flags where the server has them for all its places (Gmail)."""

    raw: bytes
    internal_date: datetime
    number: int
    thread: int
    words: frozenset[str] = frozenset()

    @property
    def object_id(self) -> str:
        """RFC 8474 5.1: the same for copies of the same message."""
        return f"M{self.number}"


@dataclass(slots=True)
class Entry:
    """A message in a folder."""

    uid: int
    letter: Letter
    words: frozenset[str]
    modseq: int


@dataclass(slots=True)
class Folder:
    """A folder with all that it remembers of what it once held."""

    name: str
    uidvalidity: int
    mailbox_id: str
    use: str = ""
    """Special use of RFC 6154: `\\Sent`."""
    uidnext: int = 1
    modseq: int = 1
    entries: dict[int, Entry] = field(default_factory=dict)
    vanished: list[tuple[int, int]] = field(default_factory=list)
    """UID and MODSEQ of what was expunged."""

    def advance(self) -> int:
        """The MODSEQ of the next change (RFC 7162 3.1.1)."""
        self.modseq += 1
        return self.modseq


Held = tuple[str, frozenset[str]]
"""SHA-256 of the bytes, and flags and keywords."""


class Mailbox:
    """An account. Folder names are text with levels joined by `/`, whatever the server's own delimiter is."""

    def __init__(self, personality: Personality, clock: Callable[[], datetime] | None = None) -> None:
        self.personality = personality
        self.folders: dict[str, Folder] = {}
        self.lock = threading.RLock()
        """Of all servers that stand on it."""
        self._clock = clock or ticking()
        self._numbers = count(1)
        self._uidvalidities = count(1_700_000_000)
        for name, use in personality.folders:
            self.create(name, use)

    def folder(self, name: str) -> Folder:
        """Raises NoSuchFolder."""
        found = self.folders.get("INBOX" if name.upper() == "INBOX" else name)
        if found is None:
            raise NoSuchFolder(name)
        return found

    def create(self, name: str, use: str = "") -> Folder:
        """Raises NoSuchFolder where the name is taken."""
        if name in self.folders or (name.upper() == "INBOX" and "INBOX" in self.folders):
            raise NoSuchFolder(name)
        number = next(self._uidvalidities)
        self.folders[name] = Folder(name=name, uidvalidity=number, mailbox_id=f"F{number}", use=use)
        return self.folders[name]

    def delete(self, name: str) -> None:
        """With its messages; Gmail keeps them in All Mail."""
        folder = self.folder(name)
        del self.folders[folder.name]

    def rename(self, name: str, now: str) -> None:
        """The folder and those below it keep their numbers (RFC 9051 6.3.6)."""
        self.folder(name)
        if now in self.folders or now.startswith(f"{name}/"):
            raise NoSuchFolder(now)
        below = [each for each in self.folders if each == name or each.startswith(f"{name}/")]
        for each in below:
            folder = self.folders.pop(each)
            folder.name = now + each[len(name) :]
            self.folders[folder.name] = folder

    def renumber(self, name: str) -> None:
        """The same messages under other UIDs, as after a restore: a new UIDVALIDITY (RFC 9051 2.3.1.1)."""
        folder = self.folder(name)
        letters = list(folder.entries.values())
        folder.uidvalidity = next(self._uidvalidities)
        folder.entries, folder.vanished = {}, []
        folder.uidnext, folder.modseq = 1, 1
        for each in letters:
            self._place(folder, each.letter, each.words)

    def append(
        self, name: str, raw: bytes, words: Iterable[str] = (), internal_date: datetime | None = None
    ) -> int:
        """A new message. Its UID."""
        folder = self.folder(name)
        number = next(self._numbers)
        letter = Letter(
            raw=raw,
            internal_date=internal_date or self._clock(),
            number=number,
            thread=number,
            words=frozenset(words),
        )
        if self.personality.is_gmail and name != ALL_MAIL:
            self._place(self.folder(ALL_MAIL), letter, letter.words)
        return self._place(folder, letter, letter.words)

    def store(self, name: str, uid: int, words: Iterable[str]) -> None:
        """Give a message these flags and keywords; at Gmail it has them in all its places."""
        entry = self.folder(name).entries[uid]
        entry.letter.words = frozenset(words)
        for folder in self.folders.values() if self.personality.is_gmail else [self.folder(name)]:
            for each in folder.entries.values():
                if each is entry or (self.personality.is_gmail and each.letter is entry.letter):
                    each.words = entry.letter.words
                    each.modseq = folder.advance()

    def expunge(self, name: str, uids: Iterable[int]) -> list[int]:
        """These go; from Gmail's All Mail they go everywhere, elsewhere only a label goes. What there was of them."""
        folder = self.folder(name)
        gone = [uid for uid in uids if uid in folder.entries]
        letters = [folder.entries[uid].letter for uid in gone]
        self._remove(folder, gone)
        if self.personality.is_gmail and folder.name == ALL_MAIL:
            for other in self.folders.values():
                self._remove(
                    other,
                    [uid for uid, each in other.entries.items() if any(each.letter is x for x in letters)],
                )
        return gone

    def copy(self, name: str, uids: Iterable[int], to: str) -> dict[int, int]:
        """UIDs here to UIDs there; at Gmail a copy is a label, and a second one is the first."""
        source, target = self.folder(name), self.folder(to)
        copied: dict[int, int] = {}
        for uid in [uid for uid in uids if uid in source.entries]:
            entry = source.entries[uid]
            there = [each.uid for each in target.entries.values() if each.letter is entry.letter]
            if self.personality.is_gmail and there:
                copied[uid] = there[0]
            else:
                copied[uid] = self._place(target, entry.letter, entry.words)
        return copied

    def move(self, name: str, uids: Iterable[int], to: str) -> dict[int, int]:
        """Copy, and let go of the first place (RFC 6851); from Gmail's All Mail nothing can be moved away."""
        moved = self.copy(name, list(uids), to)
        if not (self.personality.is_gmail and name == ALL_MAIL):
            self._remove(self.folder(name), moved)
        return moved

    def labels(self, letter: Letter) -> list[str]:
        """The folders that hold the message, without All Mail."""
        return [
            name
            for name, folder in self.folders.items()
            if name != ALL_MAIL and any(each.letter is letter for each in folder.entries.values())
        ]

    def gmail_id(self, number: int) -> int:
        """X-GM-MSGID or X-GM-THRID of a message or thread."""
        return _FIRST_GMAIL_ID + number

    def held(self) -> Mapping[str, Mapping[int, Held]]:
        """What lies where: the truth that a client must come to."""
        return {
            name: {
                uid: (hashlib.sha256(each.letter.raw).hexdigest(), each.words)
                for uid, each in folder.entries.items()
            }
            for name, folder in self.folders.items()
        }

    def _place(self, folder: Folder, letter: Letter, words: frozenset[str]) -> int:
        uid = folder.uidnext
        folder.uidnext += 1
        folder.entries[uid] = Entry(uid=uid, letter=letter, words=words, modseq=folder.advance())
        return uid

    def _remove(self, folder: Folder, uids: Iterable[int]) -> None:
        for uid in list(uids):
            if folder.entries.pop(uid, None) is None:
                continue
            # Without QRESYNC a server need not count what goes (RFC 7162 3.1.2.1).
            modseq = folder.advance() if "QRESYNC" in self.personality.words else folder.modseq
            folder.vanished.append((uid, modseq))
