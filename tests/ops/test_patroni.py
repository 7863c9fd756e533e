"""Failover by Patroni: the configuration that deployment/ha generates, with the primary killed under load."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.support.ledger import Ledger, writing
from tests.support.patroni import Node, Trio, running_trio
from tests.support.service import new_key, running_service
from tests.support.site import Store

_GENERATE = Path(__file__).parents[2] / "deployment" / "ha" / "generate.py"
_AGAIN_SECONDS = 30


def test_a_primary_that_is_killed_is_replaced_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    with running_trio() as trio:
        trio.wait_for_followers(2)
        store = Store(tmp_path / "home", POSTROOM_DATABASE_URL=trio.url)
        store.cli("tenant", "create", "acme")
        store.cli("sample", str(tmp_path / "box"), "--messages", "5")
        store.cli("import", "-t", "acme", "-a", "me@example.com", str(tmp_path / "box"))
        with running_service(store, tmp_path) as service:
            client = service.client(new_key(store, "acme"))
            account = client.get("/v1/accounts").json()["items"][0]["id"]
            with writing(client, account) as ledger:
                ledger.wait_for_writes(20)
                old = trio.primary()
                killed_at = time.monotonic()
                old.kill_server()
                new = trio.primary(but=old.name)
                pause = ledger.wait_for_write_after(killed_at, _AGAIN_SECONDS)
                ledger.wait_for_writes(20)
                trio.wait_for_followers(2)  # the old one is back, and follows
                assert len(store.json("standby", "status")["followers"]) == 2
                if os.environ.get("POSTROOM_HA_POWER_CUT"):
                    _cut_the_power(trio, ledger, trio.wait_for_followers(2), "a standby")
                    trio.wait_for_followers(1)  # until the other confirms: before that it may not lead
                    _cut_the_power(trio, ledger, new, "the primary")
            assert ledger.missing(client) == set()
            print(f"kill -9 of the server: writes again after {pause:.1f} s, {len(ledger.acknowledged)} kept")


def test_the_configuration_is_for_its_owner_alone_and_mistakes_are_named(tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        made = [sys.executable, str(_GENERATE), "--bin-dir", "/usr/bin", "--out", str(tmp_path), *words]
        return subprocess.run(made, capture_output=True, text=True, check=False)

    assert "Name two nodes or more" in run("--node", "one=10.0.0.1").stderr
    assert "write NAME=HOST" in run("--node", "one", "--node", "two=10.0.0.2").stderr
    assert list(tmp_path.iterdir()) == []
    nodes = [word for number in (1, 2, 3) for word in ("--node", f"n{number}=10.0.0.{number}")]
    assert run(*nodes).returncode == 0
    files = sorted(tmp_path.iterdir())
    assert [each.name for each in files] == ["database-url", *(f"patroni-n{n}.yml" for n in (1, 2, 3))]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert "10.0.0.1:5432,10.0.0.2:5432,10.0.0.3:5432" in files[0].read_text()
    assert "synchronous_mode: true" in files[1].read_text()
    assert "etcd3:\n  hosts: [10.0.0.1:2379, 10.0.0.2:2379, 10.0.0.3:2379]" in files[1].read_text()


def _cut_the_power(trio: Trio, ledger: Ledger, node: Node, what: str) -> None:
    killed_at = time.monotonic()
    node.kill()
    pause = ledger.wait_for_write_after(killed_at, 60)
    ledger.wait_for_writes(20)
    print(
        f"power cut of {what}: writes again after {pause:.1f} s, longest pause {ledger.longest_pause_seconds:.1f} s"
    )
    trio.primary(but=node.name)
