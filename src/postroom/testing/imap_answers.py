"""Answers: FETCH replies item by item, and what a search finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postroom.testing.mailbox import Entry, Folder
from postroom.testing.syntax import NotImap, chosen, number_set, quoted, to_wire

if TYPE_CHECKING:
    from postroom.testing.imap import ImapServer

_BODY = re.compile(rb"BODY(?:\.PEEK)?\[([^\]]*)\](?:<(\d+)\.(\d+)>)?\Z")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_HEADER_END = re.compile(rb"\r?\n\r?\n")


def fetch_replies(
    server: ImapServer, folder: Folder, places: Mapping[int, int], uids: Iterable[int], items: Sequence[bytes]
) -> list[bytes]:
    """One FETCH reply for each message that the client has been told of; a liar says more than that."""
    replies = [
        b"* %d FETCH (%s)\r\n"
        % (places[uid], b" ".join(_item(server, folder.entries[uid], item) for item in items))
        for uid in uids
        if uid in places
    ]
    return _lying(server, folder, places, items, replies) if server.personality.lies else replies


def vanished_earlier(folder: Folder, modseq: int) -> list[bytes]:
    """RFC 7162 3.2.10.1."""
    gone = {uid for uid, at in folder.vanished if at > modseq}
    return [b"* VANISHED (EARLIER) %s\r\n" % number_set(gone)] if gone else []


def _lying(
    server: ImapServer,
    folder: Folder,
    places: Mapping[int, int],
    items: Sequence[bytes],
    replies: list[bytes],
) -> list[bytes]:
    """FETCH and EXPUNGE that nobody asked for, and one literal in seven answers of another length."""
    server.lies += 1
    if b"FLAGS" in items and places:
        uid, place = next(iter(places.items()))
        unasked = b"* %d FETCH (%s)\r\n" % (place, _item(server, folder.entries[uid], b"FLAGS"))
        replies = [unasked, *replies[: len(replies) // 2], b"* 1 EXPUNGE\r\n", *replies[len(replies) // 2 :]]
    if server.lies % 7 == 0:
        replies = [re.sub(rb"\{(\d+)\}\r\n", _misannounced, each, count=1) for each in replies]
    return replies


def _misannounced(match: re.Match[bytes]) -> bytes:
    size = int(match[1])
    return b"{%d}\r\n" % (size + 3 if size % 2 else max(size - 3, 0))


def _item(server: ImapServer, entry: Entry, item: bytes) -> bytes:
    letter = entry.letter
    match item:
        case b"UID":
            return b"UID %d" % entry.uid
        case b"FLAGS":
            return b"FLAGS (%s)" % " ".join(sorted(entry.words)).encode()
        case b"INTERNALDATE":
            moment = letter.internal_date
            text = f"{moment:%d}-{_MONTHS[moment.month - 1]}-{moment:%Y %H:%M:%S %z}"
            return b'INTERNALDATE "%s"' % text.encode()
        case b"RFC822.SIZE":
            return b"RFC822.SIZE %d" % len(letter.raw)
        case b"MODSEQ":
            return b"MODSEQ (%d)" % entry.modseq
        case b"EMAILID" if "OBJECTID" in server.personality.words:
            return b"EMAILID (%s)" % letter.object_id.encode()
        case b"THREADID" if "OBJECTID" in server.personality.words:
            return b"THREADID (T%d)" % letter.thread
        case b"X-GM-MSGID" if server.personality.is_gmail:
            return b"X-GM-MSGID %d" % server.mailbox.gmail_id(letter.number)
        case b"X-GM-THRID" if server.personality.is_gmail:
            return b"X-GM-THRID %d" % server.mailbox.gmail_id(letter.thread)
        case b"X-GM-LABELS" if server.personality.is_gmail:
            return b"X-GM-LABELS (%s)" % b" ".join(map(_label(server), server.mailbox.labels(letter)))
        case b"RFC822":
            return b"RFC822 {%d}\r\n%s" % (len(letter.raw), letter.raw)
        case b"RFC822.HEADER":
            header = _header(letter.raw)
            return b"RFC822.HEADER {%d}\r\n%s" % (len(header), header)
        case _:
            return _body(letter.raw, item)


def _label(server: ImapServer) -> Callable[[str], bytes]:
    def spell(name: str) -> bytes:
        use = server.mailbox.folder(name).use
        return quoted(
            ("\\Inbox" if name == "INBOX" else use).encode() if name == "INBOX" or use else to_wire(name, "/")
        )

    return spell


def _body(raw: bytes, item: bytes) -> bytes:
    match = _BODY.match(item)
    if match is None:
        raise NotImap("this cannot be fetched")
    section = match[1]
    part = {b"": raw, b"HEADER": _header(raw), b"TEXT": raw[len(_header(raw)) :]}.get(section)
    if part is None and section.startswith(b"HEADER.FIELDS "):
        part = _fields(raw, set(section.removeprefix(b"HEADER.FIELDS ").strip(b"()").upper().split()))
    if part is None:
        raise NotImap("this cannot be fetched")
    place = b""
    if match[2] is not None:
        start, count = int(match[2]), int(match[3])
        part, place = part[start : start + count], b"<%d>" % start
    return b"BODY[%s]%s {%d}\r\n%s" % (section, place, len(part), part)


def _header(raw: bytes) -> bytes:
    """With the empty line behind it."""
    match = _HEADER_END.search(raw)
    return raw[: match.end()] if match else raw


def _fields(raw: bytes, names: set[bytes]) -> bytes:
    found, takes = [], False
    for line in _header(raw).splitlines(keepends=True):
        if line[:1] not in (b" ", b"\t"):
            takes = line.partition(b":")[0].strip().upper() in names
        found += [line] if takes else []
    return b"".join(found) + b"\r\n"


def matching(folder: Folder, view: Sequence[int], criteria: list[Any]) -> list[int]:
    """The UIDs that fit all criteria of a SEARCH: those that clients of ours and of our tests ask by."""
    found, rest = list(folder.entries), list(criteria)
    while rest:
        word = rest.pop(0).upper()
        if word == b"ALL":
            continue
        if word == b"CHARSET":
            rest.pop(0)
        elif word == b"UID":
            wanted = chosen(rest.pop(0), folder.entries)
            found = [uid for uid in found if uid in wanted]
        elif word == b"HEADER":
            name, value = rest.pop(0).upper(), rest.pop(0).lower()
            found = [uid for uid in found if _has(folder.entries[uid], name, value)]
        elif word in (b"SEEN", b"FLAGGED", b"DELETED", b"ANSWERED", b"DRAFT"):
            found = [uid for uid in found if f"\\{word.decode().title()}" in folder.entries[uid].words]
        elif word in (b"UNSEEN", b"UNFLAGGED", b"UNDELETED", b"UNANSWERED", b"UNDRAFT"):
            found = [
                uid for uid in found if f"\\{word[2:].decode().title()}" not in folder.entries[uid].words
            ]
        elif word in (b"KEYWORD", b"UNKEYWORD"):
            keyword = rest.pop(0).decode()
            found = [uid for uid in found if (keyword in folder.entries[uid].words) == (word == b"KEYWORD")]
        elif word[:1].isdigit():
            wanted = [view[at - 1] for at in chosen(word, range(1, len(view) + 1))]
            found = [uid for uid in found if uid in wanted]
        else:
            raise NotImap("this cannot be searched for")
    return found


def _has(entry: Entry, name: bytes, value: bytes) -> bool:
    return (
        value in _fields(entry.letter.raw, {name}).lower()
        if value
        else bool(_fields(entry.letter.raw, {name}).strip())
    )
