"""Ctrl-C and SIGTERM at any moment: one sentence, exit code 130, and the next run completes with each message once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from postroom.ops.cluster import Cluster
from postroom.sample import generate
from tests.support.dovecot import Dovecot
from tests.support.hostile_imap import HostileImap
from tests.support.site import Store, running_store

EMAIL = "alice@example.test"
SIGNALS = [signal.SIGINT, signal.SIGTERM]
_BORN_SECONDS = 0.25
"""Until then it is Python that starts, which nobody can ask for good manners."""


def _program(store: Store | SimpleNamespace, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    env = os.environ | {"POSTROOM_HOME": str(store.home), "POSTROOM_BATCH_MESSAGES": "40"} | environment
    command = [sys.executable, "-c", "from postroom.cli import main; main()", *arguments]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _interrupted(running: subprocess.Popen[str], how: signal.Signals, *, within_seconds: float = 10) -> bool:
    """Whether the signal found it at work; then it must have ended well."""
    running.send_signal(how)
    try:
        _, said = running.communicate(timeout=within_seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        running.communicate()
        raise
    said = said.removeprefix("Making the schema\n")
    assert "Traceback" not in said, said
    if running.returncode == 0:
        return False
    assert (running.returncode, said) == (
        130,
        "postroom: Interrupted. What was committed is kept; the same command goes on from there.\n",
    )
    return True


@pytest.mark.parametrize("how", SIGNALS)
def test_an_import_interrupted_at_any_moment_is_completed_by_the_next(
    store: Store, tmp_path: Path, how: signal.Signals
) -> None:
    tenant, box = store.tenant(), tmp_path / "box"
    store.cli("sample", str(box), "--messages", "1500", "--format", "mbox")
    rng, found_at_work = random.Random(int(how)), 0
    for _ in range(6):
        running = _program(store, "import", "-t", tenant, "-a", EMAIL, str(box))
        time.sleep(_BORN_SECONDS + rng.random() * 1.2)
        found_at_work += _interrupted(running, how)
    assert found_at_work > 2
    tally = store.json("import", "-t", tenant, "-a", EMAIL, str(box))
    assert tally["stored"] + tally["already_there"] == 1500
    assert _once_each(store, tenant) == (1500, 1500)


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_an_export_interrupted_at_any_moment_leaves_nothing(store: Store, tmp_path: Path, kind: str) -> None:
    tenant, out = store.tenant(), tmp_path / "there" / "out"
    out.parent.mkdir()
    store.cli("sample", str(tmp_path / "box"), "--messages", "1500", "--format", "mbox")
    store.cli("import", "-t", tenant, "-a", EMAIL, str(tmp_path / "box"))
    export, rng = ("export", "-t", tenant, "-a", EMAIL, "-f", kind, str(out)), random.Random(13)
    for how in SIGNALS * 2:
        running = _program(store, *export)
        time.sleep(_BORN_SECONDS + rng.random())
        if not _interrupted(running, how):
            break
        assert list(out.parent.iterdir()) == []
    else:
        assert store.cli(*export).stdout.startswith("1,500 messages")
    assert list(out.parent.iterdir()) == [out]


def _once_each(store: Store, tenant: str) -> tuple[int, int]:
    with store.connect("postgres") as connection:
        question = (
            "select count(*), count(distinct m.id) from email_placements p"
            " join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id"
            " join email_tenants t on t.tenant_id = p.tenant_id where t.name = %s and p.vanished_at is null"
        )
        row = connection.execute(question, [tenant]).fetchone()
    assert row
    return row[0], row[1]


@pytest.mark.parametrize("how", SIGNALS)
def test_a_sync_interrupted_at_any_moment_is_completed_by_the_next(
    store: Store, dovecot: Dovecot, how: signal.Signals
) -> None:
    dovecot.fill("alice", "INBOX", [each.raw for each in generate(2400, 11)])
    tenant = _account(store, dovecot.imap_port, dovecot.password("alice"))
    rng, found_at_work = random.Random(int(how)), 0
    for _ in range(5):
        running = _program(store, "sync", "-t", tenant, "-a", EMAIL)
        time.sleep(_BORN_SECONDS + rng.random() * 1.2)
        found_at_work += _interrupted(running, how)
    assert found_at_work > 2
    store.json("sync", "-t", tenant, "-a", EMAIL)
    assert _once_each(store, tenant)[0] == 2400


@pytest.mark.parametrize("moment", ["greeting", "flags", "body"])
def test_a_server_that_stalls_does_not_hold_up_ctrl_c(store: Store, moment: str) -> None:
    with HostileImap({1: next(iter(generate(1, 3))).raw}) as server:
        tenant = _account(store, server.port, "secret")
        server.greeting = b"" if moment == "greeting" else server.greeting
        if moment == "flags":
            server.answers["UID FETCH"] = lambda _: time.sleep(30) or b""
        server.tricks = {1: "stall"} if moment == "body" else {}
        running = _program(store, "sync", "-t", tenant, "-a", EMAIL)
        _until(lambda: _state(store, tenant) == "syncing")
        assert _interrupted(running, signal.SIGINT, within_seconds=5)
    assert _state(store, tenant) == "the sync was interrupted"


def _account(store: Store, port: int, password: str) -> str:
    tenant = store.tenant()
    options = ("--email", EMAIL, "--username", "alice", "--host", "127.0.0.1", "--port", str(port))
    plain = ("--encryption", "none", "--password-stdin")
    store.cli("account", "add", "-t", tenant, *options, *plain, stdin=password + "\n")
    return tenant


@pytest.mark.parametrize("how", SIGNALS)
def test_a_server_in_the_foreground_stops_with_its_program(how: signal.Signals) -> None:
    with running_store() as own:
        running = _program(own, "up")
        assert running.stderr
        assert running.stderr.readline().startswith("Ready: ")
        running.send_signal(how)
        _, said = running.communicate(timeout=30)
        assert (running.returncode, said) == (0, "Stopped.\n")
        assert not Cluster(own.home).status().running


def test_a_first_start_interrupted_anywhere_is_completed_by_the_next() -> None:
    rng, place = random.Random(12), Path(tempfile.mkdtemp(prefix="postroom-test-", dir="/tmp"))
    place.chmod(0o755)
    own = SimpleNamespace(home=place / "home")
    try:
        for _ in range(4):
            running = _program(own, "tenant", "list")
            time.sleep(_BORN_SECONDS + rng.random())
            _interrupted(running, signal.SIGINT, within_seconds=30)
        assert Store(place / "home").json("tenant", "list") == {"items": []}
    finally:
        Cluster(place / "home").stop()
        shutil.rmtree(place)


def test_a_sync_that_was_killed_is_told_from_one_that_works(store: Store) -> None:
    with HostileImap({1: next(iter(generate(1, 3))).raw}, tricks={1: "stall"}) as server:
        tenant = _account(store, server.port, "secret")
        running = _program(store, "sync", "-t", tenant, "-a", EMAIL)
        _until(lambda: _state(store, tenant) == "syncing")
        _long_ago(store, tenant)
        _until(lambda: _heard_of(store, tenant))
        assert _state(store, tenant) == "syncing"
        running.kill()
        running.communicate()
        _long_ago(store, tenant)
        assert _state(store, tenant) == "the sync was interrupted"
        assert _column(store, tenant, "is_syncing") is False
        server.tricks.clear()
        assert store.json("sync", "-t", tenant, "-a", EMAIL)["stored"] == 1
    assert _state(store, tenant) == "ok"


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _state(store: Store, tenant: str) -> str:
    return next(row["state"] for row in store.json("status")["accounts"] if row["tenant"] == tenant)


def _column(store: Store, tenant: str, name: str) -> object:
    with store.connect("postgres") as connection:
        question = (
            f"select a.{name} from email_accounts a join email_tenants t using (tenant_id) where t.name = %s"
        )
        return connection.execute(question.encode(), [tenant]).fetchall()[0][0]


def _long_ago(store: Store, tenant: str) -> None:
    """Let two minutes pass."""
    with store.connect("postgres") as connection:
        connection.execute(
            "update email_accounts a set updated_at = a.updated_at - 120000 from email_tenants t"
            " where t.tenant_id = a.tenant_id and t.name = %s",
            [tenant],
        )


def _heard_of(store: Store, tenant: str) -> bool:
    said = _column(store, tenant, "updated_at")
    assert isinstance(said, int)
    return said > time.time() * 1000 - 60_000
