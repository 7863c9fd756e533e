"""A conversation is recorded without anything of the mail, and played again: who asks the same comes to the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from postroom.testing import DOVECOT, PERSONALITIES, Fault, ImapServer, Personality, ReplayServer, Script
from tests.flow.test_folders import EMAIL, account, sync
from tests.support.dovecot import Dovecot
from tests.support.site import Store

SECRETS = ("Geheimnis", "alice", "anna@", "Akten", "wichtig", "Streng vertraulich", "secret")


def _letter(number: int) -> bytes:
    return (
        f"From: anna@example.test\r\nTo: alice@example.test\r\nSubject: Streng vertraulich {number}\r\n"
        f"Message-ID: <{number}.geheim@anna.example.test>\r\n\r\nDas Geheimnis ist {number}.\r\n".encode()
    ) + b"Geheimnis\r\n" * number


def _record(store: Store, tenant: str, out: Path) -> dict[str, Any]:
    return store.json("account", "record", "-t", tenant, "-a", EMAIL, "-o", str(out))


def _tells_nothing(recording: Path) -> None:
    text = recording.read_text()
    assert recording.stat().st_mode & 0o077 == 0
    assert not [each for each in SECRETS if each.lower() in text.lower()]


def _ledger(store: Store, tenant: str) -> dict[str, Any]:
    return next(each for each in store.json("status")["accounts"] if each["tenant"] == tenant)


@pytest.mark.parametrize("personality", PERSONALITIES[:4], ids=lambda each: each.name)
def test_what_was_recorded_is_synced_as_the_server_was(
    store: Store, tmp_path: Path, personality: Personality
) -> None:
    recording = tmp_path / "conversation.jsonl"
    with ImapServer(personality, username="alice") as server:
        work = f"{personality.prefix}Akten"
        server.mailbox.create(work)
        for number in range(12):
            words = ["\\Seen", "wichtig"] if number % 3 else ["\\Flagged"]
            server.mailbox.append(work if number % 2 else "INBOX", _letter(number), words)
        tenant = account(store, server.port, "secret")
        found = _record(store, tenant, recording)
        assert (found["messages"], found["unreadable"], found["error"]) == (12, 0, None)
        assert sync(store, tenant)["stored"] == 12
    _tells_nothing(recording)
    with ReplayServer(recording) as played:
        again = account(store, played.port, "whatever", "somebody")
        assert sync(store, again)["stored"] == 12
        assert played.strange == []
    counted = ("stored", "pending", "quarantined", "gone", "messages")
    first, second = (_ledger(store, each) for each in (tenant, again))
    assert [first[each] for each in counted] == [second[each] for each in counted]
    assert len(store.json("search", "-t", again, "-n", "100", "is:flagged")["items"]) == 4


def test_a_server_that_breaks_off_breaks_off_at_the_same_message_again(store: Store, tmp_path: Path) -> None:
    recording = tmp_path / "conversation.jsonl"
    with ImapServer(DOVECOT, username="alice") as server:
        for number in range(6):
            server.mailbox.append("INBOX", _letter(number))
        tenant = account(store, server.port, "secret")
        # At the first asking of all of them, and at each of one by which it might be had: as a message that is damaged.
        at = len(_letter(5)) + 300
        server.script = Script(
            [
                Fault(kind="cut", command="FETCH", nth=number, after=at if number == 3 else 90)
                for number in (3, 5)
            ]
        )
        found = _record(store, tenant, recording)
        assert found["unreadable"] == 1
        assert not server.script.left
    _tells_nothing(recording)
    with ReplayServer(recording) as played:
        again = account(store, played.port, "whatever", "somebody")
        done = store.cli("sync", "-t", again, "-a", EMAIL, check=False)
        assert (done.returncode, played.strange) == (9, [])
        found = _ledger(store, again)
        assert (found["stored"], found["quarantined"]) == (5, 1)


def test_what_is_not_of_the_protocol_keeps_its_shape_only(store: Store, tmp_path: Path) -> None:
    recording = tmp_path / "conversation.jsonl"
    with ImapServer(DOVECOT, username="alice") as server:
        for number in range(3):
            server.mailbox.append("INBOX", _letter(number))
        tenant = account(store, server.port, "secret")
        # The literal is announced shorter than it is: text of mail stands where the protocol should.
        server.script = Script([Fault(kind="literal", command="FETCH", nth=3, after=-60)])
        _record(store, tenant, recording)
        assert not server.script.left
    _tells_nothing(recording)
    events = [json.loads(line) for line in recording.read_text().splitlines()]
    assert any(re.search(r"xxx", event.get("server", "")) for event in events)


def test_a_real_server_is_recorded_and_a_recording_is_never_written_over(
    store: Store, dovecot: Dovecot, tmp_path: Path
) -> None:
    recording = tmp_path / "conversation.jsonl"
    dovecot.fill("alice", "INBOX", [_letter(number) for number in range(20)])
    dovecot.fill("alice", "Akten/Müller & Co", [_letter(number) for number in range(20, 25)])
    tenant = account(store, dovecot.imap_port, dovecot.password("alice"))
    done = store.cli("account", "record", "-t", tenant, "-a", EMAIL, "-o", str(recording))
    assert "Messages read: 25, in folders: 7;" in done.stdout
    _tells_nothing(recording)
    refused = store.cli("account", "record", "-t", tenant, "-a", EMAIL, "-o", str(recording), check=False)
    assert refused.returncode == 2
    assert "is there already" in refused.stderr
    with ReplayServer(recording) as played:
        again = account(store, played.port, "whatever", "somebody")
        assert sync(store, again)["stored"] == 25
        assert played.strange == []


def test_a_sign_in_that_is_refused_is_recorded_without_the_password(store: Store, tmp_path: Path) -> None:
    recording = tmp_path / "conversation.jsonl"
    with ImapServer(DOVECOT, username="alice") as server:
        tenant = account(store, server.port, "Geheimnis")
        found = _record(store, tenant, recording)
        assert "refused the sign-in" in found["error"]
    _tells_nothing(recording)
    with ReplayServer(recording) as played:
        again = account(store, played.port, "whatever", "somebody")
        done = store.cli("sync", "-t", again, "-a", EMAIL, check=False)
        assert done.returncode == 5
        assert "refused the sign-in: Invalid credentials" in done.stderr
