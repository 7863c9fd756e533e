"""Commands about messages of the open folder, and APPEND."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from postroom.testing.imap_answers import fetch_replies, matching, vanished_earlier
from postroom.testing.imap_view import SYSTEM_FLAGS, Refused, View
from postroom.testing.mailbox import Folder, Mailbox, NoSuchFolder
from postroom.testing.syntax import chosen, from_wire, number_set


class MessageCommands(View):
    """FETCH, SEARCH, and all that changes messages."""

    def _uids(self, folder: Folder, text: bytes) -> list[int]:
        """What a sequence set means, by UID or by place."""
        if self.is_uid:
            return chosen(text, folder.entries)
        return [uid for at in chosen(text, range(1, len(self._view) + 1)) if (uid := self._view[at - 1]) in folder.entries]  # fmt: skip

    def _fetch(self, arguments: list[Any]) -> list[bytes]:
        folder = self._opened()
        uids = self._uids(folder, arguments[0])
        items = arguments[1] if isinstance(arguments[1], list) else [arguments[1]]
        items = [each.upper() for each in items]
        items += [b"UID"] if self.is_uid and b"UID" not in items else []
        modifiers = [each.upper() for each in arguments[2]] if len(arguments) > 2 else []
        replies: list[bytes] = []
        if b"CHANGEDSINCE" in modifiers:
            if "CONDSTORE" not in self._words:
                raise Refused("BAD There is no CHANGEDSINCE.")
            self._enabled.add("CONDSTORE")
            modseq = int(modifiers[modifiers.index(b"CHANGEDSINCE") + 1])
            if b"VANISHED" in modifiers:
                if "QRESYNC" not in self._enabled:
                    raise Refused("BAD Enable QRESYNC first.")
                replies += vanished_earlier(folder, modseq)
            uids = [uid for uid in uids if folder.entries[uid].modseq > modseq]
            items += [b"MODSEQ"] if b"MODSEQ" not in items else []
        if not self._is_read_only and any(each.startswith((b"BODY[", b"RFC822")) for each in items):
            self._see(folder, uids, items)
        return replies + fetch_replies(self._server, folder, self._places, uids, items)

    def _see(self, folder: Folder, uids: list[int], items: list[bytes]) -> None:
        """RFC 9051 6.4.5: who reads without PEEK has read it."""
        if any(each.startswith(b"BODY[") or each in (b"RFC822", b"RFC822.TEXT") for each in items):
            for uid in uids:
                self._server.mailbox.store(folder.name, uid, folder.entries[uid].words | {"\\Seen"})

    def _search(self, arguments: list[Any], tag: bytes) -> list[bytes]:
        folder = self._opened()
        is_extended = arguments[0].upper() == b"RETURN"
        if is_extended and "ESEARCH" not in self._words:
            raise Refused("BAD There is no RETURN.")
        uids = matching(folder, self._view, arguments[2:] if is_extended else arguments)
        found = uids if self.is_uid else [self._view.index(uid) + 1 for uid in uids if uid in self._view]
        if not is_extended:
            return [b" ".join([b"* SEARCH", *(b"%d" % each for each in found)]) + b"\r\n"]
        words = [b'* ESEARCH (TAG "%s")' % tag]
        words += [b"UID"] if self.is_uid else []
        wanted = [each.upper() for each in arguments[1]] or [b"ALL"]
        words += [b"COUNT %d" % len(found)] if b"COUNT" in wanted else []
        words += [b"ALL " + number_set(found)] if b"ALL" in wanted and found else []
        return [b" ".join(words) + b"\r\n"]

    def _writable(self) -> Folder:
        if self._is_read_only:
            raise Refused("NO [READ-ONLY] The folder was opened to be read.")
        return self._opened()

    def _store(self, arguments: list[Any]) -> list[bytes]:
        folder = self._writable()
        uids, rest, kept = self._uids(folder, arguments[0]), arguments[1:], list[int]()
        if isinstance(rest[0], list):
            modseq = int(rest[0][1])
            kept = [uid for uid in uids if folder.entries[uid].modseq > modseq]  # RFC 7162 3.1.3
            uids, rest = [uid for uid in uids if uid not in kept], rest[1:]
            self._enabled.add("CONDSTORE")
        how = rest[0].upper()
        given = rest[1] if isinstance(rest[1], list) else rest[1:]
        if how.lstrip(b"+-").startswith(b"X-GM-LABELS"):
            return self._label(folder, uids, how, given)
        if not how.lstrip(b"+-").startswith(b"FLAGS"):
            raise Refused("BAD This cannot be stored.")
        words = frozenset(_spelled(each.decode()) for each in given)
        for uid in uids:
            before = folder.entries[uid].words
            after = {b"+": before | words, b"-": before - words}.get(how[:1], words)
            if after != before:
                self._server.mailbox.store(folder.name, uid, after)
        self.code = b"MODIFIED " + number_set(kept) if kept else b""
        if how.endswith(b".SILENT") and not self._tells_modseq:
            return []
        items = [b"FLAGS"] if not how.endswith(b".SILENT") else []
        items += [b"UID"] * self.is_uid + [b"MODSEQ"] * self._tells_modseq
        return fetch_replies(self._server, folder, self._places, uids, items)

    def _label(self, folder: Folder, uids: list[int], how: bytes, given: list[bytes]) -> list[bytes]:
        """Gmail's X-GM-LABELS: a label put on is a copy, one taken off an expunge."""
        if not self._server.personality.is_gmail:
            raise Refused("BAD There are no labels.")
        mailbox = self._server.mailbox
        for uid in uids:
            letter = folder.entries[uid].letter
            wanted, there = {label_folder(mailbox, each) for each in given}, set(mailbox.labels(letter))
            add = set() if how[:1] == b"-" else wanted - there
            remove = {b"+": set(), b"-": wanted & there}.get(how[:1], there - wanted)
            for name in sorted(add):
                mailbox.copy(folder.name, [uid], name)
            for name in sorted(remove):
                held = mailbox.folder(name).entries.values()
                mailbox.expunge(name, [each.uid for each in held if each.letter is letter])
        return []

    def _copy(self, arguments: list[Any]) -> list[bytes]:
        folder, to = self._opened(), self._target(arguments[1])
        copied = self._server.mailbox.copy(folder.name, self._uids(folder, arguments[0]), to.name)
        self.code = self._copyuid(to, copied)
        return []

    def _move(self, arguments: list[Any]) -> list[bytes]:
        folder, to = self._writable(), self._target(arguments[1])
        moved = self._server.mailbox.move(folder.name, self._uids(folder, arguments[0]), to.name)
        code = self._copyuid(to, moved)
        return [*([b"* OK [%s] Moved\r\n" % code] if code else []), *self.news()]

    def _target(self, raw: bytes) -> Folder:
        try:
            return self._server.mailbox.folder(self._name(raw))
        except NoSuchFolder as error:
            raise Refused("NO [TRYCREATE] Mailbox doesn't exist.") from error

    def _copyuid(self, to: Folder, copied: dict[int, int]) -> bytes:
        if not copied or "UIDPLUS" not in self._words:
            return b""
        sets = [b",".join(b"%d" % each for each in several) for several in (copied, copied.values())]
        return b"COPYUID %d %s %s" % (to.uidvalidity, *sets)

    def _expunge(self, arguments: list[Any]) -> list[bytes]:
        folder = self._writable()
        if self.is_uid and "UIDPLUS" not in self._words:
            raise Refused("BAD There is no UID EXPUNGE.")
        self._remove_deleted(folder, chosen(arguments[0], folder.entries) if self.is_uid else None)
        return self.news()

    def _append(self, arguments: list[Any]) -> list[bytes]:
        folder, raw = self._target(arguments[0]), arguments[-1]
        words, moment = list[str](), None
        for each in arguments[1:-1]:
            if isinstance(each, list):
                words = [_spelled(word.decode()) for word in each]
            else:
                moment = datetime.strptime(each.decode().strip(), "%d-%b-%Y %H:%M:%S %z")
        uid = self._server.mailbox.append(folder.name, raw, words, moment)
        self.code = b"APPENDUID %d %d" % (folder.uidvalidity, uid) if "UIDPLUS" in self._words else b""
        return self.news()


def label_folder(mailbox: Mailbox, raw: bytes) -> str:
    """The folder of a label as X-GM-LABELS spells it. Raises NoSuchFolder."""
    text = raw.decode()
    if text.startswith("\\"):
        uses = {each.use.lower(): each.name for each in mailbox.folders.values() if each.use}
        return "INBOX" if text.lower() == "\\inbox" else uses.get(text.lower(), text)
    return mailbox.folder(from_wire(raw, "/")).name


def _spelled(word: str) -> str:
    return next((each for each in SYSTEM_FLAGS.split() if each.lower() == word.lower()), word)
