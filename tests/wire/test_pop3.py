"""POP3 against a real Dovecot: encryption, sign-in, deletion."""

from __future__ import annotations

import pytest

from postroom.errors import CertificateRefused, ConnectionFailed, SignInRefused
from postroom.model import Encryption
from postroom.wire.pop3 import INBOX, Pop3Source, uid_of
from postroom.wire.sasl import Password
from tests.support.dovecot import Dovecot, free_ports
from tests.wire.contract import letter, read


def _source(dovecot: Dovecot, encryption: Encryption = "none", *, trusted: bool = True, password: str = ""):
    return Pop3Source(
        host="localhost",
        port=dovecot.pop3s_port if encryption == "tls" else dovecot.pop3_port,
        encryption=encryption,
        who=Password(username="alice", password=password or dovecot.password("alice")),
        ca_file=dovecot.ca_file if trusted else None,
        timeout_seconds=10,
    )


@pytest.mark.parametrize("encryption", ["none", "tls", "starttls"])
def test_the_mail_comes_under_every_encryption(dovecot: Dovecot, encryption: Encryption):
    dovecot.fill("alice", "INBOX", [letter(n) for n in range(3)])
    with _source(dovecot, encryption) as source:
        assert [bytes(each.body[:]) for each in read(source, INBOX)] == [letter(n) for n in range(3)]
        assert source.mechanism == "PLAIN"


@pytest.mark.parametrize("encryption", ["tls", "starttls"])
def test_an_unknown_certificate_is_refused_before_the_password_is_sent(
    dovecot: Dovecot, encryption: Encryption
):
    with pytest.raises(CertificateRefused, match="Nothing was sent"):
        _source(dovecot, encryption, trusted=False).folders()


def test_a_wrong_password_is_one_sentence_without_it(dovecot: Dovecot):
    with pytest.raises(SignInRefused) as caught:
        _source(dovecot, password="hunter2").folders()
    assert "hunter2" not in str(caught.value)


def test_a_long_password_beyond_ascii_signs_in(dovecot: Dovecot):
    dovecot.add_user("juergen", "päss wörd " + "x" * 300)
    source = Pop3Source(
        host=dovecot.host,
        port=dovecot.pop3_port,
        encryption="none",
        who=Password(username="juergen", password=dovecot.password("juergen")),
    )
    with source:
        assert source.folders() == (INBOX,)


def test_nobody_listens(dovecot: Dovecot):
    source = Pop3Source(
        host="127.0.0.1", port=free_ports(1)[0], encryption="none", who=Password(username="a", password="b")
    )
    with pytest.raises(ConnectionFailed, match="nothing listens there"):
        source.folders()


def test_only_what_is_told_to_is_removed_and_the_uids_of_the_rest_stay(dovecot: Dovecot):
    dovecot.fill("alice", "INBOX", [letter(n) for n in range(6)])
    with _source(dovecot) as source:
        before = list(source.state(INBOX).uids)
        assert source.remove([before[1], before[4], uid_of(b"never seen")]) == 2
        assert list(source.state(INBOX).uids) == [before[n] for n in (0, 2, 3, 5)]
        assert [bytes(each.body[:]) for each in read(source, INBOX)] == [letter(n) for n in (0, 2, 3, 5)]


def test_reading_deletes_nothing(dovecot: Dovecot):
    dovecot.fill("alice", "INBOX", [letter(n) for n in range(6)])
    for _ in range(2):
        with _source(dovecot) as source:
            assert len(read(source, INBOX)) == 6
