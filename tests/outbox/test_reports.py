"""Bounces come home to the message that was sent, whoever sends them and whenever they come."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroom.model import OutboxId
from postroom.store import sends
from postroom.sync.importer import import_source
from postroom.wire.detect import open_path
from tests.mime.build import multipart, part
from tests.outbox.desk import Desk
from tests.outbox.test_run import _half_sent
from tests.support.smtp import SmtpServer

pytestmark = pytest.mark.anyio


async def _arrives(desk: Desk, folder: Path, raw: bytes) -> None:
    path = folder / "report.eml"
    path.write_bytes(raw)
    with open_path(path) as source:
        await import_source(desk.db, desk.blobs, desk.settings, desk.tenant_id, desk.account, source)


def _bounce(
    recipient: str, *, action: str = "failed", envelope_id: str = "", message_id: str = "x@y"
) -> bytes:
    lines = ["Reporting-MTA: dns; mx", *([f"Original-Envelope-Id: {envelope_id}"] if envelope_id else []), ""]
    lines += [f"Final-Recipient: rfc822; {recipient}", f"Action: {action}", "Status: 5.1.1"]
    lines += ["Diagnostic-Code: smtp; 550 No such user"]
    return multipart(
        "report; report-type=delivery-status",
        part("text/plain", f"Sorry about {recipient} {action}"),
        part("message/delivery-status", "\r\n".join(lines)),
        part("text/rfc822-headers", f"Message-ID: <{message_id}>\r\n"),
        header=("From: MAILER-DAEMON@example.com",),
    )


async def _reports(desk: Desk, outbox_id: OutboxId) -> list[tuple[str, str | None, str | None]]:
    async with desk.db.tenant(desk.tenant_id) as tx:
        rows = await sends.recipients_of(tx, outbox_id)
    return [(row["address"], row["report"], row["report_text"]) for row in rows]


async def test_by_the_returned_header(desk: Desk, smtp: SmtpServer, tmp_path: Path) -> None:
    outbox_id = await desk.write(to="ann@example.com, bob@example.com")
    other = await desk.write()
    await desk.run()
    message_id = (await desk.row(outbox_id))["message_id"]
    await _arrives(desk, tmp_path, _bounce("Bob@Example.com", message_id=message_id))
    assert await _reports(desk, outbox_id) == [
        ("ann@example.com", None, None),
        ("bob@example.com", "failed", "550 No such user"),
    ]
    assert await _reports(desk, other) == [("bob@example.com", None, None)]


async def test_by_the_envelope_id_where_an_alias_hides_the_address(
    desk: Desk, smtp: SmtpServer, tmp_path: Path
) -> None:
    outbox_id = await desk.write()
    await desk.run()
    await _arrives(
        desk, tmp_path, _bounce("robert@inner.example", action="delayed", envelope_id=outbox_id.hex)
    )
    assert await _reports(desk, outbox_id) == [("bob@example.com", "delayed", "550 No such user")]
    await _arrives(desk, tmp_path, _bounce("robert@inner.example", envelope_id=outbox_id.hex))
    await _arrives(
        desk, tmp_path, _bounce("robert@inner.example", action="delivered", envelope_id=outbox_id.hex)
    )
    assert (await _reports(desk, outbox_id))[0][1] == "failed"


async def test_a_report_proves_that_it_was_sent(desk: Desk, smtp: SmtpServer, tmp_path: Path) -> None:
    outbox_id = await _half_sent(desk)
    desk.later(61)
    await desk.run()
    assert await desk.state(outbox_id) == "unknown"
    await _arrives(desk, tmp_path, _bounce("bob@example.com", envelope_id=outbox_id.hex))
    assert await desk.state(outbox_id) == "done"
    assert await _reports(desk, outbox_id) == [("bob@example.com", "failed", "550 No such user")]


async def test_reports_on_what_others_sent_change_nothing(
    desk: Desk, smtp: SmtpServer, tmp_path: Path
) -> None:
    outbox_id = await desk.write()
    await desk.run()
    for envelope_id in ("", "not-a-uuid", "0" * 32):
        await _arrives(desk, tmp_path, _bounce("bob@example.com", envelope_id=envelope_id))
    assert await _reports(desk, outbox_id) == [("bob@example.com", None, None)]
