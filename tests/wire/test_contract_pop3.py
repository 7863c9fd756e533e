"""The promises of every source, kept by a POP3 server as far as one inbox without flags can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from postroom.wire.pop3 import Pop3Source
from postroom.wire.sasl import Password
from postroom.wire.source import Source
from tests.support.dovecot import Dovecot
from tests.wire.contract import Fill, Given, SourceContract, folder_named, letter, read


class TestPop3(SourceContract):
    keeps_flags = False

    @pytest.fixture
    def fill(self, dovecot: Dovecot) -> Fill:
        def fill(mailbox: Mapping[str, Sequence[Given]]) -> Source:
            for folder, messages in mailbox.items():
                for each in messages:
                    dovecot.fill("alice", folder, [each.body], flags=sorted(each.flags))
            return Pop3Source(
                host=dovecot.host,
                port=dovecot.pop3_port,
                encryption="none",
                who=Password(username="alice", password=dovecot.password("alice")),
            )

        return fill

    def test_every_message_of_every_folder_comes_back_byte_for_byte(self, fill: Fill):
        """Of the inbox, which is all that POP3 knows."""
        bodies = [*map(letter, range(5)), letter(8, b"8-bit: \xe4\xff\xfe\r\n.\r\n..two\r\n.\r\n")]
        with fill(
            {"INBOX": [Given(body=body) for body in bodies], "Sent": [Given(body=letter(9))]}
        ) as source:
            assert [folder.name for folder in source.folders()] == ["INBOX"]
            found = [bytes(each.body[:]) for each in read(source, folder_named(source, "INBOX"))]
        assert found == bodies

    def test_folders_have_types_and_a_stable_order(self, fill: Fill):
        with fill({}) as source:
            assert [(folder.name, folder.type) for folder in source.folders()] == [("INBOX", "inbox")]
