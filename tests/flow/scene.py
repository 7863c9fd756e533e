"""A scene: one account on one server, which reads and sends; after each step both sides are held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from postroom.blobs import Blobs
from postroom.compose.letter import Letter
from postroom.model import MessageId, OutboxId
from postroom.ops.master_key import master_key
from postroom.outbox.run import run_due
from postroom.posting import now, post, stamp_for
from postroom.store import folders, senders, sends
from postroom.store.database import Database
from postroom.store.senders import Sender
from postroom.sync.ingest import Tally
from postroom.sync.opening import opened
from postroom.sync.verify import Verifier
from postroom.testing import SmtpServer, Taken
from postroom.testing.mailbox import ALL_MAIL
from tests.support.broken_wire import BrokenWire
from tests.support.mirror import EMAIL, Mirror, Side
from tests.support.owner import Owner
from tests.support.site import Store
from tests.support.smtp import SmtpServer as RealSmtp

PATIENCE_SECONDS = 20
SHORT_PATIENCE_SECONDS = 1
"""With a liar, who announces more than there is: each such lie is waited for so long."""


class Scene(Mirror):
    """The store on this side, the owner on the other, a wire in between that can break, and a server that takes mail."""

    def __init__(
        self, store: Store, db: Database, owner: Owner, wire: BrokenWire, smtp: SmtpServer | RealSmtp
    ) -> None:
        super().__init__(store, db, owner, owner.username)  # pyright: ignore[reportArgumentType]
        self.owner, self.wire, self.smtp = owner, wire, smtp
        seconds = SHORT_PATIENCE_SECONDS if owner.lies else PATIENCE_SECONDS
        self.settings = replace(store.settings, imap_timeout_seconds=seconds, imap_whole_bytes=4 * 2**20)
        self.blobs = Blobs(self.settings)
        self.master = master_key(self.settings)
        self.password = owner.secret

    async def begin(self, *, port: int | None = None) -> None:
        await super().begin(port=port or self.wire.port)
        kept = "server" if self.owner.keeps_sent else "append"
        sender = Sender(hostname=self.smtp.host, port=self.smtp.port, encryption="none", sent_copy=kept)
        async with self.tx() as tx:
            await senders.put(tx, self.account.id, sender)

    async def sync(self, **options: Any) -> Tally:
        found = await opened(self.db, self.blobs, self.settings, self.tenant_id, self.account, self.master)
        try:
            return await found.worker.run(**options)
        finally:
            found.source.close()

    async def quiet(self) -> Tally:
        """A sync, after which both sides are equal, the ledger adds up, and nothing is left to do."""
        tally = await self.sync()
        await self.agree()
        again = await self.sync()
        assert (again.stored, again.vanished, again.reflagged, again.pushed) == (0, 0, 0, 0), again
        return tally

    def there(self) -> Side:
        return self.owner.held()

    async def agree(self) -> None:
        await super().agree()
        async with self.tx() as tx:
            for each in await folders.ledger(tx, self.account.id):
                assert (each.pending, each.quarantined) == (0, 0), each
        if not self.owner.lies:  # what it shows to the verifier are lies as well
            await self._verify()

    async def _verify(self) -> None:
        found = await opened(self.db, self.blobs, self.settings, self.tenant_id, self.account, self.master)
        source: Any = found.source
        try:
            verifier = Verifier(self.db, self.blobs, self.tenant_id, self.account, source, is_deep=False)
            for each in await verifier.run():
                assert not each.difference.count, f"{each.name}: {each.difference.by_kind()}"
        finally:
            source.close()

    async def send(self, letter: Letter) -> OutboxId:
        """Put it into the outbox, and let it go out."""
        async with self.tx() as tx:
            stamp = stamp_for(EMAIL, uuid4(), now())
            outbox_id, _ = await post(tx, self.blobs, self.account.id, letter, stamp, not_before=0)
        await self.go_out()
        return outbox_id

    async def go_out(self) -> None:
        """What is due is sent, once; a server that keeps copies by itself has one then."""
        before = len(self.taken())
        tally = await run_due(
            self.db, self.blobs, self.settings, self.tenant_id, self.account.id, master=self.master
        )
        assert len(self.taken()) == before + 1
        assert (tally.sent, tally.copied, tally.problems) == (1, 0 if self.owner.keeps_sent else 1, [])

    def taken(self) -> Sequence[Taken]:
        """What went out, with the envelopes, in order."""
        if isinstance(self.smtp, SmtpServer):
            return self.smtp.taken
        return [
            Taken(
                sender=each.sender,
                recipients=tuple(each.recipients),
                options=tuple(each.options),
                raw=each.raw,
            )
            for each in self.smtp.received
        ]

    async def outbox_row(self, outbox_id: OutboxId) -> dict[str, Any]:
        async with self.tx() as tx:
            return await sends.get(tx, outbox_id)

    # What there is here

    def living(self) -> set[MessageId]:
        return {
            MessageId(row[0])
            for row in self.rows("select id from email_messages where tenant_id = %s and not is_deleted")
        }

    def one(self, subject: str) -> dict[str, Any]:
        """The one message of this subject; where folders are labels, besides what lies in none but All Mail."""
        with self.store.connect("postgres") as connection:
            rows = connection.execute(
                b"select m.id, m.thread_id, m.message_id_header, m.is_draft, m.content_hash"
                b" from email_messages m where m.tenant_id = %s and not m.is_deleted and m.subject = %s"
                b" and (not %s or exists (select from email_placements p"
                b" join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id"
                b" where p.tenant_id = m.tenant_id and p.message_id = m.id and p.vanished_at is null and f.name <> %s))",
                [self.tenant_id, subject, self.owner.folders_are_labels, ALL_MAIL],
            ).fetchall()
        assert len(rows) == 1, (subject, rows)
        return dict(zip("id thread_id message_id_header is_draft content_hash".split(), rows[0], strict=True))

    def places(self, subject: str) -> dict[str, list[int]]:
        """Folder to the UIDs under which messages of this subject lie in it."""
        with self.store.connect("postgres") as connection:
            rows = connection.execute(
                b"select f.name, p.uid from email_placements p"
                b" join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id"
                b" join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id"
                b" where p.tenant_id = %s and p.vanished_at is null and m.subject = %s order by p.uid",
                [self.tenant_id, subject],
            ).fetchall()
        found: dict[str, list[int]] = {}
        for name, uid in rows:
            found.setdefault(name, []).append(uid)
        return found

    def uids(self, folder: str, *subjects: str) -> list[int]:
        return [uid for subject in subjects for uid in self.places(subject)[folder]]

    def lies_in(self, subject: str) -> set[str]:
        """The folders, but for the one that holds everything."""
        return set(self.places(subject)) - {ALL_MAIL}
