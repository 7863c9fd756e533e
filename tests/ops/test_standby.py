"""A standby: it follows, it takes over, and what was acknowledged is there afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from postroom.ops import members
from postroom.ops.cluster import Cluster
from postroom.ops.home import Home, load_secrets
from postroom.ops.making import SUPERUSER
from postroom.ops.postmaster import find_postmaster
from tests.support.ledger import writing
from tests.support.pages import block, run_block
from tests.support.service import new_key, running_service
from tests.support.site import Store, running_store

EMAIL = "me@example.com"
PAGE = "howto/run-a-standby.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A store with a synchronous standby, a service on it, and a tenant."""

    store: Store
    other: Path
    client: httpx.Client
    account: str

    @property
    def homes(self) -> dict[str, Home]:
        known = members.read(self.store.home) or members.read(self.other)
        assert known
        return {each.name: Home(Path(str(each.home))) for each in known.members}

    def status(self, home: Path | None = None) -> dict[str, Any]:
        """By the command, whose exit code is 11 when something is to be done."""
        done = self.at(home or self.store.home, "standby", "status", "--json", check=False)
        found = json.loads(done.stdout)
        assert done.returncode == (11 if found["trouble"] else 0), done
        return found

    def role(self, name: str) -> str:
        return next(each["role"] for each in self.status()["members"] if each["name"] == name)

    def at(self, home: Path, *arguments: str, check: bool = True) -> Any:
        return self.store.cli("--data-dir", str(home), *arguments, check=check)

    def ask(self, name: str, question: str) -> Any:
        """A member itself, whatever it is."""
        home = self.homes[name]
        known = members.read(home.path)
        assert known
        where = {"host": known[name].host, "port": known[name].port, "dbname": "email_service"}
        secret = load_secrets(home.path)[SUPERUSER]
        with psycopg.connect(**where, user="postgres", password=secret, autocommit=True) as connection:
            return connection.execute(question.encode()).fetchall()[0][0]

    def primary(self) -> str:
        return self.status()["primary"]

    def let_home_lead(self) -> None:
        """As the page has it, whichever tests came before."""
        if self.primary() != "home":
            self.store.cli("standby", "switchover")

    def kill(self, name: str) -> None:
        running = find_postmaster(self.homes[name].data)
        assert running
        os.kill(running.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="postroom-pair-", dir="/tmp"))
    folder.chmod(0o755)
    other = folder / "other"
    try:
        with running_store() as store:
            store.cli("tenant", "create", "acme")
            box = folder / "box"
            store.cli("sample", str(box), "--messages", "5")
            store.cli("import", "-t", "acme", "-a", EMAIL, str(box))
            made = run_block(block(PAGE, "standby create"), store, folder)
            assert "other follows home" in made.stdout
            assert "each commit waits for it" in made.stdout
            with running_service(store, tmp_path_factory.mktemp("pair")) as service:
                client = service.client(new_key(store, "acme"))
                account = client.get("/v1/accounts").json()["items"][0]["id"]
                yield Pair(store=store, other=other, client=client, account=account)
    finally:
        Cluster(other).stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def test_status_shows_who_leads_and_how_far_the_other_is(pair: Pair) -> None:
    found = pair.status()
    assert (found["primary"], found["waits_for"], found["trouble"]) == ("home", ["other"], None)
    follower = next(each for each in found["members"] if each["name"] == "other")
    assert (follower["role"], follower["state"], follower["synchronous"]) == ("standby", "streaming", True)
    from_there = pair.status(pair.other)  # how far it is changes from moment to moment; who is what does not
    assert [(each["name"], each["role"]) for each in from_there["members"]] == [
        (each["name"], each["role"]) for each in found["members"]
    ]
    assert "streaming, sync" in pair.at(pair.other, "standby", "status").stdout


def test_a_standby_that_does_not_replay_is_behind_in_bytes_and_seconds(pair: Pair) -> None:
    pair.ask("other", "select pg_wal_replay_pause()::text")
    try:
        # A commit waits until the standby has it on its disk, not until it shows it.
        pair.store.tenant()
        time.sleep(0.3)
        (line,) = [each for each in pair.status()["members"] if each["name"] == "other"]
        assert line["behind_bytes"] > 0
    finally:
        pair.ask("other", "select pg_wal_replay_resume()::text")


def test_the_programs_reach_the_primary_from_either_home(pair: Pair) -> None:
    name = f"t{time.monotonic_ns()}"
    pair.at(pair.other, "tenant", "create", name)
    assert name in pair.store.cli("tenant", "list").stdout
    url = pair.at(pair.other, "url").stdout
    assert "target_session_attrs=primary" in url


def test_the_log_is_kept_for_a_standby_up_to_a_bound(pair: Pair) -> None:
    leader = pair.primary()
    assert pair.ask(leader, "select current_setting('max_slot_wal_keep_size')") == "2GB"
    assert pair.ask(leader, "select active from pg_replication_slots where slot_name = 'postroom_other'")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--into", "HERE"), "A store lives in"),
        (("--into", "FULL"), "is not empty"),
        (("--into", "KEYS"), "is of another store"),
        (("--into", "NEW", "--name", "other"), "cannot be the name"),
        (("--into", "NEW", "--port", "PORT"), "is in use"),
        (("--into", "NEW", "--slot-limit", "much"), "write a size such as"),
    ],
)
def test_what_cannot_become_a_standby_is_refused(
    pair: Pair, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "master.key").write_text("of mail that somebody still has a backup of")
    known = members.read(pair.store.home)
    assert known
    words = {
        "HERE": str(pair.store.home),
        "FULL": str(full),
        "KEYS": str(keys),
        "NEW": str(tmp_path / "new"),
        "PORT": str(known.me.port),
    }
    done = pair.store.cli("standby", "create", *(words.get(each, each) for each in options), check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "new").exists()
    assert (keys / "master.key").exists()
    assert members.read(pair.store.home) == known


