"""Two tenants with the same mail: neither finds, counts, guesses or references anything of the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.site import Store

TABLES = [
    "email_tenants",
    "email_accounts",
    "email_folders",
    "email_messages",
    "email_placements",
    "email_addresses",
    "email_attachments",
    "email_blobs",
    "email_blob_pieces",
    "email_changes",
    "email_outbox",
    "email_senders",
    "email_sends",
    "email_recipients",
    "email_drafts",
    "email_quarantine",
    "email_audit_log",
    "email_audit_heads",
    "email_holds",
    "email_held_messages",
    "email_purged_uids",
]


@pytest.fixture(scope="module")
def both(store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, UUID, UUID]:
    box: Path = tmp_path_factory.mktemp("both") / "box"
    store.cli("sample", str(box), "--messages", "80")
    names = store.tenant(), store.tenant()
    for name in names:
        store.cli("import", "-t", name, "-a", "me@example.com", str(box))
    with store.connect("postgres") as connection:
        ids = [
            _one(connection, "select tenant_id from email_tenants where name = %s", name) for name in names
        ]
    return (*names, *ids)


def _one(connection: psycopg.Connection[Any], question: str, *values: object) -> Any:
    row = connection.execute(question.encode(), values).fetchone()
    return row[0] if row else None


def _as(connection: psycopg.Connection[Any], tenant_id: UUID) -> None:
    connection.execute(f"set app.current_tenant_id = '{tenant_id}'".encode())


@pytest.mark.parametrize("table", TABLES)
def test_no_tenant_set_means_no_rows(store: Store, both: tuple[str, str, UUID, UUID], table: str) -> None:
    with store.connect("email_service") as connection:
        for value in ("", None):
            if value is not None:
                connection.execute(b"set app.current_tenant_id = ''")
            assert _one(connection, f"select count(*) from {table}") == 0


@pytest.mark.parametrize("table", TABLES)
def test_sql_sees_its_own_tenant_only(store: Store, both: tuple[str, str, UUID, UUID], table: str) -> None:
    with store.connect("email_service") as connection:
        _as(connection, both[2])
        assert _one(connection, f"select count(*) from {table} where tenant_id <> %s", both[2]) == 0


def test_search_is_for_the_tenant_that_is_set(store: Store, both: tuple[str, str, UUID, UUID]) -> None:
    with store.connect("email_service") as connection:
        _as(connection, both[2])
        question = "select count(*) from email_search_messages(%s, '{\"all\": true}', null, 1000, null, null)"
        assert _one(connection, question, both[2]) == 80
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _one(connection, question, both[3])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _one(connection, "select count(*) from email_search_entries")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _one(connection, "select * from email_tenant_list()")


def test_nothing_can_be_attached_to_another_tenants_rows(
    store: Store, both: tuple[str, str, UUID, UUID]
) -> None:
    with store.connect("postgres") as connection:
        account_id = _one(connection, "select id from email_accounts where tenant_id = %s", both[3])
    with store.connect("email_service") as connection:
        _as(connection, both[2])
        insert = (
            b"insert into email_folders (id, tenant_id, account_id, name, created_at, updated_at)"
            b" values (gen_random_uuid(), %s, %s, 'x', 0, 0)"
        )
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute(insert, [both[2], account_id])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(insert, [both[3], account_id])


def test_an_id_of_another_tenant_is_not_there(store: Store, both: tuple[str, str, UUID, UUID]) -> None:
    theirs = store.json("search", "-t", both[1], "-n", "1")["items"][0]["id"]
    done = store.cli("show", "-t", both[0], theirs, check=False)
    assert done.returncode == 3
    assert "no message" in done.stderr


def test_the_same_mail_shares_no_id_and_no_thread(store: Store, both: tuple[str, str, UUID, UUID]) -> None:
    mine, theirs = (store.json("search", "-t", name, "-n", "1000")["items"] for name in both[:2])
    for key in ("id", "thread_id"):
        assert not {each[key] for each in mine} & {each[key] for each in theirs}


def test_the_application_cannot_change_what_is_not_its_own_to_change(store: Store) -> None:
    with store.connect("email_service") as connection:
        for statement in (
            b"truncate email_messages",
            b"update email_messages set text_body = ''",
            b"update email_folders set total_count = 0",
            b"select ciphertext from email_credentials",
            b"create table mine (x int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
