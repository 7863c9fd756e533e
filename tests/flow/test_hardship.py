"""Bad servers, bad names, bad files: one sentence, the right exit code, nothing lost, and the next run completes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from postroom.sample import generate
from tests.support.dovecot import free_ports
from tests.support.hostile_imap import HostileImap, Trick
from tests.support.site import Store

EMAIL = "alice@example.test"


def _one_sentence(done: CompletedProcess[str], exit_code: int, *says: str) -> None:
    """What every failure must be: one line on standard error that says what, where and what to do."""
    assert done.returncode == exit_code, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("postroom: ")
    for each in says:
        assert each in done.stderr


def _account(store: Store, port: int, host: str = "127.0.0.1") -> str:
    tenant = store.tenant()
    options = ("--email", EMAIL, "--host", host, "--port", str(port), "--encryption", "none")
    store.cli("account", "add", "-t", tenant, *options, "--password-stdin", stdin="secret\n")
    return tenant


def _sync(store: Store, tenant: str, **environment: str) -> CompletedProcess[str]:
    return store.cli("sync", "-t", tenant, "-a", EMAIL, check=False, **environment)


def _count(store: Store, tenant: str) -> int:
    return len(store.json("search", "-t", tenant, "-n", "1000")["items"])


def _numbered(count: int) -> Mapping[int, bytes]:
    return {uid: each.raw for uid, each in enumerate(generate(count, 3), 1)}


@pytest.mark.parametrize(
    ("trick", "exit_code", "says", "stays"),
    [("cut", 6, "closed the connection in the middle", 9), ("longer", 9, "quarantine", 19)],
)
def test_a_literal_that_breaks_off_or_is_too_long_costs_only_itself(
    store: Store, trick: Trick, exit_code: int, says: str, stays: int
) -> None:
    with HostileImap(_numbered(20), tricks={10: trick}) as server:
        tenant = _account(store, server.port)
        done = _sync(store, tenant)
        assert (done.returncode, says in done.stderr + done.stdout) == (exit_code, True), done
        assert _count(store, tenant) == stays  # the server sends 1 to 9 before it comes to 10
        server.tricks.clear()
        assert store.json("sync", "-t", tenant, "-a", EMAIL)["stored"] == 20 - stays
    assert _count(store, tenant) == 20
    state = next(row for row in store.json("status")["accounts"] if row["tenant"] == tenant)["state"]
    assert state == "ok"


@pytest.mark.parametrize(
    ("host", "says"), [("127.0.0.1", "nothing listens there"), ("nowhere.invalid", "no host named")]
)
def test_a_wrong_host_is_said_and_mended_by_naming_the_right_one(store: Store, host: str, says: str) -> None:
    tenant = _account(store, free_ports(1)[0], host)
    _one_sentence(_sync(store, tenant), 6, host, says, "the next run", "Check the host and the port")
    state = next(row for row in store.json("status")["accounts"] if row["tenant"] == tenant)["state"]
    assert says in state


STEEP = [
    "INBOX",
    "../../etc",
    "/etc/passwd",
    "a/../../b",
    "..",
    "INBOX/0000001.eml",
    "con\\..\\aux",
    "a/./b",
    "~",
    "-rf",
]


@pytest.fixture(scope="module")
def steep(store: Store) -> str:
    """A tenant with a message in each of the steep folders."""
    with HostileImap() as server:
        tenant = _account(store, server.port)
        for name, letter in zip(STEEP, generate(len(STEEP), 4), strict=True):
            escaped = name.replace("\\", "\\\\").encode()
            server.listing = b'* LIST (\\HasNoChildren) "/" "%s"\r\n' % escaped
            server.messages = {1: letter.raw}
            assert store.json("sync", "-t", tenant, "-a", EMAIL)["stored"] == 1
    return tenant


@pytest.mark.parametrize("kind", ["maildir", "mbox", "eml"])
def test_a_folder_named_like_a_path_keeps_its_name_and_goes_nowhere_else(
    store: Store, steep: str, tmp_path: Path, kind: str
) -> None:
    assert _names(store, steep) == set(STEEP)
    place = tmp_path / "one" / "two" / "three"
    place.mkdir(parents=True)
    store.cli("export", "-t", steep, "-a", EMAIL, "-f", kind, str(place / "out"))
    beside = {each for each in tmp_path.rglob("*") if not each.is_relative_to(place / "out")}
    assert beside == {tmp_path / "one", tmp_path / "one" / "two", place}
    again = store.tenant()
    assert store.json("import", "-t", again, "-a", EMAIL, str(place / "out"))["stored"] == len(STEEP)
    if kind == "maildir":
        assert _names(store, again) == {"/".join(filter(None, name.split("/"))) for name in STEEP}


def _names(store: Store, tenant: str) -> set[str]:
    with store.connect("postgres") as connection:
        question = (
            "select f.name from email_folders f join email_tenants t using (tenant_id) where t.name = %s"
        )
        return {name for (name,) in connection.execute(question, [tenant])}