def test_a_killed_primary_is_replaced_and_nothing_acknowledged_is_lost(pair: Pair) -> None:
    pair.let_home_lead()
    leader = pair.primary()
    (follower,) = set(pair.homes) - {leader}
    with writing(pair.client, pair.account) as ledger:
        ledger.wait_for_writes(20)
        pair.kill(leader)
        killed_at = time.monotonic()
        done = run_block(block(PAGE, "standby promote"), pair.store, pair.other.parent)
        assert "Nothing that was acknowledged is lost" in done.stderr
        ledger.wait_for_write_after(killed_at, 30)
    assert ledger.missing(pair.client) == set()
    assert pair.primary() == follower
    # The old one comes back: not as a primary, by whomever it is started.
    refused = pair.at(pair.homes[leader].path, "up", "--detach", check=False)
    assert refused.returncode == 8
    assert "two that both take writes would drift apart" in refused.stderr
    assert find_postmaster(pair.homes[leader].data) is None
    found = pair.status()
    assert pair.role(leader) == "fenced"
    assert "standby rejoin" in found["trouble"]
    assert _found_by_doctor(pair, "member") == [f"{leader} follows nobody"]
    done = run_block(block(PAGE, "standby rejoin"), pair.store, pair.other.parent)
    assert "(rewound)" in done.stdout
    assert pair.status()["waits_for"] == [leader]


def test_primary_and_standby_change_places_while_somebody_writes(pair: Pair) -> None:
    leader = pair.primary()
    (follower,) = set(pair.homes) - {leader}
    with writing(pair.client, pair.account) as ledger:
        ledger.wait_for_writes(20)
        done = run_block(block(PAGE, "standby switchover"), pair.store, pair.other.parent)
        ledger.wait_for_write_after(time.monotonic(), 30)
    assert "It has everything that the old primary had written." in done.stderr
    assert f"{leader}: rewound." in done.stdout
    assert ledger.missing(pair.client) == set()
    found = pair.status()
    assert (found["primary"], found["waits_for"], found["trouble"]) == (follower, [leader], None)


def test_a_primary_that_was_not_fenced_finds_out_when_it_starts(pair: Pair) -> None:
    """As after a promotion that could not reach its machine."""
    pair.store.cli("standby", "switchover")
    leader = pair.primary()
    (follower,) = set(pair.homes) - {leader}
    pair.kill(leader)
    pair.at(pair.homes[follower].path, "standby", "promote")
    old = pair.homes[leader]
    (old.path / members.FENCE).unlink()
    (old.data / "standby.signal").unlink()
    refused = pair.at(old.path, "up", "--detach", check=False)
    assert refused.returncode == 8
    assert f"{follower} (127.0.0.1:" in refused.stderr
    assert (old.path / members.FENCE).exists()
    # Without its log nothing can be taken back: its data is copied anew, and that is said.
    for each in (old.data / "pg_wal").glob("0*"):
        each.unlink()
    done = pair.at(old.path, "standby", "rejoin")
    assert "its data is copied anew" in done.stderr
    assert "(copied anew)" in done.stdout
    assert pair.status()["trouble"] is None


def test_a_second_standby_is_created_and_killed_and_let_go(pair: Pair) -> None:
    leader = pair.primary()
    (follower,) = set(pair.homes) - {leader}
    third = pair.other.parent / "third"
    pair.store.json("standby", "create", "--into", str(third))
    try:
        assert sorted(pair.status()["waits_for"]) == sorted([follower, "third"])
        pair.kill("third")
        assert "third is down" in pair.status()["trouble"]
        pair.store.cli("standby", "remove", "third")
        assert pair.status()["waits_for"] == [follower]
        assert pair.ask(leader, "select count(*) from pg_replication_slots") == 1
        again = pair.at(third, "up", "--detach", check=False)
        assert again.returncode == 8
        assert "is fenced" in again.stderr
    finally:
        Cluster(third).stop("immediate")


def test_commits_that_wait_for_a_dead_standby_go_on_when_it_is_let_go(pair: Pair) -> None:
    """The last one: afterwards there is no pair."""
    pair.let_home_lead()
    pair.kill("other")
    with writing(pair.client, pair.account) as ledger:
        (found,) = _found_by_doctor(pair, "synchronous")
        assert "Commits wait for a standby" in found
        count = len(ledger.acknowledged)
        run_block(block(PAGE, "standby remove"), pair.store, pair.other.parent)
        ledger.wait_for_writes(3)
    assert count <= 1
    assert ledger.missing(pair.client) == set()
    assert pair.store.cli("standby", "status").stdout.startswith("No standby.")
    assert _found_by_doctor(pair, "synchronous", "member") == []


def _found_by_doctor(pair: Pair, *checks: str) -> list[str]:
    options = [word for check in checks for word in ("--check", check)]
    done = pair.store.cli("doctor", "--json", *options, check=False)
    return [each["what"] for each in json.loads(done.stdout)["findings"]]
