"""Nobody of a tenant reads, changes or counts what is in an account that is neither theirs nor shared with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from random import Random
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.leaks.asks import Ask, Gives, blind, names
from tests.leaks.catalog import Catalog
from tests.leaks.office import (
    HIDDEN,
    MAILBOXES,
    ME,
    MINE,
    OFFICE,
    STRANGER,
    TO_READ,
    TO_WRITE,
    Mailbox,
    bound_tables,
    furnish,
    seen,
    written,
)
from tests.leaks.outcome import DENIED, Outcome, Visit
from tests.leaks.pooler import passwords
from tests.leaks.rights import Rights, rights_of
from tests.support.pgbouncer import Bouncer, running_bouncer
from tests.support.site import Store, running_store

NO_UUID = "22P02"
BOUND = ("email_owner", "email_service", "email_worker", "email_readonly")
SEARCH = "select message_id from email_search_messages('{tenant}', '{query}', {rank}, 9, null, null)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """`user` is None where nobody is set, so that all of the tenant is there."""

    name: str
    setting: str
    user: str | None = None


def _as(user: str) -> str:
    return f"set local app.current_tenant_id = '{OFFICE.id}'; set local app.current_user_id = '{user}'"


PEOPLE = (
    Person(name="no user", setting=f"set local app.current_tenant_id = '{OFFICE.id}'"),
    Person(name="an empty user", setting=_as("")),
    Person(name="me", setting=_as(ME), user=ME),
    Person(name="me in capitals", setting=_as(ME.upper()), user=ME),
    Person(name="the one who shared to be read", setting=_as(TO_READ.owner), user=TO_READ.owner),
    Person(name="the one who shares nothing", setting=_as(HIDDEN.owner), user=HIDDEN.owner),
    Person(name="a stranger", setting=_as(STRANGER), user=STRANGER),
    Person(name="a malformed user", setting=_as("acme"), user="acme"),
)


@pytest.fixture(scope="module")
def office() -> Iterator[Store]:
    with running_store() as store:
        with store.connect("postgres") as connection:
            furnish(connection, Catalog(connection))
        yield store


@contextmanager
def visiting(url: str) -> Iterator[Visit]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield Visit(connection)


TENANT_ONLY = "(tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)"
HOLES = {
    "email_attachments": f"alter policy email_attachments_tenant_policy on email_attachments using {TENANT_ONLY}",
    "email_blobs": f"alter policy email_blobs_tenant_policy on email_blobs using {TENANT_ONLY}",
    "email_placements": "drop policy email_placements_update_policy on email_placements;"
    f" alter policy email_placements_tenant_policy on email_placements with check {TENANT_ONLY}",
    "email_credentials": "drop policy email_credentials_delete_policy on email_credentials;"
    f" alter policy email_credentials_tenant_policy on email_credentials using {TENANT_ONLY}",
    "email_outbox": "create policy more on email_outbox using " + TENANT_ONLY,
}
"""By the table: what takes away that a user is asked for."""


@pytest.mark.parametrize("table", HOLES)
def test_a_table_that_does_not_ask_for_the_user_is_named(office: Store, table: str) -> None:
    login, copy = "email_worker", "scratch_users"
    catalog, rights = _catalog(office, login)
    url = urlsplit(office.site.url(login))._replace(path=f"/{copy}").geturl()
    with psycopg.connect(
        urlsplit(office.site.url("postgres"))._replace(path="/postgres").geturl(), autocommit=True
    ) as connection:
        connection.execute(f"create database {copy} template email_service".encode())
        try:
            connection.execute(f"grant connect on database {copy} to {login}".encode())
            with psycopg.connect(
                urlsplit(office.site.url("postgres"))._replace(path=f"/{copy}").geturl(), autocommit=True
            ) as owner:
                owner.execute(HOLES[table].encode())
            with visiting(url) as visit:
                faults = list(_faults(catalog, rights, [visit], login))
        finally:
            connection.execute(f"drop database {copy} with (force)".encode())
    named = {fault.partition(":")[0] for fault in faults}
    # Bytes are seen by who sees what is made of them.
    assert table in named
    assert named <= {table, "email_blobs", "email_blob_pieces"}


def _catalog(office: Store, login: str) -> tuple[Catalog, dict[str, Rights]]:
    with office.connect("postgres") as connection:
        return Catalog(connection), rights_of(connection, login)


@pytest.mark.parametrize("login", BOUND)
def test_a_user_sees_and_changes_what_is_theirs_in_every_table(office: Store, login: str) -> None:
    catalog, rights = _catalog(office, login)
    with visiting(office.site.url(login)) as visit:
        faults = list(_faults(catalog, rights, [visit], login))
    assert faults == []


@pytest.mark.parametrize("login", ["email_service", "email_worker"])
def test_a_pooled_connection_brings_nothing_of_the_user_before(
    office: Store, office_bouncer: Bouncer, login: str
) -> None:
    catalog, rights = _catalog(office, login)
    url = office_bouncer.url(office.site.url(login))
    with visiting(url) as visit, visiting(url) as before:
        faults = list(_faults(catalog, rights, [visit, before], login))
    assert faults == []


def _faults(catalog: Catalog, rights: dict[str, Rights], visits: list[Visit], login: str) -> Iterator[str]:
    asked = 0
    for table, person in product(bound_tables(catalog), PEOPLE):
        if login == "email_owner" and table in ("email_holds", "email_webhooks"):
            continue  # whose functions ask whether mail is held, whoever removes it, and whether anybody is to be told
        for ask in blind(catalog, table, rights[table]):
            if (login, ask.name) == ("email_owner", "truncate") or not ask.is_granted:
                continue
            for before in visits[1:]:
                before.leave(_as(HIDDEN.owner))
            outcome = visits[0].ask(person.setting, ask.statement)
            asked += 1
            for fault in _answered_wrong(table, ask, person, outcome):
                yield f"{table}: {login} as {person.name}: {ask.name}: {fault}"
    assert asked > 200


def _answered_wrong(table: str, ask: Ask, person: Person, outcome: Outcome) -> Iterator[str]:
    there = set(MAILBOXES) if person.user is None else seen(table, person.user)
    may_change = set(MAILBOXES) if person.user is None else written(table, person.user)
    for mailbox in set(MAILBOXES) - there:
        if any(mark in outcome.text for mark in mailbox.marks):
            yield f"shows {mailbox.of.word}: {outcome.text[:200]}"
    if person.user == "acme":
        if outcome.sqlstate != NO_UUID:
            yield f"is answered: {outcome}"
        return
    if outcome.sqlstate:
        if ask.gives is not Gives.TOUCHED or outcome.sqlstate == DENIED:
            yield f"is refused: {outcome.said}"
        return  # a foreign key of a row of its own forbids it
    wanted = len(may_change if ask.gives is Gives.TOUCHED else there)
    count = {
        Gives.ROWS: len(outcome.rows),
        Gives.TOUCHED: outcome.touched,
        Gives.NUMBER: int("".join(outcome.rows) or -1) if ask.gives is Gives.NUMBER else 0,
    }[ask.gives]
    if count != wanted:
        yield f"gives {count} rows where there are {wanted}: {outcome.said}"


@pytest.mark.parametrize("login", BOUND[:-1])
def test_a_row_is_put_only_where_one_may_write(office: Store, login: str) -> None:
    """A copy of each row, so that all it can break is row security, or a key after that."""
    catalog, rights = _catalog(office, login)
    tried = 0
    with visiting(office.site.url(login)) as visit, office.connect("postgres") as owner:
        for table, mailbox in product(bound_tables(catalog), MAILBOXES):
            columns = rights[table].inserts
            if not columns:
                continue
            row = owner.execute(
                f"select {', '.join(f'quote_nullable({names([each])}::text)' for each in columns)} from {table}"
                f" where tenant_id = '{OFFICE.id}' and {table}::text ~ '{mailbox.of.hex}|{mailbox.of.word}'".encode()
            ).fetchone()
            assert row, (table, mailbox)
            insert = f"insert into {table} ({names(columns)}) values ({', '.join(row)})"
            outcome = visit.ask(_as(ME), insert)
            refused = "row-level security" in outcome.said
            # The trail takes what one did oneself.
            may = mailbox is MINE if table == "email_audit_log" else mailbox in written(table, ME)
            assert refused is not may, (table, mailbox.of.word, outcome)
            tried += 1
    assert tried >= 20


@pytest.mark.parametrize(
    "query", ['{"all": true}', '{"ts": "\'WORD1001\'"}', '{"and": [{"flag": "unread"}]}']
)
@pytest.mark.parametrize("rank", ["null", "'''a'''"])
def test_the_search_finds_what_the_user_sees(office: Store, query: str, rank: str) -> None:
    with visiting(office.site.url("email_service")) as visit:
        for person, mailbox in product(PEOPLE, MAILBOXES):
            words = _words(office, mailbox)
            asked = query.replace("'WORD1001'", f"''{words}''")
            outcome = visit.ask(person.setting, SEARCH.format(tenant=OFFICE.id, query=asked, rank=rank))
            there = set(MAILBOXES) if person.user is None else seen("email_messages", person.user)
            found = {each for each in MAILBOXES if each.of.hex in outcome.text}
            if person.user == "acme":
                assert outcome.sqlstate == NO_UUID
            elif "ts" in query:
                assert found == there & {mailbox}, (person.name, outcome)
            else:
                assert found == there, (person.name, outcome)


def _words(office: Store, mailbox: Mailbox) -> str:
    with office.connect("postgres") as owner:
        row = owner.execute(
            b"select tsvector_to_array(words) from email_search_entries where words::text like %s",
            [f"%{mailbox.of.word}%"],
        ).fetchone()
    assert row
    return row[0][0]


def test_nobody_gives_a_share_in_what_they_do_not_own(office: Store) -> None:
    account = {each: _account(office, each) for each in MAILBOXES}
    share = (
        "insert into email_account_shares (tenant_id, user_id, account_id, owner_id, access, created_at, updated_at)"
        " values ('{tenant}', '{user}', '{account}', '{owner}', '{access}', 0, 0)"
    )
    nowhere = "99999999-0000-4000-8000-000000000001"
    with visiting(office.site.url("email_service")) as visit:

        def put(mailbox: Mailbox | None, user: str, owner: str, access: str = "write") -> Outcome:
            where = account[mailbox] if mailbox else nowhere
            values = {"user": user, "account": where, "owner": owner, "access": access}
            return visit.ask(_as(ME), share.format(tenant=OFFICE.id, **values))

        assert put(MINE, STRANGER, ME).touched == 1
        for mailbox in (TO_READ, TO_WRITE, HIDDEN):
            assert "row-level security" in put(mailbox, STRANGER, mailbox.owner).said
            assert "foreign key" in put(mailbox, STRANGER, ME).said
            assert "foreign key" in put(mailbox, ME, ME, "owner").said or mailbox.shared
        # An account that is somebody else's answers like one that is not there.
        there, missing = put(HIDDEN, STRANGER, ME), put(None, STRANGER, ME)
        assert there.said.replace(account[HIDDEN], "") == missing.said.replace(nowhere, "")
        for change in (
            "update email_account_shares set access = 'write' where access = 'read'",
            "update email_account_shares set access = 'write' where access = 'owner'",
            "delete from email_account_shares",
        ):
            assert visit.ask(_as(ME), change).touched == 0, change
        # The owner takes back what was given, and stays the owner.
        assert visit.ask(_as(TO_READ.owner), "delete from email_account_shares").touched == 1


def test_the_shares_that_a_user_knows_are_the_own_and_those_of_the_own_accounts(office: Store) -> None:
    listed = "select user_id, access from email_account_shares"
    with visiting(office.site.url("email_service")) as visit:
        mine = [f"{ME}|owner", f"{ME}|read", f"{ME}|write"]
        assert sorted(visit.ask(_as(ME), listed).rows) == mine
        theirs = [f"{ME}|read", f"{TO_READ.owner}|owner"]
        assert sorted(visit.ask(_as(TO_READ.owner), listed).rows) == theirs
        assert visit.ask(_as(STRANGER), listed).rows == []


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_given_and_taken_a_user_sees_exactly_what_holds(office: Store, seed: int) -> None:
    """Shares are given and taken at random, by whoever owns the account; a plain table says what must be seen."""
    random = Random(seed)
    account = {each: _account(office, each) for each in MAILBOXES}
    people = [each.owner for each in MAILBOXES] + [STRANGER]
    with office.connect("postgres") as connection, connection.transaction(force_rollback=True):
        connection.execute(
            b"delete from email_account_shares where access <> 'owner' and tenant_id = %s", [OFFICE.id]
        )
        connection.execute(b"set local role email_service")
        holds = {(each.owner, each): "owner" for each in MAILBOXES}
        for _ in range(40):
            mailbox, user = random.choice(MAILBOXES), random.choice(people)
            access = random.choice(["read", "write", None])
            connection.execute(_as(mailbox.owner).encode())
            if mailbox.owner != user:
                if access is None:
                    connection.execute(
                        b"delete from email_account_shares where user_id = %s and account_id = %s",
                        [user, account[mailbox]],
                    )
                    holds.pop((user, mailbox), None)
                else:
                    connection.execute(
                        b"insert into email_account_shares values (%s, %s, %s, %s, %s, 0, 0)"
                        b" on conflict (tenant_id, user_id, account_id) do update set access = excluded.access",
                        [OFFICE.id, user, account[mailbox], mailbox.owner, access],
                    )
                    holds[user, mailbox] = access
            reader = random.choice(people)
            connection.execute(_as(reader).encode())
            for table in ("email_messages", "email_placements", "email_blobs", "email_attachments"):
                row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
                assert row == (sum((reader, each) in holds for each in MAILBOXES),), table
            changed = connection.execute(b"update email_messages set is_read = is_read").rowcount
            assert changed == sum(holds.get((reader, each)) in ("write", "owner") for each in MAILBOXES)


def _account(office: Store, mailbox: Mailbox) -> str:
    with office.connect("postgres") as owner:
        row = owner.execute(
            b"select id::text from email_accounts where user_id = %s", [mailbox.owner]
        ).fetchone()
    assert row
    return row[0]


@pytest.fixture(scope="module")
def office_bouncer(office: Store) -> Iterator[Bouncer]:
    with running_bouncer(office.site.url("postgres"), passwords(office)) as found:
        yield found
