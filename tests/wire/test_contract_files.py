"""The promises of every source, kept by those in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroom.wire.detect import open_path
from postroom.wire.export import open_sink
from postroom.wire.joined import JoinedSource
from postroom.wire.letters import LettersSource
from postroom.wire.maildir import MaildirSource
from postroom.wire.source import Source
from tests.wire.contract import Fill, Given, SourceContract

THEN = datetime(2024, 2, 29, 12, 30, 45, tzinfo=UTC)


def export(kind: str, path: Path, mailbox: Mapping[str, Sequence[Given]]) -> Path:
    with open_sink(kind, path) as sink:
        numbered = enumerate((folder, each) for folder, messages in mailbox.items() for each in messages)
        for number, (folder, each) in numbered:
            sink.add(folder, [each.body], number=number, flags=each.flags, received_at=THEN)
    return path


class TestMbox(SourceContract):
    """A folder of mbox files, one for each folder."""

    @pytest.fixture
    def fill(self, tmp_path: Path) -> Fill:
        def fill(mailbox: Mapping[str, Sequence[Given]]) -> Source:
            for name, messages in {"Other": [], **mailbox}.items():
                path = tmp_path / "mail" / f"{name}.mbox"
                path.parent.mkdir(parents=True, exist_ok=True)
                export("mbox", path, {name: messages or [Given(body=b"Subject: x\n")]})
            source = open_path(tmp_path / "mail")
            assert isinstance(source, JoinedSource)
            return source

        return fill


class TestMaildir(SourceContract):
    @pytest.fixture
    def fill(self, tmp_path: Path) -> Fill:
        def fill(mailbox: Mapping[str, Sequence[Given]]) -> Source:
            source = open_path(export("maildir", tmp_path / "Maildir", mailbox))
            assert isinstance(source, MaildirSource)
            return source

        return fill


class TestLetters(SourceContract):
    keeps_flags = False

    @pytest.fixture
    def fill(self, tmp_path: Path) -> Fill:
        def fill(mailbox: Mapping[str, Sequence[Given]]) -> Source:
            source = open_path(export("eml", tmp_path / "letters", mailbox))
            assert isinstance(source, LettersSource)
            return source

        return fill
