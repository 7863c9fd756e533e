"""The master key: where it comes from, how it changes while everything goes on, and where no secret is ever seen."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.ops.binaries import find_binaries
from tests.support.dovecot import Dovecot
from tests.support.site import Store, running_store
from tests.wire.contract import letter

EMAIL = "alice@example.test"


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store whose keys nobody else uses."""
    with running_store() as found:
        yield found


def _add(store: Store, dovecot: Dovecot, tenant: str, email: str = EMAIL, **settings: str) -> None:
    place = (
        "--email",
        email,
        "--host",
        "localhost",
        "--port",
        str(dovecot.imaps_port),
        "--username",
        "alice",
    )
    add = ("account", "add", "-t", tenant, *place, "--password-stdin")
    store.cli(*add, stdin=dovecot.password("alice") + "\n", **settings)


def _syncs(store: Store, dovecot: Dovecot, tenant: str, email: str = EMAIL, **settings: str) -> bool:
    sync = ("sync", "-t", tenant, "-a", email)
    done = store.cli(*sync, check=False, POSTROOM_CA_FILE=str(dovecot.ca_file), **settings)
    return done.returncode == 0


def _key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def test_a_rotation_leaves_everything_working_and_the_old_key_can_be_dropped(
    own: Store, dovecot: Dovecot
) -> None:
    tenants = [own.tenant(), own.tenant()]
    for tenant in tenants:
        _add(own, dovecot, tenant)
    (before,) = own.json("keys", "status")["keys"]
    assert before["credentials"] == 2
    assert own.json("keys", "rotate") == {"resealed": 2}
    new, old = own.json("keys", "status")["keys"]
    assert (old["key_id"], old["credentials"], new["credentials"]) == (before["key_id"], 0, 2)
    assert own.json("keys", "forget") == {"forgotten": [before["key_id"]]}
    assert [each["key_id"] for each in own.json("keys", "status")["keys"]] == [new["key_id"]]
    assert (own.home / "master.key").stat().st_mode & 0o077 == 0
    assert all(_syncs(own, dovecot, tenant) for tenant in tenants)


def test_a_program_that_began_before_opens_and_seals_with_the_new_key(own: Store, dovecot: Dovecot) -> None:
    from postroom.ops.master_key import master_key

    held = master_key(own.settings)
    old = held.key_id
    sealed_before = held.seal(b"a", b"x")
    tenant = own.tenant()
    _add(own, dovecot, tenant)
    own.cli("keys", "rotate")
    fresh = master_key(own.settings)
    assert held.open(fresh.seal(b"b", b"x"), b"x") == b"b"
    assert held.open(sealed_before, b"x") == b"a"
    held.seal(b"c", b"x")
    assert held.key_id == fresh.key_id != old


