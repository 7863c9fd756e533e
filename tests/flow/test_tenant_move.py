"""A tenant leaves one server and comes to another: the same rows, bytes, threads and answers; or nothing at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flow.moving import (
    BACKENDS,
    EMAIL,
    MESSAGES,
    Places,
    exported,
    filled,
    killed,
    program,
    stopped_at,
    until,
)
from tests.leaks.catalog import Catalog
from tests.support.archives import Members, hashes, manifest, members, replaced, rewritten
from tests.support.site import Store

QUERIES = ("invoice", "has:attachment", "large", "from:example -invoice")


@pytest.mark.parametrize(("here", "there"), [("postgres", "local"), ("local", "s3"), ("s3", "postgres")])
def test_what_arrives_is_what_left(
    store: Store, elsewhere: Store, places: Places, tmp_path: Path, here: str, there: str
) -> None:
    ours, theirs = places.of(here, "ours"), places.of(there, "theirs")
    name = filled(store, tmp_path, **ours)
    archive = tmp_path / "moved.tar.zst"
    left = exported(store, name, archive, **ours)
    elsewhere.cli("tenant", "import", str(archive), **theirs)
    assert exported(elsewhere, name, tmp_path / "again.tar", **theirs) == left
    for query in QUERIES:
        answers = [
            each.json("search", "-t", name, query, "-n", "1000", **environment)["items"]
            for each, environment in ((store, ours), (elsewhere, theirs))
        ]
        assert answers[0] == answers[1]
        assert answers[0] or query != "invoice"
    assert _miscounted(elsewhere, name) == []
    mbox = [tmp_path / "ours.mbox", tmp_path / "theirs.mbox"]
    store.cli("export", "-t", name, "-a", EMAIL, "-f", "mbox", str(mbox[0]), **ours)
    elsewhere.cli("export", "-t", name, "-a", EMAIL, "-f", "mbox", str(mbox[1]), **theirs)
    assert mbox[0].read_bytes() == mbox[1].read_bytes()


def _miscounted(store: Store, name: str) -> list[object]:
    with store.connect("postgres") as connection:
        question = (
            "select f.name from email_folders f join email_tenants t using (tenant_id)"
            " left join email_placements p on p.tenant_id = f.tenant_id and p.folder_id = f.id and p.vanished_at is null"
            " where t.name = %s group by f.tenant_id, f.id, f.name, f.total_count, f.unread_count"
            " having (f.total_count, f.unread_count) <> (count(p.uid), count(p.uid) filter (where not p.is_read))"
        )
        return connection.execute(question, [name]).fetchall()


def test_an_archive_has_every_table_of_the_catalog(store: Store, tmp_path: Path) -> None:
    name = filled(store, tmp_path)
    exported(store, name, tmp_path / "all.tar")
    with store.connect("postgres") as connection:
        catalog = Catalog(connection)
        said = manifest(tmp_path / "all.tar")
        assert said["tables"].keys() == set(catalog.tenant_tables) - {"email_blob_pieces", "email_sync_jobs"}
        for table, each in said["tables"].items():
            question = f"select count(*) from {table} where tenant_id = %s"
            there = connection.execute(question.encode(), [said["tenant"]["id"]]).fetchall()[0][0]
            assert each["rows"] == there or (table, each["rows"]) == ("email_credentials", 0)
        assert said["tables"]["email_messages"]["rows"] == MESSAGES + 1
        assert said["credentials"] == {"key_id": None, "left_out": 1}


def test_passwords_go_along_only_under_a_key(store: Store, elsewhere: Store, tmp_path: Path) -> None:
    name = filled(store, tmp_path)
    key, other, archive = tmp_path / "key", tmp_path / "other", tmp_path / "with.tar"
    key.write_text("a passphrase of some length\n")
    other.write_text("another passphrase, also long\n")
    with_key = ("--with-credentials", "--key-file", str(key))
    left = exported(store, name, archive, *with_key)
    assert exported(store, name, tmp_path / "twice.tar", *with_key) == left
    assert b"correct horse" not in archive.read_bytes()
    for options, said in (
        ((), "give the key file"),
        (("--key-file", str(other)), "not the one that the archive was made with"),
    ):
        done = elsewhere.cli("tenant", "import", str(archive), *options, check=False)
        assert done.returncode == 2
        assert said in done.stderr
    elsewhere.cli("tenant", "import", str(archive), "--key-file", str(key))
    assert exported(elsewhere, name, tmp_path / "again.tar", *with_key) == left
    # It opens with the master key of there: the sync gets as far as the server that nobody runs.
    done = elsewhere.cli("sync", "-t", name, "-a", "other@example.com", check=False)
    assert done.returncode == 6, done.stderr


def test_a_tenant_comes_in_once_and_may_have_another_name(
    store: Store, elsewhere: Store, tmp_path: Path
) -> None:
    name, archive = filled(store, tmp_path), tmp_path / "a.tar"
    left = exported(store, name, archive)
    elsewhere.cli("tenant", "create", name)
    taken = elsewhere.cli("tenant", "import", str(archive), check=False)
    assert (taken.returncode, f"named '{name}' is there already" in taken.stderr) == (2, True)
    elsewhere.cli("tenant", "import", str(archive), "--name", f"{name}-2")
    again = elsewhere.cli("tenant", "import", str(archive), "--name", f"{name}-3", check=False)
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "is there already. Nothing was written." in again.stderr
    came = exported(elsewhere, f"{name}-2", tmp_path / "b.tar")
    assert {each for each in left if came[each] != left[each]} == {"rows/email_tenants/000001.csv"}


def test_counters_that_were_wrong_come_in_right(store: Store, elsewhere: Store, tmp_path: Path) -> None:
    name, archive = filled(store, tmp_path), tmp_path / "a.tar"
    with store.connect("postgres") as connection:
        question = "update email_folders f set total_count = 7, unread_count = -1 from email_tenants t"
        connection.execute(f"{question} where t.tenant_id = f.tenant_id and t.name = %s".encode(), [name])
    exported(store, name, archive)
    assert elsewhere.json("tenant", "import", str(archive))["folders_mended"] > 0
    assert _miscounted(elsewhere, name) == []


@pytest.fixture(scope="module")
def archive(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    exported(store, filled(store, folder), folder / "a.tar")
    return folder / "a.tar"


def _manifest_with(**values: object) -> Callable[[Members], Members]:
    def change(found: Members) -> Members:
        said = json.loads(dict(found)["manifest.json"]) | values
        return replaced(found, "manifest.json", json.dumps(said).encode())

    return change


def _first_blob(found: Members) -> int:
    return next(place for place, (name, _) in enumerate(found) if name.startswith("blobs/"))


ROWS = "rows/email_messages/000001.csv"
SENTENCES: dict[str, tuple[Callable[[Members], Members], str]] = {
    "a row is not as it was": (
        lambda found: [(name, data.replace(b"@", b"#", 1) if name == ROWS else data) for name, data in found],
        "is not what the manifest says",
    ),
    "a row of another tenant": (
        lambda found: replaced(
            found, ROWS, dict(found)[ROWS].replace(_tenant(found), b"00000000-0000-4000-8000-000000000000", 1)
        ),
        "row-level security",
    ),
    "a blob is not as it was": (
        lambda found: [
            (name, data + b"x" if at == _first_blob(found) else data) for at, (name, data) in enumerate(found)
        ],
        "are not those that its name promises",
    ),
    "a blob is gone": (
        lambda found: [each for at, each in enumerate(found) if at != _first_blob(found)],
        "the list of blobs is not what the manifest says",
    ),
    "a table is gone": (
        lambda found: [each for each in found if each[0] != ROWS],
        "is not what the manifest says",
    ),
    "the columns are others": (
        lambda found: replaced(found, ROWS, dict(found)[ROWS].replace(b"tenant_id", b"owner_id", 1)),
        "does not name the columns",
    ),
    "a newer format": (
        lambda found: replaced(found, "format", b"postroom tenant archive 9\n"),
        "version 9 of the format",
    ),
    "another schema": (_manifest_with(schema_version=99), "schema version 99"),
    "a manifest that is none": (_manifest_with(tables=7), "its manifest is damaged"),
    "a path outside": (
        lambda found: [found[0], ("rows/../../../etc/passwd", b"x"), *found[1:]],
        "leads out of it",
    ),
    "an absolute path": (lambda found: [found[0], ("/etc/passwd", b"x"), *found[1:]], "leads out of it"),
    "something else": (lambda found: [found[0], ("notes.txt", b"x"), *found[1:]], "does not belong into one"),
    "no archive": (lambda found: found[1:], "does not begin like one"),
    "more behind the end": (lambda found: [*found, found[1]], "stands behind the manifest"),
}


def _tenant(found: Members) -> bytes:
    return json.loads(dict(found)["manifest.json"])["tenant"]["id"].encode()


@pytest.mark.parametrize("what", SENTENCES)
def test_an_archive_that_is_not_right_is_one_sentence_and_writes_nothing(
    elsewhere: Store, archive: Path, tmp_path: Path, what: str
) -> None:
    change, sentence = SENTENCES[what]
    _is_refused(elsewhere, rewritten(archive, tmp_path / "bad.tar", change), sentence)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
@pytest.mark.parametrize("kind", ["tar", "tar.zst"])
def test_an_archive_that_was_cut_off_is_one_sentence(
    store: Store, elsewhere: Store, archive: Path, tmp_path: Path, share: float, kind: str
) -> None:
    whole = archive
    if kind == "tar.zst":
        whole = tmp_path / "whole.tar.zst"
        exported(store, manifest(archive)["tenant"]["name"], whole)
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    _is_refused(elsewhere, cut, "")


def test_a_bit_that_fell_over_anywhere_is_found(elsewhere: Store, archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    for place in range(100, len(data) - 20_000, len(data) // 7):
        bad = tmp_path / "bad.tar"
        data[place] ^= 16
        bad.write_bytes(data)
        data[place] ^= 16
        done = elsewhere.cli("tenant", "import", str(bad), check=False)
        # What stands between the members is no part of any; else it is refused.
        assert done.returncode == 4, (place, done)


def _is_refused(store: Store, archive: Path, sentence: str) -> None:
    before = _rows(store)
    done = store.cli("tenant", "import", str(archive), check=False)
    assert done.returncode in (4, 7), done
    assert done.stderr.count("\n") == 1, done.stderr
    assert sentence in done.stderr
    assert _rows(store) == before


def _rows(store: Store) -> dict[str, int]:
    with store.connect("postgres") as connection:
        return {
            table: connection.execute(f"select count(*) from {table}".encode()).fetchall()[0][0]
            for table in Catalog(connection).tables
        }


def test_an_export_that_was_killed_leaves_no_archive_and_the_next_is_whole(
    store: Store, tmp_path: Path
) -> None:
    name, out = filled(store, tmp_path), tmp_path / "there" / "out.tar"
    out.parent.mkdir()
    whole = exported(store, name, tmp_path / "whole.tar")
    part = out.with_name(".out.tar.part")
    for least in (0, 500_000, 2_000_000):
        running = program(store, "tenant", "export", name, str(out))
        until(lambda least=least: part.exists() and part.stat().st_size >= least)
        killed(running)
        assert not out.exists()
    assert exported(store, name, out) == whole
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_import_that_was_killed_leaves_nothing_that_the_next_does_not_clear_away(
    store: Store, elsewhere: Store, places: Places, tmp_path: Path, backend: str
) -> None:
    name, archive = filled(store, tmp_path), tmp_path / "a.tar"
    left = exported(store, name, archive)
    theirs = places.of(backend, "theirs")
    before = _rows(elsewhere)
    for table in ("email_blobs", "email_messages", "email_search_entries"):
        with stopped_at(elsewhere, table) as wait:
            running = program(elsewhere, "tenant", "import", str(archive), **theirs)
            wait()
            killed(running)
        until(lambda: _is_quiet(elsewhere))
        assert _rows(elsewhere) == before
    elsewhere.cli("tenant", "import", str(archive), **theirs)
    assert exported(elsewhere, name, tmp_path / "b.tar", **theirs) == left
    if backend != "postgres":
        # The bucket is one for all tests.
        tenant_id = manifest(archive)["tenant"]["id"]
        there = [each for each in places.objects(backend, "theirs") if tenant_id in each]
        found = [each for each in there if len(each.rpartition("/")[2]) > 60]
        assert len(found) == manifest(archive)["blobs"]["count"]
        assert not [each for each in there if each.endswith("importing")]


def _is_quiet(store: Store) -> bool:
    """Whether the server has noticed that its client is gone."""
    with store.connect("postgres") as connection:
        question = b"select from pg_stat_activity where usename = 'email_owner'"
        return connection.execute(question).rowcount == 0


def test_objects_that_belong_to_another_store_are_not_touched(
    store: Store, elsewhere: Store, places: Places, tmp_path: Path
) -> None:
    same = places.of("local", "shared")
    name, archive = filled(store, tmp_path, **same), tmp_path / "a.tar"
    left, before = exported(store, name, archive, **same), places.objects("local", "shared")
    done = elsewhere.cli("tenant", "import", str(archive), check=False, **same)
    assert done.returncode == 2
    assert "belongs to another store" in done.stderr
    assert places.objects("local", "shared") == before
    assert exported(store, name, tmp_path / "b.tar", **same) == left


def test_two_exports_are_alike_and_change_nothing(store: Store, tmp_path: Path) -> None:
    name = filled(store, tmp_path)
    first = exported(store, name, tmp_path / "1.tar.zst")
    assert exported(store, name, tmp_path / "2.tar") == first
    assert [each for each, _ in members(tmp_path / "2.tar")][-1] == "manifest.json"
    done = store.cli("tenant", "export", name, str(tmp_path / "2.tar"), check=False)
    assert (done.returncode, "is there already" in done.stderr) == (2, True)
    assert hashes(tmp_path / "2.tar") == first
