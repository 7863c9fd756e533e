"""The quickstart in Python runs as it stands: a program that has a client and a key, and a mailbox on a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.dovecot import Dovecot, free_ports
from tests.support.site import home_of_its_own
from tests.support.smtp import SmtpServer

PAGE = Path(__file__).parents[2] / "docs/quickstart-python.md"
INVOICE = b"From: Ann <ann@example.com>\r\nTo: alice@example.test\r\nSubject: Invoice 4711\r\nMessage-ID: <4711@example.com>\r\n\r\nPlease pay.\r\n"


def test_the_quickstart_in_python_runs_as_it_stands(
    dovecot: Dovecot, smtp: SmtpServer, tmp_path: Path
) -> None:
    text = PAGE.read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "mail.py").write_text(program)
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    dovecot.fill("alice", "INBOX", [b"Subject: Hello\r\n\r\nHello.\r\n", INVOICE])
    (port,) = free_ports(1)
    with home_of_its_own() as home:
        settings = {
            "POSTROOM_HOME": str(home),
            "POSTROOM_SERVICE_PORT": str(port),
            "POSTROOM_URL": f"http://127.0.0.1:{port}",
            "MAIL_ADDRESS": "alice@example.test",
            "MAIL_USER": "alice",
            "MAIL_PASSWORD": dovecot.password("alice"),
            "MAIL_ENCRYPTION": "none",
            "IMAP_HOST": dovecot.host,
            "IMAP_PORT": str(dovecot.imap_port),
            "SMTP_HOST": smtp.host,
            "SMTP_PORT": str(smtp.port),
            "SMTP_SIGN_IN": "none",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        try:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{lines}"],
                cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=120,
            )  # fmt: skip
        finally:
            subprocess.run(["postroom", "down"], env=os.environ | settings, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^connected alice@example.test (ok|syncing|unaccounted)$", done.stdout, re.MULTILINE)
    assert "found Invoice 4711 from ann@example.com" in done.stdout
    assert "sent Re: Invoice 4711 done" in done.stdout
    assert re.search(r"^event updated message .*[0-9a-f-]{36}", done.stdout, re.MULTILINE)
    assert re.search(r"^webhook message.updated .*[0-9a-f-]{36}", done.stdout, re.MULTILINE)
    (taken,) = smtp.received
    assert taken.recipients == ["ann@example.com"]
    assert b"In-Reply-To: <4711@example.com>" in taken.raw
