"""Commands about folders: what there is, how much is in it, and opening one."""

from __future__ import annotations

import re
from typing import Any

from postroom.testing.imap_answers import fetch_replies, vanished_earlier
from postroom.testing.imap_view import SYSTEM_FLAGS, Refused, View
from postroom.testing.mailbox import Folder, NoSuchFolder


class FolderCommands(View):
    """NAMESPACE to CLOSE."""

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
            f"FLAGS ({' '.join([SYSTEM_FLAGS, *words])})",
            f"{exists} EXISTS",
            "0 RECENT",
            f"OK [PERMANENTFLAGS ({SYSTEM_FLAGS} \\*)] Limited",
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
        return [
            *vanished_earlier(folder, modseq),
            *fetch_replies(self._server, folder, self._places, changed, [b"UID", b"FLAGS", b"MODSEQ"]),
        ]

    def _unselect(self, _: list[Any]) -> list[bytes]:
        self._folder = None
        return []

    def _close(self, _: list[Any]) -> list[bytes]:
        if not self._is_read_only:
            self._remove_deleted(self._opened(), None)
        self._folder = None
        return []
