"""Backups of a living store: taken, listed, verified, damaged, let go, and restored to any moment."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroom.errors import BackupDamaged, BackupError
from postroom.ops.backup import manifest, rebuild, wal
from postroom.ops.backup.flush import flush
from postroom.ops.backup.manifest import Manifest
from postroom.ops.backup.place import place_at
from postroom.ops.backup.seal import BackupKey, opened, sealed, sealed_at
from postroom.ops.cluster import Cluster
from tests.flow.moving import program, until
from tests.support.backups import EMAIL, Kept, kept_store
from tests.support.clusters import processes_at
from tests.support.doctoring import findings, run_statements
from tests.support.machine import mounted_disk

KEY = BackupKey(bytes(range(32)))
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    with kept_store() as found:
        yield found


# Sealing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, MEGABYTE - 1, MEGABYTE, MEGABYTE + 1, 3 * MEGABYTE])
def test_what_was_sealed_opens_and_nothing_shorter_longer_or_elsewhere_does(size: int) -> None:
    plain = os.urandom(size)
    box = b"".join(sealed(KEY, "a", [plain[:7], plain[7:]], at_ms=5))
    assert b"".join(opened(KEY, "a", [box[:3], box[3:]])) == plain
    assert sealed_at("a", [box]) == 5
    wrong = [box[:-1], box + b"x", box[:30], box[: 56 + MEGABYTE + 16] if size > MEGABYTE else box[:-16]]
    for each in wrong:
        with pytest.raises(BackupDamaged):
            b"".join(opened(KEY, "a", [each]))
    with pytest.raises(BackupDamaged):
        b"".join(opened(KEY, "b", [box]))


def test_every_flipped_bit_is_found() -> None:
    box = b"".join(sealed(KEY, "a", [b"mail"], at_ms=5))
    for place in range(len(box)):
        flipped = bytearray(box)
        flipped[place] ^= 1
        with pytest.raises(BackupError):
            b"".join(opened(KEY, "a", [bytes(flipped)]))


def test_another_key_is_said() -> None:
    box = b"".join(sealed(KEY, "a", [b"mail"], at_ms=5))
    with pytest.raises(BackupError, match="not the key that the backup was sealed with"):
        b"".join(opened(BackupKey(bytes(32)), "a", [box]))


# The archive ---------------------------------------------------------------------------------------------------------


def test_the_archive_takes_the_same_again_and_never_another_content(tmp_path: Path) -> None:
    archive, name = place_at(str(tmp_path), endpoint=None), "000000010000000000000001"
    segment = tmp_path / "segment"
    segment.write_bytes(b"log" * 1000)
    wal.push(archive, KEY, segment, name)
    before = (tmp_path / name).read_bytes()
    wal.push(archive, KEY, segment, name)
    segment.write_bytes(b"other" * 1000)
    with pytest.raises(BackupError, match="another server writes there"):
        wal.push(archive, KEY, segment, name)
    assert (tmp_path / name).read_bytes() == before
    assert wal.fetched(archive, KEY, name) == b"log" * 1000
    assert sorted(each.name for each in tmp_path.iterdir()) == [name, "segment"]


def test_a_name_that_is_no_file_of_the_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no name of a file of the log"):
        wal.push(place_at(str(tmp_path), endpoint=None), KEY, tmp_path / "x", "../x")


def test_an_archive_that_is_not_mounted_is_not_made_up(tmp_path: Path) -> None:
    (tmp_path / "segment").write_bytes(b"log")
    with pytest.raises(BackupError, match="cannot be used"):
        wal.push(
            place_at(str(tmp_path / "gone"), endpoint=None), KEY, tmp_path / "segment", "00000002.history"
        )
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("000000010000000000000001", "000000010000000000000002"),
        ("0000000100000000000000FF", "000000010000000100000000"),
        ("00000003000000AB000000FF", "00000003000000AC00000000"),
    ],
)
def test_files_of_the_log_follow_each_other(name: str, after: str) -> None:
    assert wal.following(name) == after
    assert wal.first_gap([name, after], name) is None
    assert wal.first_gap([after], name) == (name, after)


# Backups -------------------------------------------------------------------------------------------------------------


def test_a_full_and_an_incremental_backup_can_be_restored(kept: Kept) -> None:
    full = kept.take()
    kept.store.cli("tenant", "create", "between")
    incremental = kept.take("incremental")
    for backup in (full, incremental):
        verdict = kept.store.json("backup", "verify", backup)
        assert verdict["faults"] == []
        assert verdict["messages"] == 40
    items = {each["id"]: each for each in kept.store.json("backup", "list")["items"]}
    assert items[incremental]["parent"] == full
    assert items[incremental]["stored_bytes"] < items[full]["stored_bytes"] / 2
    assert all(items[each]["verified_at"] for each in (full, incremental))
    assert not list(kept.store.home.glob("scratch-*"))


def test_nothing_of_the_mail_lies_there_in_clear(kept: Kept) -> None:
    kept.take()
    for path in kept.place.rglob("*"):
        if path.is_file():
            assert EMAIL.encode() not in path.read_bytes(), path
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_dump_holds_every_tenant_and_can_be_loaded(kept: Kept) -> None:
    dump = kept.take("dump")
    verdict = kept.store.json("backup", "verify", dump)
    assert (verdict["faults"], verdict["rows"] > 100) == ([], True)
    kept.store.cli("backup", "extract", dump, str(kept.folder / "dump"))
    assert (kept.folder / "dump" / "database.dump").read_bytes().startswith(b"PGDMP")
    assert "CREATE ROLE email_backup" in (kept.folder / "dump" / "roles.sql").read_text()
    again = kept.store.cli("backup", "extract", dump, str(kept.folder / "dump"), check=False)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)


def test_two_backups_at_once_are_refused(kept: Kept) -> None:
    with (kept.store.home / "backup.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = kept.store.cli("backup", check=False)
    assert (done.returncode, "Another backup of this store is at work" in done.stderr) == (18, True)


def test_a_flipped_bit_is_found_by_verify(kept: Kept) -> None:
    backup = kept.take()
    base = kept.place / "backups" / backup / "base.tar.zst"
    content = bytearray(base.read_bytes())
    content[len(content) // 2] ^= 4
    base.write_bytes(content)
    done = kept.store.cli("backup", "verify", backup, check=False)
    assert (done.returncode, "is not what was written" in done.stderr) == (18, True)
    shutil.rmtree(base.parent)


def test_a_manifest_that_somebody_changed_is_refused(kept: Kept) -> None:
    backup = kept.take()
    path = kept.place / "backups" / backup / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"email_messages":[40,40]', b'"email_messages":[41,41]'))
    done = kept.store.cli("backup", "verify", backup, check=False)
    assert (done.returncode, "somebody changed it" in done.stderr) == (18, True)
    shutil.rmtree(path.parent)


def test_a_place_that_vanished_is_said_and_nothing_is_made_up(kept: Kept) -> None:
    away = kept.place.rename(kept.folder / "unmounted")
    try:
        kept.place.mkdir()  # as an empty mount point
        for command in (["backup"], ["backup", "list"], ["backup", "verify"], ["drill"]):
            done = kept.store.cli(*command, check=False)
            assert (done.returncode, "holds no postroom-backup.json" in done.stderr) == (18, True), command
        assert list(kept.place.iterdir()) == []
    finally:
        shutil.rmtree(kept.place)
        away.rename(kept.place)


def test_a_full_disk_leaves_no_half_backup() -> None:
    with mounted_disk(2) as disk, kept_store(str(disk / "backups")) as kept:
        done = kept.store.cli("backup", check=False)
        assert (done.returncode, "There is no space left" in done.stderr) == (18, True)
        assert not list((disk / "backups").rglob("base.tar.zst"))
        assert kept.ids() == []


def test_old_chains_go_but_never_the_last_verified_one(kept: Kept) -> None:
    verified = kept.take()
    kept.store.cli("backup", "verify", verified)
    middle = kept.take()
    on_middle = kept.take("incremental")
    last = kept.take()
    done = kept.store.json("backup", "prune", "--keep", "1")
    assert {middle, on_middle} <= set(done["removed"])
    assert done["kept_as_verified"] == verified
    assert [each for each in kept.ids() if not each.endswith("dump")] == [verified, last]
    first = next(each.start_segment for each in _manifests(kept) if each.id == verified)
    assert min(kept.segments()) == first
    kept.store.cli("backup", "verify", last)
    done = kept.store.json("backup", "prune", "--keep", "1")
    assert done["removed"] == [verified]
    assert done["segments"] > 0


def _manifests(kept: Kept) -> list:
    from postroom.ops.backup.manifest import read_all

    return read_all(kept.source.place)


# Restores ------------------------------------------------------------------------------------------------------------


def test_restored_to_a_moment_what_came_before_is_there_and_what_came_after_is_not(kept: Kept) -> None:
    kept.take()
    kept.store.cli("tenant", "create", "early")
    moment = kept.now()
    kept.store.cli("backup", "point", "the-point")
    kept.store.cli("tenant", "create", "late")
    at_moment = kept.restored("at-moment", "--to-time", moment)
    found = kept.tenants_in(at_moment)
    assert "early" in found
    assert "late" not in found
    assert "late" not in kept.tenants_in(kept.restored("at-point", "--to-point", "the-point"))
    latest = kept.restored("latest")
    assert "late" in kept.tenants_in(latest)
    assert (
        len(kept.store.json("--data-dir", str(latest), "search", "-t", "acme", "-n", "100", "")["items"])
        == 40
    )
    Cluster(latest).stop()


def test_the_living_store_and_its_archive_are_not_touched_by_a_restored_one(kept: Kept) -> None:
    kept.take()
    folder = kept.restored("untouched")
    before = kept.segments()
    kept.store.cli("--data-dir", str(folder), "tenant", "create", "elsewhere")
    with Kept(kept.store, folder, "").store.connect("postgres") as connection:
        assert connection.execute(
            b"select count(*) from email_tenants where name = 'elsewhere'"
        ).fetchall() == [(0,)]
    assert not (folder / "postgres" / "backup.conf").exists()
    assert not (folder / "backup.json").exists()
    Cluster(folder).stop()
    assert [each for each in kept.segments() if each[:8] != "00000001"] == []
    assert before == kept.segments()


def test_another_machine_needs_the_place_and_the_key_and_nothing_else(kept: Kept, tmp_path: Path) -> None:
    kept.take()
    key = tmp_path / "key"
    shutil.copy(kept.store.home / "backup.key", key)
    home = kept.folder / "another-home"
    words = ["--from", str(kept.place), "--key-file", str(key), "--into", str(kept.folder / "moved")]
    kept.store.cli("restore", *words, POSTROOM_HOME=str(home))
    assert "acme" in kept.tenants_in(kept.folder / "moved")
    secrets = (kept.folder / "moved" / "secrets.json").read_text()
    assert secrets == (kept.store.home / "secrets.json").read_text()


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--to-time", "2001-01-01"], 18, "there is no way to 2001-01-01"),
        (["--to-time", "yesterday"], 2, "is no moment"),
        (["--to-time", "2999-01-01"], 2, "is still to come"),
        (["--to-point", "never-named"], 18, "The archive ends"),
        (["--backup", "no-such"], 3, "There is no backup 'no-such'"),
        (["--to-point", "a", "--backup", "b"], 2, "Name one moment"),
    ],
)
def test_a_moment_that_cannot_be_reached_is_one_sentence(
    kept: Kept, options: list[str], code: int, sentence: str
) -> None:
    if not kept.ids():
        kept.take()
    folder = kept.folder / "never"
    done = kept.store.cli("restore", "--into", str(folder), *options, check=False)
    assert (done.returncode, sentence in done.stderr, done.stderr.count("\n")) == (code, True, 1), done.stderr
    assert not folder.exists()


def test_a_living_or_used_folder_and_a_wrong_key_are_refused(kept: Kept, tmp_path: Path) -> None:
    if not kept.ids():
        kept.take()
    used = kept.folder / "used"
    used.mkdir()
    (used / "letter.txt").write_text("mine")
    wrong = tmp_path / "wrong"
    subprocess.run(["openssl", "rand", "-base64", "-out", str(wrong), "32"], check=True)
    for words, sentence in (
        (["--into", str(kept.store.home)], "A server lives in"),
        (["--into", str(used)], "is not empty"),
        (
            ["--into", str(kept.folder / "n"), "--key-file", str(wrong)],
            "not the key that the backup was sealed with",
        ),
    ):
        done = kept.store.cli("restore", *words, check=False)
        assert done.returncode in (2, 18)
        assert sentence in done.stderr
    assert [each.name for each in used.iterdir()] == ["letter.txt"]
    assert not (kept.folder / "n").exists()


def test_a_segment_that_is_missing_in_the_middle_is_named(kept: Kept) -> None:
    kept.take()
    kept.store.cli("backup", "point", "one")
    kept.store.cli("tenant", "create", "two")
    kept.store.cli("backup", "point", "two")
    kept.store.cli("tenant", "create", "three")
    kept.store.cli("backup", "point", "three")
    flush(kept.store.settings)
    lost = kept.segments()[-2]
    content = (kept.place / "wal" / lost).read_bytes()
    (kept.place / "wal" / lost).unlink()
    try:
        done = kept.store.cli("restore", "--into", str(kept.folder / "gap"), check=False)
        assert (done.returncode, f"lacks {lost}" in done.stderr) == (18, True), done.stderr
        assert not (kept.folder / "gap").exists()
        assert kept.store.json("backup", "list")["archive"]["missing"] == lost
    finally:
        path = kept.place / "wal" / lost
        path.write_bytes(content)


def test_one_tenant_comes_back_and_the_others_stay_as_they_are(kept: Kept) -> None:
    kept.store.cli("tenant", "create", "lost")
    kept.store.cli("import", "-t", "lost", "-a", EMAIL, str(kept.folder / "box"))
    options = ("--email", "other@example.com", "--host", "127.0.0.1", "--password-stdin")
    kept.store.cli("account", "add", "-t", "lost", *options, stdin="correct horse\n")
    backup = kept.take()
    refused = kept.store.cli("restore", "--tenant", "lost", "--backup", backup, check=False)
    assert (refused.returncode, "is living here" in refused.stderr) == (2, True)
    kept.store.cli("tenant", "erase", "lost", "--yes-erase", "lost")
    with kept.store.connect("postgres") as connection:
        before = connection.execute(
            b"select tenant_id, count(*), max(updated_at) from email_messages group by 1"
        ).fetchall()
    kept.store.cli("restore", "--tenant", "lost", "--backup", backup)
    assert len(kept.store.json("search", "-t", "lost", "-n", "100", "")["items"]) == 40
    with kept.store.connect("postgres") as connection:
        after = connection.execute(
            b"select tenant_id, count(*), max(updated_at) from email_messages group by 1"
        ).fetchall()
        kept_password = connection.execute(
            b"select count(*) from email_credentials c join email_tenants t using (tenant_id) where t.name = 'lost'"
        ).fetchall()
    assert set(before) < set(after)
    assert kept_password == [(1,)]
    missing = kept.store.cli("restore", "--tenant", "nobody", "--backup", backup, check=False)
    assert (missing.returncode, "none of this name" in missing.stderr) == (3, True)


# The doctor ----------------------------------------------------------------------------------------------------------


def test_the_doctor_is_silent_on_backups_in_order_and_names_what_is_not() -> None:
    with kept_store() as kept:
        store = kept.store
        (none,) = findings(store, "backup")
        assert none.what == "There is no backup yet"
        backup = kept.take()
        (unproved,) = findings(store, "backup")
        assert "No backup was verified" in unproved.what
        store.cli("backup", "verify", backup)
        assert findings(store, "backup", "archive", "archive-backlog") == []
        away = kept.place.rename(kept.folder / "unmounted")
        run_statements(
            store, ["select pg_switch_wal()", *["select pg_current_xact_id(), pg_switch_wal()"] * 10]
        )
        backlog, unreachable = findings(store, "backup", "archive-backlog")[::-1]
        assert "cannot be reached" in unreachable.what
        assert "wait to be archived" in backlog.what
        away.rename(kept.place)
        flush(store.settings)
        assert findings(store, "backup", "archive-backlog") == []


# Interruptions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_backup_that_was_ended_leaves_none_and_the_next_clears_it_away(
    kept: Kept, how: signal.Signals
) -> None:
    before = kept.ids()
    running = program(kept.store, "backup")
    begun = kept.place / "backups"
    until(
        lambda: (
            any({each.parent.name for each in begun.rglob(".base*")} - set(before))
            or running.poll() is not None
        )
    )
    running.send_signal(how)
    running.communicate()
    assert running.returncode in (130, -how)
    assert kept.ids() == before
    if how is signal.SIGINT:
        assert {each.name for each in begun.iterdir()} == set(before)
    made = kept.take()
    assert {each.name for each in begun.iterdir()} == {*before, made}
    with kept.store.connect("postgres") as connection:
        assert connection.execute(b"select count(*) from pg_replication_slots").fetchall() == [(0,)]


def test_a_restore_that_was_interrupted_leaves_nothing(kept: Kept) -> None:
    kept.take()
    folder = kept.folder / "interrupted"
    running = program(kept.store, "restore", "--into", str(folder))
    until(lambda: (folder / "ask").exists() or running.poll() is not None)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate()
    assert (running.returncode, "Interrupted" in said) == (130, True)
    assert not folder.exists()
    assert not [line for line in processes_at(folder) if "postgres" in line]


def _made(backup_id: str, parent: str | None) -> Manifest:
    known = {"postroom": "1", "server": "17.1", "major": 17, "system_identifier": "1", "timeline": 1}
    times = {"begun_at": "2026-01-02T03:04:05+00:00", "finished_at": "2026-01-02T03:04:06+00:00"}
    held = {"start_segment": "", "stop_lsn": "", "data_bytes": 0, "objects": {}, "rows": {}}
    kind = "incremental" if parent else "full"
    return Manifest(id=backup_id, kind=kind, parent=parent, **known, **times, **held)


def test_a_chain_that_ends_nowhere_is_one_sentence() -> None:
    full, between, last = found = [_made("a", None), _made("b", "a"), _made("c", "b")]
    assert manifest.chain_of(found, last) == [full, between, last]
    with pytest.raises(BackupError, match="The backup b builds on a, which is not there"):
        manifest.chain_of([between, last], last)
    itself, one, other = _made("d", "d"), _made("e", "f"), _made("f", "e")
    with pytest.raises(BackupError, match="The backup d builds on d, which builds on it"):
        manifest.chain_of([itself], itself)
    with pytest.raises(BackupError, match="The backup e builds on f, which builds on it"):
        manifest.chain_of([one, other], other)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../out", tarfile.REGTYPE),
        ("/tmp/out", tarfile.REGTYPE),
        ("in", tarfile.SYMTYPE),
        ("in", tarfile.FIFOTYPE),
    ],
)
def test_nothing_of_an_archive_leads_out_of_the_folder(tmp_path: Path, name: str, kind: bytes) -> None:
    made = io.BytesIO()
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(member)
    made.seek(0)
    (tmp_path / "data").mkdir()
    with tarfile.open(fileobj=made, mode="r|") as archive:
        found = archive.next()
        assert found is not None
        with pytest.raises(tarfile.TarError, match="data folder"):
            rebuild.put(archive, found, tmp_path / "data")
    assert list(tmp_path.rglob("*")) == [tmp_path / "data"]


def test_two_backups_begun_in_one_second_have_two_names(tmp_path: Path) -> None:
    place, begun = place_at(str(tmp_path), endpoint=None), datetime(2026, 1, 2, 3, 4, 59, tzinfo=UTC)
    first = manifest.new_id(place, begun, "incremental")
    place.write(f"{manifest.FOLDER}/{first}/manifest.json", [b"{}"])
    second = manifest.new_id(place, begun, "incremental")
    assert (first, second) == ("20260102-030459-incremental", "20260102-030500-incremental")
