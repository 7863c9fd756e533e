"""A signature that holds, over exactly what arrives."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from postroom.compose.letter import File
from postroom.errors import UsageError
from postroom.outbox.dkim import Signer
from postroom.store import credentials
from tests.outbox.desk import MASTER, Desk
from tests.support.site import Store
from tests.support.smtp import SmtpServer

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)


def _holds(raw: bytes) -> bool:
    asked = []

    def dns(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return b"v=DKIM1; k=rsa; p=" + PUBLIC

    holds = dkim.verify(raw, dnsfunc=dns)
    assert asked == [b"mail._domainkey.example.com."]
    return holds


@pytest.mark.anyio
async def test_what_arrives_is_signed(desk: Desk, smtp: SmtpServer) -> None:
    async with desk.db.tenant(desk.tenant_id) as tx:
        key_id = await credentials.put_password(tx, desk.account.id, PEM, MASTER)
    await desk.send_by(dkim_domain="example.com", dkim_selector="mail", dkim_key_id=key_id)
    await desk.write(
        "Grüße " * 40, html="<p>ä</p>\n.\n", files=(File(filename="a", mime_type="x/y", data=b"1"),)
    )
    await desk.run()
    raw = smtp.received[0].raw
    assert raw.startswith(b"DKIM-Signature: ")
    assert _holds(raw)
    assert not _holds(raw.replace(b"me@example.com", b"ceo@example.com", 1))
    header, _, body = raw.partition(b"\r\n\r\n")
    assert not _holds(header + b"\r\nSubject: another\r\n\r\n" + body)


def test_a_key_that_is_none_is_refused_before_it_is_kept(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape("mail._domainkey.example.com does not sign")):
        Signer(domain="example.com", selector="mail", key="nonsense").signed(b"From: a@example.com\r\n\r\n")
    (tmp_path / "key").write_text("nonsense")
    order = (
        "account",
        "smtp",
        "-t",
        store.tenant(),
        "-a",
        "me@example.com",
        "--host",
        "127.0.0.1",
        "--no-sign-in",
    )
    done = store.cli(*order, "--dkim-key", str(tmp_path / "key"), "--dkim-selector", "mail", check=False)
    assert (done.returncode, "does not sign" in done.stderr) == (2, True)
    (tmp_path / "key").write_text(PEM)
    found = store.json(*order, "--dkim-key", str(tmp_path / "key"), "--dkim-selector", "mail")
    assert (found["dkim_domain"], found["dkim_selector"]) == ("example.com", "mail")
