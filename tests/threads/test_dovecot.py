"""The structure that a real Dovecot answers to THREAD REFERENCES, and the one id on which we differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from postroom.model import ThreadNode
from tests.support.dovecot import Dovecot
from tests.threads.letters import answer, letter, parsed
from tests.threads.lists import MailingList, subject_soup, tangle

RECEIVED = datetime(2023, 11, 14, tzinfo=UTC)


def theirs(server: Dovecot, messages: list[bytes], folder: str = "INBOX") -> str:
    server.fill("alice", folder, messages, first_date=int(RECEIVED.timestamp()))
    return asked(server, folder)


def asked(server: Dovecot, folder: str = "INBOX") -> str:
    with server.imap("alice") as client:
        client.select(folder, readonly=True)
        _, [found] = client.thread("REFERENCES", "UTF-8", "ALL")
    return (found or b"").decode()


def ours(messages: list[bytes]) -> str:
    return answer([understood(raw, number) for number, raw in enumerate(messages)])


def understood(raw: bytes, number: int) -> ThreadNode:
    return parsed(raw, number, RECEIVED + timedelta(seconds=number))


@pytest.mark.parametrize("seed", range(40))
def test_a_mailing_list_has_the_same_trees_as_in_dovecot(dovecot: Dovecot, seed: int):
    messages = MailingList(seed).messages(60)
    assert ours(messages) == theirs(dovecot, messages)


def test_a_long_list_has_the_same_trees_as_in_dovecot(dovecot: Dovecot):
    messages = MailingList(2000).messages(2000)
    assert ours(messages) == theirs(dovecot, messages)


@pytest.mark.parametrize("decade", range(8))
def test_loops_and_contradictions_are_settled_as_in_dovecot(dovecot: Dovecot, decade: int):
    for seed in range(decade * 10, decade * 10 + 10):
        messages = tangle(seed)
        assert ours(messages) == theirs(dovecot, messages, f"Tangle{seed}")


@pytest.mark.parametrize("seed", range(20))
def test_the_same_subjects_are_equal_as_in_dovecot(dovecot: Dovecot, seed: int):
    messages = subject_soup(seed)
    assert ours(messages) == theirs(dovecot, messages)


def test_a_growing_mailbox_has_the_same_trees_at_every_step(dovecot: Dovecot):
    arriving = MailingList(7).messages(30)
    start = int(RECEIVED.timestamp())
    for count in range(1, len(arriving) + 1):
        dovecot.fill("alice", "INBOX", arriving[count - 1 : count], first_date=start + count - 1)
        assert asked(dovecot) == ours(arriving[:count])


@pytest.mark.parametrize(
    ("message_id", "reference", "expected"),
    [
        ('<"a"@example.org>', "<a@example.org>", "(1 2)"),
        ('<"a\\b"@example.org>', "<ab@example.org>", "(1 2)"),
        ("<a@[192.0.2.1]>", "<a@[192.0.2.1]>", "(1 2)"),
        ("<a b@example.org>", "<ab@example.org>", "(1 2)"),
        ("<A@example.org>", "<a@example.org>", "(1)(2)"),
        ("<a@Example.org>", "<a@example.org>", "(1)(2)"),
        ("<a>", "<a>", "(1)(2)"),
        ("a@example.org", "<a@example.org>", "(1)(2)"),
    ],
)
def test_ids_are_the_same_or_not_as_in_dovecot(
    dovecot: Dovecot, message_id: str, reference: str, expected: str
):
    messages = [
        letter(message_id, subject="question", seconds=1),
        letter("<other@example.org>", references=reference, subject="other words", seconds=2),
    ]
    assert theirs(dovecot, messages) == expected
    assert ours(messages) == expected


def test_a_lone_at_sign_joins_nobody_though_dovecot_takes_it_for_an_id(dovecot: Dovecot):
    # RFC 5322 3.6.4: id-left and id-right are not empty. Strangers with the same broken mailer are no thread.
    messages = [
        letter("<a@example.org>", references="<@>", subject="one", seconds=1),
        letter("<b@example.org>", references="<@>", subject="two", seconds=2),
    ]
    assert theirs(dovecot, messages) == "((1)(2))"
    assert ours(messages) == "(1)(2)"
