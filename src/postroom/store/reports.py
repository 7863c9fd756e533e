"""Reports: what servers say later of what was sent, tied to the message of the outbox that it is about."""

from __future__ import annotations

from uuid import UUID

from postroom.ids import now_ms
from postroom.mime.reports import DeliveryReport
from postroom.model import OutboxId
from postroom.sql import queries
from postroom.store import sends
from postroom.store.database import TenantTx

QUERIES = queries("sends")
PROVED = "a delivery report says that the server took it"


async def apply(tx: TenantTx, report: DeliveryReport) -> list[OutboxId]:
    """Write it to the recipients that it names; the messages it is about, none where they are not ours."""
    found = await _about(tx, report)
    for outbox_id in found:
        recipients = await sends.recipients_of(tx, outbox_id)
        for each in report.recipients:
            await tx.run(
                QUERIES.reported,
                outbox_id=outbox_id,
                addresses=list(each.addresses),
                is_only=len(recipients) == len(report.recipients) == 1,
                report=each.action,
                report_status=each.status,
                report_text=each.text,
                now=now_ms(),
            )
        if await sends.settle(tx, outbox_id, was_sent=True, error=None):
            await sends.accepted(tx, outbox_id, PROVED, wants_copy=False)
    return found


async def _about(tx: TenantTx, report: DeliveryReport) -> list[OutboxId]:
    """By the envelope id, which is ours; else by the Message-ID of what came back."""
    if report.envelope_id:
        try:
            wanted = UUID(hex=report.envelope_id)
        except ValueError:
            wanted = None
        if wanted is not None:
            rows = await tx.rows(QUERIES.exists, outbox_ids=[wanted])
            if rows:
                return [OutboxId(row["outbox_id"]) for row in rows]
    rows = await tx.rows(QUERIES.by_message_id, message_ids=list(report.message_ids))
    return [OutboxId(row["outbox_id"]) for row in rows]
