"""Bad servers, bad names, bad files: one sentence, the right exit code, nothing lost, and the next run completes."""

from __future__ import annotations

import os
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
    [
        ("cut", 9, "quarantine", 19),
        ("longer", 9, "quarantine", 19),
        ("bye", 6, "Too much, come back tomorrow", 9),
    ],
)
def test_a_literal_that_breaks_off_or_is_too_long_costs_only_itself(
    store: Store, trick: Trick, exit_code: int, says: str, stays: int
) -> None:
    with HostileImap(_numbered(20), tricks={10: trick}) as server:
        tenant = _account(store, server.port)
        done = _sync(store, tenant)
        _one_sentence(done, exit_code, says, "the next run")
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


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("mail.mbox", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(200), "it is a JPEG picture"),
        ("mail.mbox", b"", "the file is empty"),
        ("letter.eml", b"", "the file is empty"),
        ("mail.mbox", None, "there is no such file or folder"),
    ],
)
def test_what_is_no_mail_is_refused_by_name_and_stores_nothing(
    store: Store, tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    tenant, path = store.tenant(), tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = store.cli("import", "-t", tenant, "-a", EMAIL, str(path), check=False)
    _one_sentence(done, 4, str(path), says, "Name an mbox file")
    assert _count(store, tenant) == 0
    path.write_bytes(next(iter(generate(1, 5))).raw)
    path = path.rename(tmp_path / "right.eml")
    assert store.json("import", "-t", tenant, "-a", EMAIL, str(path))["stored"] == 1


def test_a_file_that_cannot_be_read_costs_only_itself_until_it_can(store: Store, tmp_path: Path) -> None:
    tenant, box = store.tenant(), tmp_path / "box"
    box.mkdir()
    letters = [each.raw for each in generate(9, 6)]
    for number, letter in enumerate(letters):
        (box / f"{number}.eml").write_bytes(letter)
    (box / "3.eml").unlink()
    (box / "3.eml").symlink_to(tmp_path / "nowhere")
    (box / "6.eml").unlink()
    os.mkfifo(box / "6.eml")
    (box / "folder.eml").mkdir()
    done = store.cli("import", "-t", tenant, "-a", EMAIL, str(box), check=False)
    _one_sentence(done, 9, "could not be read: 2", "postroom status")
    troubles = {row["origin"]: row["reason"] for row in _troubles(store, tenant)}
    assert troubles == {
        str(box / "3.eml"): "No such file or directory",
        str(box / "6.eml"): "it is a named pipe, not a file",
    }
    for number in (3, 6):
        (box / f"{number}.eml").unlink()
        (box / f"{number}.eml").write_bytes(letters[number])
    tally = store.json("import", "-t", tenant, "-a", EMAIL, str(box))
    assert (tally["stored"], tally["already_there"]) == (2, 7)
    assert _troubles(store, tenant) == []


def _troubles(store: Store, tenant: str) -> list[dict[str, str]]:
    with store.connect("postgres") as connection:
        question = (
            "select origin, reason from email_quarantine q join email_tenants t using (tenant_id)"
            " where t.name = %s and resolved_at is null"
        )
        rows = connection.execute(question, [tenant]).fetchall()
    return [{"origin": origin, "reason": reason} for origin, reason in rows]


@pytest.mark.parametrize("kind", ["import", "sync", "export"])
@pytest.mark.parametrize("missing", ["tenant", "account"])
def test_a_tenant_or_account_that_is_not_there_is_named(
    store: Store, tmp_path: Path, kind: str, missing: str
) -> None:
    tenant = "nobody" if missing == "tenant" else store.tenant()
    paths = {"import": ["/nothing"], "sync": [], "export": [str(tmp_path / "out")]}[kind]
    done = store.cli(kind, "-t", tenant, "-a", "who@example.test", *paths, check=False)
    if (kind, missing) == ("import", "account"):  # import makes the account, but not for nothing
        _one_sentence(done, 4, "/nothing")
        assert store.json("account", "list", "-t", tenant)["items"] == []
        return
    name = tenant if missing == "tenant" else "who@example.test"
    _one_sentence(done, 3, f"no {missing} '{name}'", f"postroom {missing}")
    assert list(tmp_path.iterdir()) == []