def test_a_rotation_that_is_killed_is_gone_on_with(own: Store, dovecot: Dovecot) -> None:
    tenant = own.tenant()
    _add(own, dovecot, tenant)
    with own.connect("postgres") as connection:
        # As one that was killed: some sealed with the new key, some with the old, and more than one batch of those.
        connection.execute(
            "insert into email_credentials select tenant_id, gen_random_uuid(), account_id, kind, key_id, wrapped_key,"
            " ciphertext, created_at, updated_at from email_credentials, generate_series(1, 900)"
        )
    env = os.environ | own.environment
    program = [sys.executable, "-c", "from postroom.cli import main; main()", "keys", "rotate"]
    running = subprocess.Popen(program, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    key_file = own.home / "master.key"
    while len(key_file.read_text().split()) == 1 and running.poll() is None:
        time.sleep(0.001)
    running.send_signal(signal.SIGKILL)
    running.wait()
    keys = own.json("keys", "status")["keys"]
    assert len(keys) == 2
    assert sum(each["credentials"] for each in keys) == 901
    assert _syncs(own, dovecot, tenant)
    if keys[1]["credentials"]:
        done = own.cli("keys", "forget", check=False)
        assert done.returncode == 2
        assert "keys rotate" in done.stderr
        assert own.json("keys", "rotate") == {"resealed": keys[1]["credentials"]}
        assert [each["key_id"] for each in own.json("keys", "status")["keys"]] == [
            each["key_id"] for each in keys
        ]
    assert own.json("keys", "status")["keys"][0]["credentials"] == 901
    own.cli("keys", "forget")
    assert _syncs(own, dovecot, tenant)


@pytest.mark.parametrize(
    "source", ["POSTROOM_MASTER_KEY", "POSTROOM_MASTER_KEY_COMMAND", "POSTROOM_MASTER_KEY_FILE"]
)
def test_a_key_that_the_operator_keeps_is_rotated_by_putting_the_new_one_first(
    own: Store, dovecot: Dovecot, tmp_path: Path, source: str
) -> None:
    old, new, file = _key(), own.json("keys", "new")["key"], tmp_path / "key"

    def settings(*keys: str) -> dict[str, str]:
        file.write_text("\n".join(keys) + "\n")
        value = {"POSTROOM_MASTER_KEY": " ".join(keys), "POSTROOM_MASTER_KEY_COMMAND": f"cat {file}"}
        return {source: value.get(source, str(file))}

    tenant = own.tenant()
    _add(own, dovecot, tenant, **settings(old))
    done = own.cli("keys", "rotate", check=False, **settings(old))
    assert done.returncode == 2
    assert "Put a new key" in done.stderr
    assert _syncs(own, dovecot, tenant, **settings(new, old))
    assert own.json("keys", "rotate", **settings(new, old)) == {"resealed": 1}
    assert _syncs(own, dovecot, tenant, **settings(new))
    assert not _syncs(own, dovecot, tenant, **settings(old))
    assert own.json("keys", "status", **settings(old))["missing"] != []
    assert not (own.home / "master.key").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"POSTROOM_MASTER_KEY": "short"}, "not 32 bytes"),
        ({"POSTROOM_MASTER_KEY_COMMAND": "exit 3"}, "exit code 3"),
        ({"POSTROOM_MASTER_KEY_COMMAND": "true"}, "is empty"),
        ({"POSTROOM_MASTER_KEY_FILE": "/nowhere/key"}, "cannot be read"),
    ],
)
def test_no_key_is_one_sentence(store: Store, settings: dict[str, str], said: str) -> None:
    done = store.cli("keys", "status", check=False, **settings)
    assert done.returncode == 7
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_secret_is_in_a_dump_an_error_an_output_or_the_list_of_processes(
    own: Store, dovecot: Dovecot, tmp_path: Path
) -> None:
    dovecot.fill("alice", "INBOX", [letter(1)])
    dovecot.add_user("alice", "the-very-secret-password")
    key, seen = _key(), tmp_path / "processes"
    (tmp_path / "key").write_text(key)
    command = f"ps axww -o args >> {seen}; cat {tmp_path / 'key'}"  # at the moment when all of it is in use
    settings = {"POSTROOM_MASTER_KEY_COMMAND": command, "POSTROOM_LOG_LEVEL": "DEBUG"}
    tenant = own.tenant()
    said = ""
    place = (
        "--email",
        EMAIL,
        "--host",
        "localhost",
        "--port",
        str(dovecot.imaps_port),
        "--username",
        "alice",
    )
    trust = {"POSTROOM_CA_FILE": str(dovecot.ca_file)}
    for words, stdin in (
        (("account", "add", "-t", tenant, *place, "--password-stdin"), "the-very-secret-password\n"),
        (("account", "test", "-t", tenant, "-a", EMAIL), ""),
        (("sync", "-t", tenant, "-a", EMAIL), ""),
        (("account", "list", "-t", tenant, "--json"), ""),
        (("keys", "status"), ""),
        (("status",), ""),
    ):
        done = own.cli(*words, stdin=stdin, **settings, **trust)
        said += done.stdout + done.stderr
    dovecot.add_user("alice", "another")
    done = own.cli("sync", "-t", tenant, "-a", EMAIL, check=False, **settings, **trust)
    assert done.returncode in (0, 5)  # Dovecot may have the old password in its cache for a moment
    said += done.stdout + done.stderr
    dovecot.add_user("alice", "alice-pw")
    dump = subprocess.run(
        [str(find_binaries(None).program("pg_dump")), own.site.url("postgres")],
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert "email_credentials" in dump
    encodings = [b"the-very-secret-password".hex(), base64.b64encode(b"the-very-secret-password").decode()]
    for place_, text in (("dump", dump), ("output", said), ("processes", seen.read_text())):
        for secret in ("the-very-secret-password", *encodings, key):
            assert secret not in text, place_
    assert "postroom.cli" in seen.read_text()
