"""Commands: what an IMAP server does and answers, command by command, with nothing gone wrong."""

from __future__ import annotations

import base64
from typing import Any

from postroom.testing.imap_folders import FolderCommands
from postroom.testing.imap_messages import MessageCommands
from postroom.testing.imap_view import Refused

_ALL = frozenset(
    "CAPABILITY LOGIN AUTHENTICATE LOGOUT NOOP CHECK ID ENABLE COMPRESS NAMESPACE LIST STATUS CREATE DELETE RENAME"
    " SELECT EXAMINE UNSELECT CLOSE FETCH SEARCH STORE COPY MOVE EXPUNGE APPEND".split()
)
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


class Commands(FolderCommands, MessageCommands):
    """All of them; those about signing in are here."""

    def about(self, name: str, arguments: list[Any]) -> str | None:
        """The folder that a command is about."""
        if name in ("SELECT", "EXAMINE", "STATUS", "APPEND") and arguments:
            return self._name(arguments[0])
        return self._folder

    def carry_out(self, name: str, arguments: list[Any], tag: bytes) -> list[bytes]:
        """The untagged replies. Raises Refused, Ended, NoSuchFolder, and ValueError for arguments that are none."""
        self.code = b""
        needs = _NEEDS.get(name)
        offered = self._words if self._has_signed_in else frozenset(self._server.personality.before.split())
        if name not in _ALL or (needs is not None and needs not in offered):
            raise Refused(f"BAD Unknown command {name}.")
        if not self._has_signed_in and name not in _BEFORE_SIGNING_IN:
            raise Refused("BAD Sign in first.")
        if name in _OF_A_FOLDER and self._folder is None:
            raise Refused("BAD Open a folder first.")
        tells = self._folder is not None and name not in ("SELECT", "EXAMINE", "CLOSE", "UNSELECT", "LOGOUT")
        before = self.news() if tells and (self.is_uid or name not in _BY_PLACE) else []
        work = getattr(self, f"_{name.lower()}")
        untagged = work(arguments, tag) if name == "SEARCH" else work(arguments)
        return [*before, *untagged]

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
