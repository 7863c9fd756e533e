"""Commands: what an IMAP server does and answers, command by command, with nothing gone wrong."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from postroom.testing.imap_answers import fetch_replies, matching
from postroom.testing.mailbox import Folder, NoSuchFolder
from postroom.testing.syntax import chosen, from_wire, number_set, quoted, to_wire

if TYPE_CHECKING:
    from postroom.testing.imap import ImapServer

_SYSTEM = r"\Answered \Flagged \Deleted \Seen \Draft"
_NEEDS = {
    "ENABLE": "ENABLE",
    "ID": "ID",
    "IDLE": "IDLE",
    "MOVE": "MOVE",
    "NAMESPACE": "NAMESPACE",
    "UNSELECT": "UNSELECT",
    "COMPRESS": "COMPRESS=DEFLATE",
    "AUTHENTICATE": "AUTH=PLAIN",
}
_BEFORE_SIGNING_IN = ("CAPABILITY", "LOGIN", "AUTHENTICATE", "LOGOUT", "NOOP", "ID")
_OF_A_FOLDER = ("FETCH", "SEARCH", "STORE", "COPY", "MOVE", "EXPUNGE", "CLOSE", "UNSELECT", "CHECK")
_BY_PLACE = ("FETCH", "STORE", "SEARCH")
"""RFC 9051 7.5.1: in these, without UID, no message may be said to have gone."""


class Refused(Exception):
    """NO or BAD, with its text."""


class Ended(Exception):
    """BYE, with its text."""


class Commands:
    """What one client has signed in to, opened and seen."""

    def __init__(self, server: ImapServer) -> None:
        self._server = server
        self._has_signed_in = False
        self._folder: str | None = None
        self._uidvalidity = 0
        self._is_read_only = False
        self._view: list[int] = []
        """The UIDs by place, as far as the client has been told."""
        self._enabled: set[str] = set()
        self.is_uid = False
        self.code = b""

    def about(self, name: str, arguments: list[Any]) -> str | None:
        """The folder that a command is about."""
        if name in ("SELECT", "EXAMINE", "STATUS", "APPEND") and arguments:
            return self._name(arguments[0])
        return self._folder

    def carry_out(self, name: str, arguments: list[Any], tag: bytes) -> list[bytes]:
        """The untagged replies. Raises Refused, Ended, NoSuchFolder, and ValueError for arguments that are none."""
        self.code = b""
        work = getattr(self, f"_{name.lower()}", None) if re.fullmatch("[A-Z]+", name) else None
        needs = _NEEDS.get(name)
        offered = self._words if self._has_signed_in else frozenset(self._server.personality.before.split())
        if work is None or name not in _ALL or (needs is not None and needs not in offered):
            raise Refused(f"BAD Unknown command {name}.")
        if not self._has_signed_in and name not in _BEFORE_SIGNING_IN:
            raise Refused("BAD Sign in first.")
        if name in _OF_A_FOLDER and self._folder is None:
            raise Refused("BAD Open a folder first.")
        tells = self._folder is not None and name not in ("SELECT", "EXAMINE", "CLOSE", "UNSELECT", "LOGOUT")
        before = self.news() if tells and (self.is_uid or name not in _BY_PLACE) else []
        untagged = work(arguments, tag) if name in ("SEARCH",) else work(arguments)
        return [*before, *untagged]

    @property
    def _words(self) -> frozenset[str]:
        return self._server.personality.words

    @property
    def _tells_modseq(self) -> bool:
        return "CONDSTORE" in self._enabled

    def _name(self, raw: bytes) -> str:
        return from_wire(raw, self._server.personality.delimiter)

    def _wire(self, name: str) -> bytes:
        return quoted(to_wire(name, self._server.personality.delimiter))

    def _opened(self) -> Folder:
        """Raises Ended where the folder is gone or was renumbered meanwhile."""
        assert self._folder is not None
        found = self._server.mailbox.folders.get(self._folder)
        if found is None or found.uidvalidity != self._uidvalidity:
            raise Ended("The selected mailbox is no longer what it was.")
        return found

    def news(self) -> list[bytes]:
        """What has gone and come in the open folder since the client was told last."""
        if self._folder is None:
            return []
        folder, said = self._opened(), list[bytes]()
        gone = [uid for uid in self._view if uid not in folder.entries]
        if gone and "QRESYNC" in self._enabled:
            said.append(b"* VANISHED %s\r\n" % number_set(gone))
        else:
            said += [b"* %d EXPUNGE\r\n" % (self._view.index(uid) + 1) for uid in reversed(gone)]
        before = len(self._view) - len(gone)
        self._view = list(folder.entries)
        if len(self._view) != before:
            said.append(b"* %d EXISTS\r\n" % len(self._view))
        return said

    # Signing in

    def _capability(self, _: list[Any]) -> list[bytes]:
        personality = self._server.personality
        words = personality.capabilities if self._has_signed_in else personality.before
        return [b"* CAPABILITY %s\r\n" % words.encode()]

    def _login(self, arguments: list[Any]) -> list[bytes]:
        self._sign_in(arguments[0].decode(), arguments[1].decode())
        return []

    def _authenticate(self, arguments: list[Any]) -> list[bytes]:
        if arguments[0].upper() != b"PLAIN":
            raise Refused("NO There is only PLAIN.")
        _, username, password = base64.b64decode(arguments[1], validate=True).split(b"\0")  # RFC 4616
        self._sign_in(username.decode(), password.decode())
        return []

    def _sign_in(self, username: str, password: str) -> None:
        if (username, password) != (self._server.username, self._server.password):
            raise Refused("NO [AUTHENTICATIONFAILED] Invalid credentials.")
        self._has_signed_in = True

    def _logout(self, _: list[Any]) -> list[bytes]:
        return [b"* BYE Good-bye.\r\n"]

    def _noop(self, _: list[Any]) -> list[bytes]:
        return []

    _check = _noop

    def _id(self, _: list[Any]) -> list[bytes]:
        return [b'* ID ("name" "%s")\r\n' % self._server.personality.name.encode()]

    def _enable(self, arguments: list[Any]) -> list[bytes]:
        wanted = {each.decode().upper() for each in arguments} & self._words & {"CONDSTORE", "QRESYNC"}
        self._enabled |= wanted | ({"CONDSTORE"} if "QRESYNC" in wanted else set())
        return [b"* ENABLED %s\r\n" % " ".join(sorted(wanted)).encode()]

    def _compress(self, arguments: list[Any]) -> list[bytes]:
        if arguments[0].upper() != b"DEFLATE":
            raise Refused("NO There is only DEFLATE.")
        return []

    # Folders

    def _namespace(self, _: list[Any]) -> list[bytes]:
        personality = self._server.personality
        prefix = self._wire(personality.prefix)
        return [b'* NAMESPACE ((%s "%s")) NIL NIL\r\n' % (prefix, personality.delimiter.encode())]

    def _list(self, arguments: list[Any]) -> list[bytes]:
        delimiter = self._server.personality.delimiter
        if arguments[1] == b"":
            return [b'* LIST (\\Noselect) "%s" ""\r\n' % delimiter.encode()]
        pattern = re.escape(self._name(arguments[0] + arguments[1]))
        pattern = pattern.replace("\\*", ".*").replace("%", "[^/]*")
        names = {
            "/".join(name.split("/")[:depth])
            for name in self._server.mailbox.folders
            for depth in range(1, name.count("/") + 2)
        }
        wanted = [name for name in sorted(names) if re.fullmatch(pattern, name, re.IGNORECASE)]
        replies = [self._listed(name, names) for name in wanted]
        returns = arguments[3] if len(arguments) > 3 and arguments[2].upper() == b"RETURN" else []
        if b"STATUS" in returns:
            items = returns[returns.index(b"STATUS") + 1]
            there = [name for name in wanted if name in self._server.mailbox.folders]
            replies += [self._status_of(self._server.mailbox.folder(name), items) for name in there]
        return replies

    def _listed(self, name: str, names: set[str]) -> bytes:
        folder = self._server.mailbox.folders.get(name)
        has_children = any(each.startswith(f"{name}/") for each in names)
        attributes = ["\\HasChildren" if has_children else "\\HasNoChildren"]
        attributes += ["\\Noselect"] if folder is None else []
        attributes += [folder.use] if folder is not None and folder.use else []
        delimiter = self._server.personality.delimiter.encode()
        return b'* LIST (%s) "%s" %s\r\n' % (" ".join(attributes).encode(), delimiter, self._wire(name))

    def _status(self, arguments: list[Any]) -> list[bytes]:
        return [self._status_of(self._server.mailbox.folder(self._name(arguments[0])), arguments[1])]

    def _status_of(self, folder: Folder, items: list[bytes]) -> bytes:
        exists, uidnext = self._said_numbers(folder)
        values = {
            "MESSAGES": str(exists),
            "RECENT": "0",
            "UIDNEXT": str(uidnext),
            "UIDVALIDITY": str(folder.uidvalidity),
            "UNSEEN": str(sum("\\Seen" not in each.words for each in folder.entries.values())),
        }
        values |= {"HIGHESTMODSEQ": str(folder.modseq)} if "CONDSTORE" in self._words else {}
        values |= {"MAILBOXID": f"({folder.mailbox_id})"} if "OBJECTID" in self._words else {}
        wanted = [each.decode().upper() for each in items]
        if not set(wanted) <= values.keys():
            raise Refused("BAD Unknown status item.")
        told = " ".join(f"{each} {values[each]}" for each in wanted)
        return b"* STATUS %s (%s)\r\n" % (self._wire(folder.name), told.encode())

    def _said_numbers(self, folder: Folder) -> tuple[int, int]:
        """EXISTS and UIDNEXT; a liar is right one time in six."""
        exists, uidnext = len(folder.entries), folder.uidnext
        if not self._server.personality.lies:
            return exists, uidnext
        self._server.lies += 1
        turn = self._server.lies % 6
        wrong = {1: 7, 2: -1, 4: 2}.get(turn, 0)
        more = {2: 3, 3: 1, 5: -1}.get(turn, 0)
        return max(exists + more, 1 if exists else 0), max(uidnext + wrong, 1)

    def _create(self, arguments: list[Any]) -> list[bytes]:
        self._changing(self._server.mailbox.create, self._name(arguments[0]).removesuffix("/"))
        return []

    def _delete(self, arguments: list[Any]) -> list[bytes]:
        name = self._name(arguments[0])
        if name == "INBOX":
            raise Refused("NO INBOX stays.")
        self._server.mailbox.delete(name)
        return []

    def _rename(self, arguments: list[Any]) -> list[bytes]:
        name, now = self._name(arguments[0]), self._name(arguments[1])
        if name == "INBOX":
            raise Refused("NO INBOX stays.")
        self._server.mailbox.folder(name)
        self._changing(self._server.mailbox.rename, name, now)
        return []

    def _changing(self, work: Any, *names: str) -> None:
        try:
            work(*names)
        except NoSuchFolder as error:
            raise Refused("NO [ALREADYEXISTS] There is one of this name.") from error

    def _select(self, arguments: list[Any]) -> list[bytes]:
        return self._open(arguments, is_read_only=False)

    def _examine(self, arguments: list[Any]) -> list[bytes]:
        return self._open(arguments, is_read_only=True)

    def _open(self, arguments: list[Any], *, is_read_only: bool) -> list[bytes]:
        self._folder = None
        folder = self._server.mailbox.folder(self._name(arguments[0]))
        parameters = arguments[1] if len(arguments) > 1 else []
        if b"QRESYNC" in parameters and "QRESYNC" not in self._enabled:
            raise Refused("BAD Enable QRESYNC first.")
        if "CONDSTORE" in self._words and parameters:
            self._enabled.add("CONDSTORE")
        self._folder, self._uidvalidity, self._is_read_only = folder.name, folder.uidvalidity, is_read_only
        self._view = list(folder.entries)
        self.code = b"READ-ONLY" if is_read_only else b"READ-WRITE"
        exists, uidnext = self._said_numbers(folder)
        words = sorted({word for each in folder.entries.values() for word in each.words if word[0] != "\\"})
        said = [
            f"FLAGS ({' '.join([_SYSTEM, *words])})",
            f"{exists} EXISTS",
            "0 RECENT",
            f"OK [PERMANENTFLAGS ({_SYSTEM} \\*)] Limited",
            f"OK [UIDVALIDITY {folder.uidvalidity}] UIDs valid",
            f"OK [UIDNEXT {uidnext}] Predicted next UID",
        ]
        said += [f"OK [HIGHESTMODSEQ {folder.modseq}] Highest"] if "CONDSTORE" in self._words else []
        said += [f"OK [MAILBOXID ({folder.mailbox_id})] Ok"] if "OBJECTID" in self._words else []
        replies = [f"* {each}\r\n".encode() for each in said]
        if b"QRESYNC" in parameters:
            replies += self._since(folder, parameters[parameters.index(b"QRESYNC") + 1])
        return replies

    def _since(self, folder: Folder, known: list[bytes]) -> list[bytes]:
        """RFC 7162 3.2.5: what is new since the client was here."""
        uidvalidity, modseq = int(known[0]), int(known[1])
        if uidvalidity != folder.uidvalidity:
            return []
        changed = [uid for uid, each in folder.entries.items() if each.modseq > modseq]
        places = {uid: place for place, uid in enumerate(self._view, 1)}
        return [
            *vanished_earlier(folder, modseq),
            *fetch_replies(self._server, folder, places, changed, [b"UID", b"FLAGS", b"MODSEQ"]),
        ]

    def _unselect(self, _: list[Any]) -> list[bytes]:
        self._folder = None
        return []

    def _close(self, _: list[Any]) -> list[bytes]:
        if not self._is_read_only:
            self._remove_deleted(self._opened(), None)
        self._folder = None
        return []

    # Messages

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
        places = {uid: place for place, uid in enumerate(self._view, 1)}
        if not self._is_read_only and any(each.startswith((b"BODY[", b"RFC822")) for each in items):
            self._see(folder, uids, items)
        return replies + fetch_replies(self._server, folder, places, uids, items)

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
        places = {uid: place for place, uid in enumerate(self._view, 1)}
        items = [b"FLAGS"] if not how.endswith(b".SILENT") else []
        items += [b"UID"] * self.is_uid + [b"MODSEQ"] * self._tells_modseq
        return fetch_replies(self._server, folder, places, uids, items)

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

    def _remove_deleted(self, folder: Folder, among: list[int] | None) -> None:
        marked = [uid for uid, each in folder.entries.items() if "\\Deleted" in each.words]
        self._server.mailbox.expunge(folder.name, [uid for uid in marked if among is None or uid in among])

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


_ALL = frozenset(
    "CAPABILITY LOGIN AUTHENTICATE LOGOUT NOOP CHECK ID ENABLE COMPRESS NAMESPACE LIST STATUS CREATE DELETE RENAME"
    " SELECT EXAMINE UNSELECT CLOSE FETCH SEARCH STORE COPY MOVE EXPUNGE APPEND".split()
)


def vanished_earlier(folder: Folder, modseq: int) -> list[bytes]:
    """RFC 7162 3.2.10.1."""
    gone = {uid for uid, at in folder.vanished if at > modseq}
    return [b"* VANISHED (EARLIER) %s\r\n" % number_set(gone)] if gone else []


def label_folder(mailbox: Any, raw: bytes) -> str:
    """The folder of a label as X-GM-LABELS spells it. Raises NoSuchFolder."""
    text = raw.decode()
    if text.startswith("\\"):
        uses = {each.use.lower(): each.name for each in mailbox.folders.values() if each.use}
        return "INBOX" if text.lower() == "\\inbox" else uses.get(text.lower(), text)
    return mailbox.folder(from_wire(raw, "/")).name


def _spelled(word: str) -> str:
    return next((each for each in _SYSTEM.split() if each.lower() == word.lower()), word)
