"""An account on a real server: Dovecot with all extensions, and with none."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroom.errors import CertificateRefused, ConnectionFailed, SignInRefused, SourceError, UsageError
from postroom.model import FolderState, RawMessage, SourceFolder, Unreadable
from postroom.wire import imap_login
from postroom.wire.imap import ImapSource, proves_unchanged
from postroom.wire.imap_fetch import batches
from postroom.wire.sasl import Password
from tests.support.dovecot import Dovecot, free_ports, make_certificate, running_dovecot

ODD_PASSWORDS = ['say "hi"', "back\\slash", " a b ", "Überraschung€", "(){*%]", "{3}", "x" * 500]
HELLO = b"From: a@example.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"


def source(server: Dovecot, user: str = "alice", **changes) -> ImapSource:
    arguments = {
        "host": server.host,
        "port": server.imaps_port,
        "encryption": "tls",
        "username": user,
        "password": server.password(user),
        "ca_file": server.ca_file,
        "timeout_seconds": 20,
    }
    return ImapSource(**{**arguments, **changes})


def folder(imap: ImapSource, name: str = "INBOX") -> SourceFolder:
    return next(one for one in imap.folders() if one.name == name)


def numbered(count: int) -> list[bytes]:
    return [b"Subject: %d\r\n\r\n%d\r\n" % (n, n) for n in range(1, count + 1)]


# Signing in


@pytest.mark.parametrize("encryption", ["tls", "starttls", "none"])
def test_the_mail_comes_byte_for_byte_under_every_encryption(dovecot: Dovecot, encryption: str):
    dovecot.fill("alice", "INBOX", [HELLO], flags=["\\Flagged"], first_date=1_800_000_000)
    port = dovecot.imaps_port if encryption == "tls" else dovecot.imap_port
    with source(dovecot, encryption=encryption, port=port) as imap:
        (message,) = imap.messages(folder(imap))
    assert isinstance(message, RawMessage)
    assert (message.uid, bytes(message.body[:])) == (1, HELLO)
    assert (message.flags, message.keywords) == ({"\\Flagged"}, frozenset())
    assert message.internal_date == datetime.fromtimestamp(1_800_000_000, UTC)
    assert message.where == "127.0.0.1 INBOX, UID 1"


@pytest.mark.parametrize("number", range(len(ODD_PASSWORDS)))
@pytest.mark.parametrize("has_sasl", [True, False])
def test_odd_passwords_sign_in(dovecot: Dovecot, poor_dovecot: Dovecot, number: int, has_sasl: bool):
    server = dovecot if has_sasl else poor_dovecot
    server.add_user(f"odd{number}", ODD_PASSWORDS[number])
    with source(server, f"odd{number}") as imap:
        assert folder(imap).name == "INBOX"


@pytest.mark.parametrize("number", range(len(ODD_PASSWORDS)))
def test_odd_passwords_sign_in_by_login_where_there_is_no_sasl(dovecot: Dovecot, number: int):
    dovecot.add_user(f"odd{number}", ODD_PASSWORDS[number])
    connection = imap_login.connect(
        host=dovecot.host, port=dovecot.imap_port, encryption="none", ca_file=None, timeout_seconds=20
    )
    connection.capabilities = frozenset({"IMAP4REV1"})
    imap_login.sign_in(connection, Password(username=f"odd{number}", password=ODD_PASSWORDS[number]))
    assert "CONDSTORE" in connection.capabilities
    connection.close()


@pytest.mark.parametrize("password", ["wrong", "fälsch", ""])
def test_a_wrong_password_is_refused_in_the_servers_words(dovecot: Dovecot, password: str):
    with pytest.raises(SignInRefused, match=r"Authentication failed") as refusal:
        source(dovecot, password=password).__enter__()
    assert "127.0.0.1" in str(refusal.value)
    assert "alice-pw" not in str(refusal.value)


def test_a_nul_in_a_password_is_never_sent(dovecot: Dovecot):
    with pytest.raises(SignInRefused, match="NUL"):
        source(dovecot, password="a\0b").__enter__()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "bad..name", "x" * 70 + ".test"])
def test_a_host_that_does_not_exist_is_named(dovecot: Dovecot, host: str):
    with pytest.raises(ConnectionFailed, match="there is no host named"):
        source(dovecot, host=host).__enter__()


def test_a_port_where_nobody_listens_is_said(dovecot: Dovecot):
    with pytest.raises(ConnectionFailed, match="nothing listens there"):
        source(dovecot, port=free_ports(1)[0]).__enter__()


@pytest.mark.parametrize("encryption", ["tls", "starttls"])
def test_an_unknown_certificate_is_refused_before_anything_is_sent(dovecot: Dovecot, encryption: str):
    port = dovecot.imaps_port if encryption == "tls" else dovecot.imap_port
    with pytest.raises(CertificateRefused, match=r"self-signed certificate.*POSTROOM_CA_FILE"):
        source(dovecot, ca_file=None, port=port, encryption=encryption).__enter__()


def test_a_certificate_for_another_name_is_refused(dovecot: Dovecot, tmp_path: Path):
    with running_dovecot(certificate_name="mail.example.test") as other:
        with pytest.raises(CertificateRefused, match="IP address mismatch"):
            source(other).__enter__()
        with pytest.raises(CertificateRefused, match="Hostname mismatch"):
            source(other, host="localhost").__enter__()
    with pytest.raises(CertificateRefused):
        source(dovecot, ca_file=make_certificate(tmp_path, "mail.example.test")).__enter__()


def test_a_ca_file_without_certificates_is_a_mistake_of_the_user(dovecot: Dovecot, tmp_path: Path):
    (tmp_path / "empty.pem").write_text("nothing")
    for path in (tmp_path / "empty.pem", tmp_path / "missing.pem"):
        with pytest.raises(UsageError, match="CA file"):
            source(dovecot, ca_file=path).__enter__()


def test_tls_on_a_plain_port_and_plain_on_a_tls_port_end_with_a_sentence(dovecot: Dovecot):
    with pytest.raises(ConnectionFailed, match="TLS handshake"):
        source(dovecot, port=dovecot.imap_port).__enter__()
    with pytest.raises(ConnectionFailed):
        source(dovecot, encryption="none", timeout_seconds=1).__enter__()


# Folders


def test_folders_have_their_names_and_types(dovecot: Dovecot):
    dovecot.fill("alice", 'Ärger & mehr/日本 "x"', [HELLO])
    with source(dovecot) as imap:
        found = {one.name: one for one in imap.folders()}
        (message,) = imap.messages(found['Ärger & mehr/日本 "x"'])
    assert [(one.name, one.type) for one in found.values()][:2] == [
        ("INBOX", "inbox"),
        ("Archive", "archive"),
    ]
    assert found["Junk"].type == "spam"
    assert not found["Ärger & mehr"].is_selectable
    assert len(message.body) == len(HELLO)


def test_a_server_without_special_use_still_gives_types(poor_dovecot: Dovecot):
    with source(poor_dovecot) as imap:
        types = {one.name: one.type for one in imap.folders()}
    assert sorted(types) == ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]
    assert list(types.values()) == ["inbox", "archive", "drafts", "spam", "sent", "trash"]


def test_a_folder_that_is_not_there_is_named_with_the_servers_words(dovecot: Dovecot):
    with source(dovecot) as imap:
        with pytest.raises(SourceError, match=r"Nowhere on 127\.0\.0\.1 .*doesn't exist"):
            imap.state(SourceFolder(name="Nowhere", wire_name="Nowhere"))
        assert imap.state(folder(imap)).exists == 0


# What a folder holds


@pytest.mark.parametrize("kind", ["full", "poor"])
def test_the_state_has_every_uid_with_flags_and_keywords(kind: str, request: pytest.FixtureRequest):
    server: Dovecot = request.getfixturevalue("dovecot" if kind == "full" else "poor_dovecot")
    server.fill("alice", "INBOX", numbered(3), flags=["\\Seen"])
    with server.imap("alice") as owner:
        owner.select("INBOX")
        owner.store("2", "FLAGS", "(\\Answered $Work)")
    with source(server) as imap:
        state = imap.state(folder(imap))
    assert state.uids == {1: {"\\Seen"}, 2: {"\\Answered", "$Work"}, 3: {"\\Seen"}}
    assert (state.exists, state.uidnext) == (3, 4)
    assert (state.highestmodseq is None) == (kind == "poor")


def test_nothing_new_is_proved_by_numbers_and_any_change_is_seen(dovecot: Dovecot):
    dovecot.fill("alice", "INBOX", numbered(3))
    with source(dovecot) as imap, dovecot.imap("alice") as owner:
        inbox = folder(imap)
        owner.select("INBOX")
        before = imap.state(inbox)

        def change() -> FolderState:
            nonlocal before
            after = imap.state(inbox, before)
            assert after.uids
            assert after != before
            before = after
            return after

        assert imap.state(inbox, before) == FolderState(
            uidvalidity=before.uidvalidity, uidnext=4, highestmodseq=before.highestmodseq, exists=3
        )
        owner.store("1", "+FLAGS", "\\Seen")
        assert change().uids[1] == {"\\Seen"}
        owner.store("2", "+FLAGS", "\\Deleted")
        owner.expunge()
        assert set(change().uids) == {1, 3}
        owner.append("INBOX", None, None, HELLO)
        assert set(change().uids) == {1, 3, 4}


def test_one_round_trip_tells_of_all_folders(dovecot: Dovecot):
    dovecot.fill("alice", "Ärger", numbered(2))
    with source(dovecot) as imap:
        states = imap.states()
        for one in imap.folders():
            single = imap.state(one)
            assert states[one.wire_name].uidnext == single.uidnext
            assert states[one.wire_name].exists == single.exists
            assert imap.state(one, states[one.wire_name]).uids == {}


def test_without_condstore_nothing_is_proved(poor_dovecot: Dovecot):
    poor_dovecot.fill("alice", "INBOX", numbered(2))
    with source(poor_dovecot) as imap:
        assert imap.states() == {}
        state = imap.state(folder(imap))
        assert imap.state(folder(imap), state).uids == state.uids


@pytest.mark.parametrize("field", ["uidvalidity", "uidnext", "highestmodseq", "exists"])
def test_one_number_that_differs_is_no_proof(field: str):
    numbers = {"uidvalidity": 1, "uidnext": 5, "highestmodseq": 9, "exists": 3}
    known, now = FolderState(**numbers), FolderState(**{**numbers, field: 4})
    assert proves_unchanged(known, known, counts_deletions=False)
    assert not proves_unchanged(known, now, counts_deletions=True)
    unknown = FolderState(**{**numbers, field: None})
    assert not proves_unchanged(unknown, unknown, counts_deletions=False) or field == "exists"


# Bodies


@pytest.mark.parametrize("kind", ["full", "poor"])
def test_messages_come_in_the_order_asked_for_and_stay_unseen(kind: str, request: pytest.FixtureRequest):
    server: Dovecot = request.getfixturevalue("dovecot" if kind == "full" else "poor_dovecot")
    server.fill("alice", "INBOX", numbered(400))
    wanted = [*range(400, 0, -1)]
    with source(server, batch_messages=7) as imap:
        inbox = folder(imap)
        found = list(imap.messages(inbox, wanted))
        assert [one.uid for one in found] == wanted
        assert [bytes(one.body[:]) for one in found] == numbered(400)[::-1]
        assert set(imap.state(inbox).uids.values()) == {frozenset()}


def test_a_message_that_vanished_is_left_out(dovecot: Dovecot):
    dovecot.fill("alice", "INBOX", numbered(5))
    with source(dovecot) as imap, dovecot.imap("alice") as owner:
        inbox = folder(imap)
        uids = list(imap.state(inbox).uids)
        owner.select("INBOX")
        owner.store("2", "+FLAGS", "\\Deleted")
        owner.expunge()
        assert [one.uid for one in imap.messages(inbox, uids)] == [1, 3, 4, 5]


def test_a_loop_left_early_leaves_the_source_usable(dovecot: Dovecot):
    dovecot.fill("alice", "INBOX", numbered(30))
    with source(dovecot, batch_messages=10) as imap:
        inbox = folder(imap)
        assert next(iter(imap.messages(inbox))).uid == 1
        assert next(iter(imap.messages(inbox, [17]))).uid == 17
        assert len(list(imap.messages(inbox))) == 30


def test_two_folders_read_in_turn_do_not_mix(dovecot: Dovecot):
    dovecot.fill("alice", "INBOX", numbered(20))
    dovecot.fill("alice", "Other", [b"Subject: other %d\r\n\r\n" % n for n in range(20)])
    with source(dovecot, batch_messages=3) as imap:
        pairs = zip(imap.messages(folder(imap)), imap.messages(folder(imap, "Other")), strict=True)
        for ours, other in pairs:
            assert bytes(ours.body[:]) == numbered(20)[ours.uid - 1]
            assert bytes(other.body[:]) == b"Subject: other %d\r\n\r\n" % (other.uid - 1)


def test_an_empty_message_and_one_of_many_megabytes_come_whole(dovecot: Dovecot):
    line = b"0123456789abcdef" * 4 + b"\r\n"
    large = b"Subject: large\r\n\r\n" + line * 200_000 + b"the end\r\n"
    dovecot.fill("alice", "INBOX", [b"", large, HELLO])
    with source(dovecot) as imap:
        empty, big, last = imap.messages(folder(imap))
    assert not isinstance(big, Unreadable)
    assert len(empty.body) == 0
    assert not isinstance(big.body, bytes)
    assert len(big.body) == len(large)
    assert big.body[:] == large
    assert big.body.find(b"the end") == len(large) - 9
    assert big.body.find(b"the end", 0, 1000) == -1
    assert big.body[-9:] == b"the end\r\n"
    assert last.body == HELLO


def test_a_large_message_takes_little_memory(dovecot: Dovecot):
    line = b"0123456789abcdef" * 4 + b"\r\n"
    dovecot.fill("alice", "INBOX", [b"Subject: x\r\n\r\n" + line * 1_200_000] * 2)
    program = f"""
from pathlib import Path
from postroom.wire import imap_login
from postroom.wire.imap import ImapSource
with ImapSource(host="127.0.0.1", port={dovecot.imap_port}, encryption="none", username="alice",
                password="alice-pw") as imap:
    print(sum(len(one.body) for one in imap.messages(imap.folders()[0])))
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(out[0]) == 2 * (14 + 66 * 1_200_000)
    assert int(out[1]) < 70_000


def test_batches_are_bounded_by_number_and_by_bytes():
    sizes = {1: 10, 2: 10, 3: 95, 4: 10, 5: 200, 6: 1}
    assert list(batches([1, 2, 3, 4, 5, 6], sizes, 10, 100)) == [[1, 2], [3], [4], [5], [6]]
    assert list(batches(range(1, 6), dict.fromkeys(range(1, 6), 1), 2, 100)) == [[1, 2], [3, 4], [5]]
    assert list(batches([7, 8], {}, 10, 2**20)) == [[7], [8]]
