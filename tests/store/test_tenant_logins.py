"""A login of one tenant is that tenant's for ever: whatever it sets, it reads, counts and times nothing of another's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from postroom.model import TenantId
from postroom.ops.tenant_login import login_name
from tests.store.attempts import ALL, READABLE
from tests.support.site import Store

# What a refusal looks like. No other error will do: one that comes from a value has seen the value.
REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedObject,
    psycopg.errors.UndefinedTable,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.CantChangeRuntimeParam,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    name: str
    url: str
    known: dict[str, str]
    """What the attempts may name: of the two tenants, everything that could be guessed."""


@pytest.fixture(scope="module")
def two(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    box: Path = tmp_path_factory.mktemp("two") / "box"
    store.cli("sample", str(box), "--messages", "12")
    names = store.tenant(), store.tenant()
    for name in names:
        store.cli("import", "-t", name, "-a", "me@example.com", str(box))
    urls = [store.cli("tenant", "login", name).stdout.strip() for name in names]
    with psycopg.connect(urls[1], autocommit=True) as theirs:
        other, message = _rows(theirs, "select tenant_id, id from email_messages order by id limit 1")[0]
        login = theirs.info.user
    large = _large_object_of(store, login)
    with psycopg.connect(urls[0]) as connection:
        mine = _rows(connection, "select tenant_id from email_tenants")[0][0]
        me = connection.info.user
    known = {"mine": mine, "other": other, "OTHER": str(other).upper(), "message": message}
    known |= {"large": large, "login": login, "me": me}
    yield Two(name=names[0], url=urls[0], known=known)
    store.cli("tenant", "login", names[1], "--revoke")  # with its large object


def _large_object_of(store: Store, login: str) -> int:
    """A login can make one only where a superuser could not forbid it, on a managed server."""
    with store.connect("postgres") as connection:
        large = _rows(connection, "select lo_from_bytea(0, 'secret')")[0][0]
        connection.execute(f"alter large object {large} owner to {login}".encode())
        return large


def _rows(connection: psycopg.Connection[Any], statement: str) -> list[Any]:
    """The rows of the last of these statements, each sent for itself."""
    each = [statement] if "$$" in statement else statement.split("; ")
    cursors = [connection.execute(one.encode()) for one in each]
    return cursors[-1].fetchall() if cursors[-1].description else []


def _told(connection: psycopg.Connection[Any], statement: str, known: dict[str, str]) -> list[Any]:
    heard: list[str] = []
    connection.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
    connection.execute(b"set default_transaction_read_only = off")
    values = [value for row in _rows(connection, statement.format(**known)) for value in row if value]
    others_setting = {str(known["other"]), known["OTHER"]}  # what it set itself it may read
    refusals = [each for each in heard if each.startswith("permission denied")]
    return [value for value in values if str(value) not in others_setting] + heard[len(refusals) :]


@pytest.mark.parametrize("statement", ALL)
def test_nothing_that_it_tries_gives_anything_of_another_tenant(two: Two, statement: str) -> None:
    with psycopg.connect(two.url, autocommit=True) as connection:
        try:
            told = _told(connection, statement, two.known)
        except REFUSED:
            return
        except psycopg.errors.InvalidTextRepresentation:
            if "nonsense" not in statement:
                raise
            return
    assert not told


def test_it_reads_its_own_mail_and_finds_it(two: Two) -> None:
    with psycopg.connect(two.url, autocommit=True) as connection:
        counts = {table: _rows(connection, f"select count(*) from {table}")[0][0] for table in READABLE}
        assert counts["email_messages"] == 12
        assert counts["email_tenants"] == 1
        search = (
            "select count(*) from email_search_messages('{mine}', '{{\"all\": true}}', null, 99, null, null)"
        )
        assert _rows(connection, search.format(**two.known))[0][0] == 12


def test_without_its_tenant_set_it_has_nothing(two: Two) -> None:
    with psycopg.connect(two.url.partition("?")[0], autocommit=True) as connection:
        assert _rows(connection, "select * from email_messages") == []
        assert _rows(
            connection, "set app.current_tenant_id = '{mine}'; table email_tenants".format(**two.known)
        )


@pytest.mark.parametrize("source", ["email_messages", "(select * from email_messages)"])
def test_copy_gives_nothing_with_another_tenant_set(two: Two, source: str) -> None:
    with psycopg.connect(two.url, autocommit=True) as connection:
        connection.execute("set app.current_tenant_id = '{other}'".format(**two.known).encode())
        with connection.cursor().copy(f"copy {source} to stdout".encode()) as copy:
            assert [bytes(row) for row in copy] == []


def test_explain_counts_no_row_of_another_tenant(two: Two) -> None:
    """With another tenant set the rows are not even read: there is nothing to be counted, and nothing to be timed."""
    with psycopg.connect(two.url, autocommit=True) as connection:
        connection.execute("set app.current_tenant_id = '{other}'".format(**two.known).encode())
        for table in READABLE:
            for method in (
                "",
                "set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off;",
            ):
                plan = _rows(connection, f"{method} explain (analyze, buffers off) select * from {table}")
                text = "\n".join(row[0] for row in plan)
                assert "(never executed)" in text, text
                assert "Rows Removed" not in text, text
                connection.execute(
                    b"reset enable_indexscan; reset enable_bitmapscan; reset enable_indexonlyscan"
                )


def test_the_same_login_comes_back_with_a_new_password_and_ends_with_its_sessions(
    store: Store, tmp_path: Path
) -> None:
    name = store.tenant()
    first, second = (store.json("tenant", "login", name)["url"] for _ in range(2))
    assert conninfo_to_dict(first)["user"] == conninfo_to_dict(second)["user"]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first)
    with psycopg.connect(second, autocommit=True) as session:
        _rows(session, "set default_transaction_read_only = off")
        _large_object_of(store, session.info.user)
        session.execute(b"alter default privileges grant select on tables to public")
        tenant_id = TenantId(UUID(str(_rows(session, "select tenant_id from email_tenants")[0][0])))
        assert session.info.user == login_name(tenant_id)
        assert store.cli("tenant", "login", name, "--revoke").returncode == 0
        with pytest.raises(psycopg.OperationalError):
            session.execute(b"select 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(second)
    gone: subprocess.CompletedProcess[str] = store.cli("tenant", "login", name, "--revoke", check=False)
    assert (gone.returncode, "postroom tenant login" in gone.stderr) == (3, True)
