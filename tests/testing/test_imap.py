"""The simulator itself: real clients (imaplib, imapclient, our own) find in it what a server of its kind has."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from postroom.errors import SourceError
from postroom.model import FolderState, RawMessage, SourceFolder
from postroom.testing import (
    COURIER,
    DOVECOT,
    EXCHANGE,
    GMAIL,
    LIAR,
    PERSONALITIES,
    Fault,
    ImapServer,
    Personality,
    Script,
)
from postroom.wire.imap import ImapSource
from postroom.wire.imap_append import ImapAppender
from postroom.wire.sasl import Password

LETTER = (
    b"Message-ID: <one@example.test>\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\nSubject: One\r\n\r\nHi\r\n"
)
EVERYBODY = pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda each: each.name)


@contextmanager
def client(server: ImapServer) -> Iterator[imaplib.IMAP4]:
    made = imaplib.IMAP4("127.0.0.1", server.port, timeout=10)
    try:
        made.login(server.username, server.password)
        yield made
    finally:
        made.logout()


def source(server: ImapServer, **options: object) -> ImapSource:
    return ImapSource(
        host="127.0.0.1",
        port=server.port,
        encryption="none",
        username=server.username,
        password=server.password,
        **({"timeout_seconds": 5.0} | options),  # pyright: ignore[reportArgumentType]
    )


def inbox_of(found: ImapSource) -> SourceFolder:
    return found.folders()[0]


def all_of(found: ImapSource, folder: SourceFolder) -> dict[int, bytes]:
    return {
        each.uid: each.body[0 : len(each.body)]
        for each in found.messages(folder)
        if isinstance(each, RawMessage)
    }


@EVERYBODY
def test_our_client_finds_in_every_personality_what_the_mailbox_holds(personality: Personality) -> None:
    with ImapServer(personality) as server, source(server) as found:
        work = f"{personality.prefix}Größe & Co"
        server.mailbox.create(work)
        bodies = [LETTER.replace(b"One", b"%d" % number) for number in range(30)]
        for number, body in enumerate(bodies):
            server.mailbox.append(
                "INBOX" if number % 2 else work, body, {"\\Seen", "blue"} if number % 3 else set()
            )
        names = {each.name: each for each in found.folders()}
        assert {name for name, each in names.items() if each.is_selectable} == set(server.mailbox.folders)
        for name in ("INBOX", work):
            held = server.mailbox.folder(name).entries
            assert all_of(found, names[name]) == {uid: each.letter.raw for uid, each in held.items()}
            assert found.state(names[name]).uids == {uid: each.words for uid, each in held.items()}


@EVERYBODY
def test_the_kinds_of_folders_are_known_where_the_server_or_their_names_tell(
    personality: Personality,
) -> None:
    with ImapServer(personality) as server, source(server) as found:
        assert {"inbox", "sent"} <= {each.type for each in found.folders()}


def test_what_changed_is_told_by_condstore_and_what_went_by_qresync() -> None:
    with ImapServer(DOVECOT) as server, source(server) as found:
        for number in range(5):
            server.mailbox.append("INBOX", LETTER + b"%d" % number)
        folder = inbox_of(found)
        first = found.state(folder)
        server.mailbox.store("INBOX", 2, {"\\Flagged"})
        server.mailbox.expunge("INBOX", [3])
        server.commands.clear()
        second = found.state(folder, first)
        assert second.uids == {uid: frozenset({"\\Flagged"} if uid == 2 else ()) for uid in (1, 2, 4, 5)}
        assert [each for each in server.commands if "FETCH" in each] == [
            f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {first.highestmodseq} VANISHED)"
        ]
        assert not any("SEARCH" in each for each in server.commands)
        assert found.state(folder, second).uids == {}
        assert found.states()["INBOX"] == FolderState(
            uidvalidity=second.uidvalidity,
            uidnext=6,
            highestmodseq=second.highestmodseq,
            exists=4,
            mailbox_id=second.mailbox_id,
        )


def test_gmail_counts_no_deletion_and_shows_a_message_under_each_label() -> None:
    with ImapServer(GMAIL) as server, client(server) as imap:
        server.mailbox.create("Receipts")
        server.mailbox.append("INBOX", LETTER)
        server.mailbox.copy("INBOX", [1], "Receipts")
        before = server.mailbox.folder("INBOX").modseq
        imap.select('"[Gmail]/All Mail"')
        _, found = imap.uid("FETCH", "1:*", "(X-GM-MSGID X-GM-THRID X-GM-LABELS)")
        assert found[0].endswith(b'X-GM-LABELS ("\\\\Inbox" "Receipts") UID 1)')
        imap.uid("STORE", "1", "+X-GM-LABELS", '("\\\\Sent")')
        imap.uid("STORE", "1", "-X-GM-LABELS", '("\\\\Inbox")')
        imap.uid("STORE", "1", "+FLAGS", "(\\Seen)")
        assert server.mailbox.folder("INBOX").modseq == before
        assert server.mailbox.held()["[Gmail]/Sent Mail"] == server.mailbox.held()["Receipts"]
        assert not server.mailbox.folder("INBOX").entries
        imap.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
        imap.expunge()
        assert not any(server.mailbox.held().values())


def test_exchange_has_neither_condstore_nor_esearch_and_courier_not_even_uidplus() -> None:
    for personality, refused in ((EXCHANGE, ["SEARCH"]), (COURIER, ["SEARCH", "MOVE", "EXPUNGE"])):
        with ImapServer(personality) as server, client(server) as imap:
            server.mailbox.append("INBOX", LETTER)
            imap.select("INBOX")
            said = {
                "SEARCH": lambda: imap.uid("SEARCH", "RETURN (ALL) ALL"),
                "MOVE": lambda: imap.uid("MOVE", "1", "Trash"),
                "EXPUNGE": lambda: imap.uid("EXPUNGE", "1"),
            }
            for each in refused:
                with pytest.raises(imaplib.IMAP4.error):
                    said[each]()
            with pytest.raises(imaplib.IMAP4.error):
                imap.uid("FETCH", "1:*", "(FLAGS) (CHANGEDSINCE 1)")
            assert imap.uid("SEARCH", "ALL")[1] == [b"1"]  # pyright: ignore[reportArgumentType]


def test_courier_keeps_its_folders_below_inbox_with_dots() -> None:
    with ImapServer(COURIER) as server, client(server) as imap:
        assert imap.namespace()[1] == [b'(("INBOX." ".")) NIL NIL']
        assert imap.create("INBOX.Work.2026")[0] == "OK"
        assert b'(\\HasChildren \\Noselect) "." "INBOX.Work"' in imap.list()[1]
        assert "INBOX/Work/2026" in server.mailbox.folders


def test_a_client_changes_copies_moves_and_deletes_as_at_a_real_server() -> None:
    with ImapServer(DOVECOT) as server, client(server) as imap:
        imap.create("Work")
        assert imap.append("INBOX", "(\\Seen blue)", '"02-Jan-2026 03:04:05 +0100"', LETTER)[1] == [
            b"[APPENDUID 1700000000 1] done"
        ]
        imap.append("INBOX", "", '"02-Jan-2026 03:04:05 +0100"', LETTER)
        imap.select("INBOX")
        imap.uid("COPY", "1:2", "Work")
        assert imap.response("COPYUID")[1] == [b"1700000004 1,2 1,2"]
        imap.uid("MOVE", "1", "Work")
        assert imap.uid("SEARCH", "ALL")[1] == [b"2"]  # pyright: ignore[reportArgumentType]
        assert imap.store("1", "+FLAGS", "(\\Deleted)")[1][-1] == b"1 (FLAGS (\\Deleted))"
        assert imap.expunge()[1][-1] == b"1"
        assert imap.rename("Work", "Job")[0] == "OK"
        held = server.mailbox.held()
        assert not held["INBOX"]
        assert [words for _, words in held["Job"].values()] == [
            frozenset({"\\Seen", "blue"}),
            frozenset(),
            frozenset({"\\Seen", "blue"}),
        ]
        assert imap.delete("Job")[0] == "OK"
        assert imap.select("Job")[0] == "NO"
        assert imap.delete("INBOX")[0] == "NO"


def test_what_others_do_is_told_between_commands() -> None:
    with ImapServer(DOVECOT) as server, client(server) as imap:
        for number in range(3):
            server.mailbox.append("INBOX", LETTER + b"%d" % number)
        imap.select("INBOX")
        server.mailbox.expunge("INBOX", [1, 3])
        server.mailbox.append("INBOX", LETTER)
        imap.noop()
        assert imap.response("EXPUNGE")[1] == [b"3", b"1"]
        assert imap.response("EXISTS")[1][-1] == b"2"
        assert imap.fetch("2", "(UID)")[1] == [b"2 (UID 4)"]


def test_our_appender_puts_a_message_there_and_finds_it_again() -> None:
    with (
        ImapServer(DOVECOT) as server,
        ImapAppender(
            host="127.0.0.1",
            port=server.port,
            encryption="none",
            who=Password(username=server.username, password=server.password),
        ) as mailbox,
    ):
        sent = mailbox.folder("sent")
        assert mailbox.find(sent, "one@example.test") is None
        put = mailbox.append(sent, LETTER, flags=["\\Seen"], moment=datetime(2026, 1, 2, tzinfo=UTC))
        assert put.uid == 1
        assert mailbox.find(sent, "one@example.test") == put


def test_compression_is_spoken() -> None:
    with ImapServer(DOVECOT) as server, source(server, compresses=True) as found:
        server.mailbox.append("INBOX", LETTER * 100)
        assert all_of(found, inbox_of(found)) == {1: LETTER * 100}
        assert "COMPRESS DEFLATE" in server.commands


@pytest.mark.parametrize("kind", ["cut", "stall", "garbage", "refuse", "twice", "literal", "silent"])
@pytest.mark.parametrize("after", [0, 40, 150])
@pytest.mark.parametrize("count", [1, 8])
def test_after_a_fault_in_the_bodies_everything_is_fetched_all_the_same(
    kind: str, after: int, count: int
) -> None:
    """Also what comes alone, as most new mail does: the line is to blame, and not the message."""
    with ImapServer(DOVECOT) as server, source(server, timeout_seconds=0.5) as found:
        for number in range(count):
            server.mailbox.append("INBOX", LETTER + b"%d" % number)
        folder = inbox_of(found)
        uids = list(found.state(folder).uids)
        fault = Fault(kind=kind, command="FETCH", nth=2, after=after)  # pyright: ignore[reportArgumentType]
        server.script = Script([fault])
        got = {each.uid: each for each in found.messages(folder, uids)}
        assert not server.script.left
        assert set(got) == set(uids)
        assert all(isinstance(each, RawMessage) for each in got.values())


@pytest.mark.parametrize("count", [1, 3])
def test_a_message_that_is_announced_shorter_than_it_is_is_not_taken_for_a_shorter_one(count: int) -> None:
    """What is left of it looks like the end of its reply; the size that the server tells does not fit (found by a history)."""
    letter = LETTER + b"(and so on)\r\n"
    with ImapServer(DOVECOT) as server, source(server) as found:
        for _ in range(count):
            server.mailbox.append("INBOX", letter)
        folder = inbox_of(found)
        uids = list(found.state(folder).uids)
        server.script = Script([Fault(kind="literal", command="FETCH", nth=2, after=-3)])
        got = list(found.messages(folder, uids))
        assert not server.script.left
        assert [bytes(each.body[:]) for each in got if isinstance(each, RawMessage)] == [letter] * count


@pytest.mark.parametrize("kind", ["bye", "throttle"])
def test_a_server_that_asks_for_a_pause_gets_it(kind: str) -> None:
    with ImapServer(DOVECOT) as server, source(server) as found:
        server.mailbox.append("INBOX", LETTER)
        server.script = Script([Fault(kind=kind, command="EXAMINE")])  # pyright: ignore[reportArgumentType]
        with pytest.raises(SourceError):
            found.state(inbox_of(found))


def test_a_script_is_played_once_and_tells_what_is_left() -> None:
    faults = [Fault(kind="cut", nth=2), Fault(kind="bye", command="*", nth=3), Fault(kind="twice", nth=9)]
    script = Script(faults)
    assert script.due("FETCH") == []
    assert script.due("FETCH") == faults[:1]
    assert script.due("NOOP") == faults[1:2]
    assert script.left == (faults[2],)


def test_what_is_wrong_with_a_message_goes_wrong_again() -> None:
    lasting = Fault(kind="cut", nth=2, times=2)
    script = Script([lasting])
    assert [script.due("FETCH") for _ in range(4)] == [[], [lasting], [lasting], []]
    assert script.left == ()


def test_a_liar_says_numbers_that_are_not_so_and_words_that_nobody_asked_for() -> None:
    with ImapServer(LIAR) as server, client(server) as imap:
        for number in range(4):
            server.mailbox.append("INBOX", LETTER + b"%d" % number)
        told = {imap.status("INBOX", "(MESSAGES UIDNEXT)")[1][0] for _ in range(6)}
        assert len(told) > 3
        imap.select("INBOX")
        imap.uid("FETCH", "1:4", "(FLAGS)")
        assert imap.response("EXPUNGE")[1] == [b"1"]
