"""Mail in from files, found, shown, and out again byte for byte."""

from __future__ import annotations

import hashlib
import mailbox
from pathlib import Path

import pytest

from postroom.sample import generate
from tests.support.corpus import corpus
from tests.support.site import Store

ODD = {
    "nul": b"Subject: a\0b\r\n\r\nx\0y\r\n",
    "surrogate": b"Subject: =?utf-8?b?7aCA?=\n\nhalf a pair \xed\xa0\x80\n",
    "unique": b"Subject: words\n\n" + b" ".join(b"w%dx" % number for number in range(120_000)),
    "subject": b"Subject: " + b"long " * 14_000 + b"\n\nbody\n",
    "recipients": b"To: "
    + b",\n ".join(b"P %d <p%d@x.example>" % (n, n) for n in range(10_000))
    + b"\n\nbody\n",
    "nested": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000)
    )
    + b"\nx",
    "no-headers": b"just a text\n\nand more\n",
    "only-headers": b"Subject: nothing else\nFrom: a@b.example\n",
}


def _hashes(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.eml")}


def test_every_byte_of_the_corpora_comes_back(store: Store, tmp_path: Path) -> None:
    tenant, sources = store.tenant(), [corpus("mikel-mail"), corpus("mail-parser")]
    store.cli("import", "-t", tenant, "-a", "me@example.com", *map(str, sources))
    store.cli("export", "-t", tenant, "-a", "me@example.com", "-f", "eml", str(tmp_path / "out"))
    assert _hashes(tmp_path / "out") == set.union(*(_hashes(source) for source in sources))


@pytest.mark.parametrize("name", sorted(ODD))
def test_odd_mail_is_stored_whole_and_found(store: Store, tmp_path: Path, name: str) -> None:
    tenant, file = store.tenant(), tmp_path / "odd.eml"
    file.write_bytes(ODD[name])
    assert store.json("import", "-t", tenant, "-a", "me@example.com", str(file))["stored"] == 1
    found = store.json("search", "-t", tenant)["items"]
    shown = store.json("show", "-t", tenant, found[0]["id"])
    assert shown["sha256"] == hashlib.sha256(ODD[name]).hexdigest()
    store.cli("export", "-t", tenant, "-a", "me@example.com", "-f", "eml", str(tmp_path / "out"))
    assert _hashes(tmp_path / "out") == {shown["sha256"]}


def test_importing_twice_is_the_same_as_once(store: Store, tmp_path: Path) -> None:
    tenant, box = store.tenant(), tmp_path / "box"
    store.cli("sample", str(box), "--messages", "120")
    first = store.json("import", "-t", tenant, "-a", "me@example.com", str(box))
    again = store.json("import", "-t", tenant, "-a", "me@example.com", str(box))
    assert (first["stored"], first["already_there"]) == (120, 0)
    assert (again["stored"], again["already_there"]) == (0, 120)
    with store.connect("postgres") as connection:
        wrong = connection.execute(
            "select count(*) from email_folders f where total_count <> (select count(*) from email_placements p"
            " where p.folder_id = f.id and p.vanished_at is null and not p.is_hidden) or unread_count <> (select count(*) from"
            " email_placements p where p.folder_id = f.id and p.vanished_at is null and not p.is_hidden and not p.is_read)"
        ).fetchone()
    assert wrong == (0,)


def test_a_maildir_goes_out_and_comes_in_with_folders_and_flags(store: Store, tmp_path: Path) -> None:
    one, other = store.tenant(), store.tenant()
    store.cli("sample", str(tmp_path / "in"), "--messages", "60")
    store.cli("import", "-t", one, "-a", "me@example.com", str(tmp_path / "in"))
    store.cli("export", "-t", one, "-a", "me@example.com", "-f", "maildir", str(tmp_path / "out"))
    store.cli("import", "-t", other, "-a", "me@example.com", str(tmp_path / "out"))
    queries = ("is:unread", "in:Sent", 'in:"Projects/Harbour"', "in:inbox is:read")
    for query in queries:
        first, second = (store.json("search", "-t", t, "-n", "1000", query)["items"] for t in (one, other))
        assert len(first) == len(second) > 0


def test_an_attachment_is_kept_once_for_each_tenant(store: Store, tmp_path: Path) -> None:
    tenant = store.tenant()
    invoice = next(each.raw for each in generate(100, 1) if b"application/pdf" in each.raw)
    box = mailbox.mbox(tmp_path / "two.mbox")
    for number in range(2):
        box.add(b"X-Copy: %d\n" % number + invoice)
    box.close()
    store.cli("import", "-t", tenant, "-a", "me@example.com", str(tmp_path / "two.mbox"))
    with store.connect("postgres") as connection:
        row = connection.execute(
            "select count(*), count(distinct blob_hash) from email_attachments a join email_tenants t"
            " using (tenant_id) where t.name = %s",
            [tenant],
        ).fetchone()
    assert row == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (("search", "-t", "nobody-here", "x"), 3, "no tenant 'nobody-here'"),
        (("search", "-t", "{tenant}", "form:alice"), 2, "character 1"),
        (("show", "-t", "{tenant}", "ffffffff"), 3, "no message"),
        (("show", "-t", "{tenant}", "not-an-id"), 2, "not the id of a message"),
        (("import", "-t", "{tenant}", "-a", "a@b.example", "/bin/ls"), 4, "is not mail"),
        (("sync", "-t", "{tenant}", "-a", "a@b.example"), 3, "no account"),
        (("tenant", "create", "No Good"), 2, "cannot be a tenant's name"),
        (("export", "-t", "{tenant}", "-a", "x@y.example", "/tmp"), 3, "no account"),
    ],
)
def test_a_mistake_gets_one_sentence(
    store: Store, arguments: tuple[str, ...], exit_code: int, says: str
) -> None:
    tenant = store.tenant()
    done = store.cli(*(each.format(tenant=tenant) for each in arguments), check=False)
    assert done.returncode == exit_code
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
