"""When a failed sync is tried again: by what went wrong, later each time, never sooner than the server asked."""

from __future__ import annotations

import pytest

from postroom.errors import (
    CertificateRefused,
    ConnectionDropped,
    ConnectionFailed,
    DatabaseFull,
    PostroomError,
    ServerMisbehaved,
    SignInRefused,
    SourceError,
    Throttled,
)
from postroom.store.jobs import Advance
from postroom.sync.progress import Progress
from postroom.sync.retry import after, spread
from postroom.wire.throttling import asks_for_patience, named_seconds

WHERE = "imap.example.com:993"
HOUR = 3600


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (SignInRefused(where=WHERE, reason="Authentication failed"), "refused"),
        (CertificateRefused(where=WHERE, reason="self-signed"), "refused"),
        (ConnectionFailed(where=WHERE, reason="nothing listens there"), "unreachable"),
        (ConnectionFailed(where=WHERE, reason="no answer for 60 seconds"), "unreachable"),
        (ConnectionDropped(where=WHERE, reason="the server closed the connection"), "unreachable"),
        (Throttled(where=WHERE, reason="slow down", until="12:30"), "throttled"),
        (
            ConnectionFailed(
                where=WHERE, reason="the server ended the connection: Too many simultaneous connections"
            ),
            "throttled",
        ),
        (SourceError(where=WHERE, reason="the server gives no flags (Request is throttled)"), "throttled"),
        (ServerMisbehaved(where=WHERE, reason="it lists no folder"), "server"),
        (DatabaseFull(reason="no space"), "store"),
        (PostroomError(reason="?"), "unexpected"),
        (ZeroDivisionError(), "unexpected"),
    ],
)
def test_each_kind_of_trouble_has_its_name(error: Exception, trouble: str) -> None:
    assert after(error, 0, lambda: 0.5).trouble == trouble


def test_it_waits_longer_each_time_up_to_a_limit_and_never_overflows() -> None:
    error = ConnectionFailed(where=WHERE, reason="nothing listens there")
    waits = [after(error, failures, lambda: 0.5).seconds for failures in range(12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == (15, 30, HOUR)
    assert after(error, 100_000, lambda: 1.0).seconds == 1.25 * HOUR


def test_a_refused_password_waits_an_hour_at_least() -> None:
    error = SignInRefused(where=WHERE, reason="Authentication failed")
    assert after(error, 0, lambda: 0.5).seconds == HOUR
    assert after(error, 9, lambda: 0.5).seconds == 24 * HOUR


def test_accounts_that_fail_together_do_not_come_back_together() -> None:
    error = ConnectionFailed(where=WHERE, reason="nothing listens there")
    assert after(error, 3, lambda: 0.0).seconds < after(error, 3, lambda: 1.0).seconds
    assert spread(100, lambda: 0.0) < 100 < spread(100, lambda: 1.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Request is throttled. Suggested Backoff Time: 299961 milliseconds", 299.961),
        ("Rate limit hit, try again in 10 minutes", 600),
        ("Too many login failures. Try again after 30 seconds", 30),
        ("Account exceeded command or bandwidth limits. Wait 1 hour", 3600),
        ("Too many simultaneous connections. (Failure)", None),
        ("Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)", None),
        ("try again in 99999999 hours", 24 * HOUR),
    ],
)
def test_the_time_that_a_server_names_is_kept_to(text: str, seconds: float | None) -> None:
    assert asks_for_patience(text)
    assert named_seconds(text) == seconds
    verdict = after(Throttled(where=WHERE, reason=text, until="12:30"), 0, lambda: 0.0)
    assert verdict.seconds >= (seconds or 0)
    if seconds:
        assert verdict.seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["Invalid credentials", "Mailbox does not exist", "no answer for 60 seconds", "Logging out"]
)
def test_other_refusals_are_not_taken_for_it(text: str) -> None:
    assert not asks_for_patience(text)


def test_the_time_left_is_of_what_is_known_to_be_missing() -> None:
    now = [100.0]
    progress = Progress(lambda: now[0])
    assert progress.advance() == Advance(done=0, expected=None)
    progress.expected = lambda: 400
    assert progress.advance() == Advance(done=0, expected=400)
    now[0] = 110.0
    progress.report("INBOX", 100, 200)
    assert progress.advance() == Advance(done=100, expected=400, left_ms=30_000)
    progress.expected = lambda: None
    assert progress.advance().left_ms is None


def test_the_pace_is_that_of_late() -> None:
    now = [0.0]
    progress = Progress(lambda: now[0])
    progress.expected = lambda: 10_000
    for second in range(1, 1001):
        now[0] = second
        progress.report("INBOX", second * 4 if second < 900 else 3600 + (second - 900), 10_000)
    advance = progress.advance()
    assert advance.done == 3700
    assert advance.left_ms == pytest.approx(6300 * 1000, rel=0.01)


def test_when_nothing_comes_the_time_left_grows() -> None:
    now = [0.0]
    progress = Progress(lambda: now[0])
    progress.expected = lambda: 100
    now[0] = 1.0
    progress.report("INBOX", 50, 100)
    soon = progress.advance().left_ms
    now[0] = 61.0
    later = progress.advance().left_ms
    assert soon is not None
    assert later is not None
    assert later > 10 * soon
