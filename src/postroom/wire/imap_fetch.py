"""Bodies in batches: bounded by number and by bytes, and one bad message never costs its neighbours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from postroom.errors import ConnectionFailed, ConnectionStalled, ServerMisbehaved, SourceError, Throttled
from postroom.model import Body, RawMessage, Unreadable
from postroom.wire.imap_connection import CommandRefused, ImapConnection
from postroom.wire.imap_parts import Parts
from postroom.wire.imap_replies import Fetched, Reply, fetched, sequence_set, sequence_sets

_SIZES_AT_ONCE = 1500
_MAX_BREAKAGES = 20
"""So many times in a row a server may break the protocol before it is given up."""
_MAX_DROPS = 10
"""So many times in a row it may drop the connection: a batch is halved less often until one message is left."""
_MAX_STALLS = 5
"""So many times in a row it may fall silent: each costs the whole timeout."""
_UID = re.compile(rb"\bUID (\d+)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """Why not everything came, and at which message the server stopped, where that is known."""

    reason: str
    uid: int | None = None
    is_end: bool = False
    """Whether the connection ended with it."""
    part: bytes | None = None


class BodyReader:
    """Reads the messages of one folder over a connection that can be opened again when a server breaks it."""

    def __init__(
        self,
        *,
        opened: Callable[[], ImapConnection],
        where: str,
        batch_messages: int,
        batch_bytes: int,
        whole_bytes: int,
        sizes: Mapping[int, int] | None = None,
        identity: bytes = b"",
    ) -> None:
        self._opened = opened
        self._where = where
        self._batch_messages = batch_messages
        self._batch_bytes = min(batch_bytes, whole_bytes)  # what is larger is alone
        self._whole_bytes = whole_bytes
        self._known_sizes = sizes
        # RFC 9051 6.4.5: PEEK does not set \Seen
        self._items = b"UID FLAGS INTERNALDATE RFC822.SIZE" + identity
        self._breakages = 0
        self._drops = 0
        self._stalls = 0

    def read(self, uids: Sequence[int]) -> Iterator[RawMessage | Unreadable]:
        """The messages in the order asked for; what is not there any more is left out.

        One that is larger than `whole_bytes` is fetched in parts, when its turn comes.
        """
        for start in range(0, len(uids), _SIZES_AT_ONCE):
            window = uids[start : start + _SIZES_AT_ONCE]
            sizes = self._sizes(window)
            for batch in batches(window, sizes, self._batch_messages, self._batch_bytes):
                if len(batch) == 1 and sizes.get(batch[0], 0) > self._whole_bytes:
                    yield from self._in_parts(batch[0], sizes[batch[0]])
                else:
                    yield from self._batch(batch)

    def _sizes(self, uids: Sequence[int]) -> Mapping[int, int]:
        """What the server says of their sizes; nothing where it fails, for the bodies may still be had."""
        if self._known_sizes is not None:
            return self._known_sizes
        link = self._opened()
        try:
            found = [
                one
                for window in sequence_sets(uids)
                for one in link.ask(b"UID FETCH %s (RFC822.SIZE)" % window, parse=fetched)
            ]
        except CommandRefused:
            return {}
        except ServerMisbehaved as error:
            self._count_breakage(error)
            return {}
        except Throttled:
            raise
        except ConnectionFailed as error:  # at a message that cannot be opened; the bodies will tell which
            self._count_drop(error)
            link.abandon()
            return {}
        return {one.uid: one.size for one in found if one.size is not None}

    def _in_parts(self, uid: int, size: int) -> Iterator[RawMessage | Unreadable]:
        parts = Parts(opened=self._opened, items=self._items, uid=uid, size_bytes=size)
        reason = parts.fetch()
        if parts.told is not None and reason is None:
            yield self._raw(parts.told, parts.body())
        elif reason is not None:
            yield Unreadable(uid=uid, where=self._place(uid), reason=reason)

    def _batch(self, uids: Sequence[int]) -> Iterator[RawMessage | Unreadable]:
        found: dict[int, RawMessage] = {}
        unreadable: dict[int, _Trouble] = {}
        try:
            self._collect(uids, found, unreadable, is_first=True)
        except SourceError:
            yield from (found[uid] for uid in uids if uid in found)  # what came before the end is kept
            raise
        for uid in uids:
            if uid in found:
                yield found.pop(uid)
            elif uid in unreadable:
                trouble = unreadable[uid]
                yield Unreadable(
                    uid=uid, where=self._place(uid), reason=trouble.reason, body=trouble.part or None
                )

    def _collect(
        self,
        uids: Sequence[int],
        found: dict[int, RawMessage],
        unreadable: dict[int, _Trouble],
        *,
        is_first: bool = False,
    ) -> None:
        """Fetch them all at once, and where that fails, what is missing in halves, or around the one to blame.

        Each is asked for twice before it is given up, also one that was asked for alone.
        """
        before = len(found)
        trouble = self._try(uids, found)
        missing = [uid for uid in uids if uid not in found]
        if trouble is None:
            missing = self._still_there(missing)
            trouble = _Trouble(reason="the server lists it but does not give its text")
        if missing and len(uids) == 1 and not is_first:
            unreadable[missing[0]] = trouble
            return
        half = (len(missing) + 1) // 2
        parts = [missing[:half], missing[half:]]
        blamed = trouble.uid
        if blamed is None and trouble.is_end and len(found) > before and missing:
            blamed = min(
                missing
            )  # servers answer in the order of UIDs: it is the one behind the last that came
        if blamed in missing:  # the others first, then it alone: perhaps it was the line, not the message
            parts = [[uid for uid in missing if uid != blamed], [blamed]]
        for part in parts:
            if part:
                self._collect(part, found, unreadable)

    def _try(self, uids: Sequence[int], found: dict[int, RawMessage]) -> _Trouble | None:
        """Put into `found` what comes; gives the trouble where not everything came as it should."""

        doubtful: list[int] = []

        def take(reply: Reply) -> None:
            one = fetched(reply)
            doubtful.clear()
            if one and one.body is not None and one.uid in wanted and one.uid not in found:
                found[one.uid] = self._raw(one, one.body)
                if one.size is not None and one.size != len(one.body):
                    doubtful.append(one.uid)
                self._breakages = self._drops = self._stalls = 0

        wanted = frozenset(uids)
        link = self._opened()
        try:
            link.run(b"UID FETCH %s (%s BODY.PEEK[])" % (sequence_set(uids), self._items), each=take)
        except CommandRefused as refusal:
            return _Trouble(reason=refusal.text)
        except ServerMisbehaved as error:
            self._count_breakage(error)
            # A literal that was announced too short ends in what may look like the end of its reply; then this comes.
            for uid in doubtful:
                del found[uid]
            return _Trouble(reason=str(error.fields["reason"]))
        except Throttled:
            raise
        except ConnectionStalled as error:
            self._stalls += 1
            if self._stalls > _MAX_STALLS:
                raise
            link.abandon()
            return self._stopped(link, error)
        except ConnectionFailed as error:
            # Dovecot hangs up where its cache has another size than the message, and says BYE where it cannot open it.
            self._count_drop(error)
            link.abandon()
            return self._stopped(link, error)
        return None

    def _stopped(self, link: ImapConnection, error: SourceError) -> _Trouble:
        match = _UID.search(link.broken_off.head)
        return _Trouble(
            reason=str(error.fields["reason"]),
            uid=int(match[1]) if match else None,
            is_end=True,
            part=link.broken_off.part if match else None,
        )

    def _still_there(self, uids: Sequence[int]) -> list[int]:
        """Which of them the server still lists: the others were deleted meanwhile."""
        if not uids:
            return []
        try:
            found = self._opened().ask(b"UID FETCH %s (FLAGS)" % sequence_set(uids), parse=fetched)
        except CommandRefused:
            return list(uids)
        listed = {one.uid for one in found}
        return [uid for uid in uids if uid in listed]

    def _count_drop(self, error: ConnectionFailed) -> None:
        self._drops += 1
        if self._drops > _MAX_DROPS:
            raise error

    def _count_breakage(self, error: ServerMisbehaved) -> None:
        self._breakages += 1
        if self._breakages > _MAX_BREAKAGES:
            raise error

    def _raw(self, one: Fetched, body: Body) -> RawMessage:
        words = one.flags or frozenset()
        flags = frozenset(word for word in words if word.startswith("\\"))
        return RawMessage(
            uid=one.uid,
            body=body,
            flags=flags,
            keywords=words - flags,
            internal_date=one.internal_date,
            object_id=one.object_id,
            where=self._place(one.uid),
        )

    def _place(self, uid: int) -> str:
        return f"{self._where}, UID {uid}"


def batches(
    uids: Iterable[int], sizes: Mapping[int, int], max_messages: int, max_bytes: int
) -> Iterator[list[int]]:
    """Runs of at most so many messages and bytes, one message at least; an unknown size counts as 1 MB."""
    batch: list[int] = []
    filled = 0
    for uid in uids:
        size = sizes.get(uid, 2**20)
        if batch and (len(batch) >= max_messages or filled + size > max_bytes):
            yield batch
            batch, filled = [], 0
        batch.append(uid)
        filled += size
    if batch:
        yield batch
