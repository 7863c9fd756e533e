"""The promises of every source, kept by an IMAP server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from postroom.wire.imap import ImapSource
from postroom.wire.source import Source
from tests.support.dovecot import Dovecot
from tests.wire.contract import Fill, Given, SourceContract


class TestImap(SourceContract):
    @pytest.fixture
    def fill(self, dovecot: Dovecot) -> Fill:
        def fill(mailbox: Mapping[str, Sequence[Given]]) -> Source:
            for folder, messages in mailbox.items():
                for each in messages:
                    dovecot.fill("alice", folder, [each.body], flags=sorted(each.flags))
            return ImapSource(
                host=dovecot.host,
                port=dovecot.imap_port,
                encryption="none",
                username="alice",
                password=dovecot.password("alice"),
            )

        return fill
