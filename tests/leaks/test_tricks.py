"""Tricks against row security that are known from other systems, each with what it comes to here."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.leaks.expected import sees
from tests.leaks.fill import OTHER, OWN, THIRD
from tests.leaks.matrix import BOUND
from tests.leaks.outcome import Visit
from tests.leaks.places import Place

MINE = f"set local app.current_tenant_id = '{OWN.id}'"
OBJECTS = [
    "create temporary table email_messages (id uuid)",
    "create function pg_temp.peek(text) returns boolean language sql as 'select true'",
    "create operator pg_temp.= (leftarg = uuid, rightarg = uuid, function = uuid_ne)",
    "create view pg_temp.v as select * from email_messages",
    "select * into temporary mine from email_messages",
    "create function public.peek(text) returns boolean language sql as 'select true'",
    "create table public.mine (id uuid)",
    "create schema mine",
    "create extension dblink",
    "alter table email_messages disable row level security",
    "drop policy email_messages_tenant_policy on email_messages",
    "create policy more on email_messages using (true)",
    "create trigger peek before insert on email_messages for each row execute function email_count_placed()",
    "alter function email_search_messages(uuid, jsonb, text, integer, bigint, uuid) security invoker",
]
IDENTITIES = [
    "set role email_owner",
    "set role email_search",
    "set role postgres",
    "set session authorization email_owner",
    "alter role email_service bypassrls",
    "set session_replication_role = replica",
]
LEAKY = [
    "select count(*) from email_messages where subject::integer = 1",
    "select count(*) from email_messages where 1 / (length(subject) - 9) = 1",
    "select count(*) from email_messages where subject::xml is not null",
    "select count(*) from email_accounts a join email_folders f on a.email_address::integer = f.total_count",
    "select id from email_messages order by subject::date",
    "select max(subject::integer) from email_messages group by subject::uuid",
    "select (select t.subject::integer from email_messages t limit 1)",
    "select query_to_xml('select subject from email_messages', true, true, '')",
    "select table_to_xml('email_messages', true, true, '')",
    "select * from ts_stat('select to_tsvector(subject) from email_messages')",
    "do $$ declare r record; begin for r in select * from email_messages loop raise notice '%', r; end loop; end $$",
    "declare c cursor for select * from email_messages; fetch all from c",
    "table email_messages for no key update skip locked",
    "select * from only email_messages tablesample system (100)",
    "with recursive w as (select * from email_messages) select * from w",
    "select json_agg(email_messages) from email_messages",
    "set local row_security = off; select count(*) from email_messages",
    "set local search_path = pg_temp, public; select count(*) from email_messages",
    "set local plan_cache_mode = force_generic_plan; prepare p as select * from email_messages; execute p",
    "set local debug_print_plan = on; set local client_min_messages = debug5; select * from email_messages",
]
SPY = """
create function public.spy(text) returns boolean language plpgsql cost 0.0000001 as
$$ begin raise notice 'saw %', $1; return true; end $$;
create function public.spy_on(text, text) returns boolean language plpgsql cost 0.0000001 as
$$ begin raise notice 'saw %', $1; return true; end $$;
create operator public.=== (leftarg = text, rightarg = text, function = public.spy_on);
grant execute on function public.spy(text), public.spy_on(text, text) to public;
"""


def _bound(place: Place) -> list[str]:
    return [login for login in place.logins if sees(login) in BOUND and login != "email_owner"]


@pytest.fixture
def service(place: Place) -> Iterator[psycopg.Connection]:
    with psycopg.connect(place.url("email_service"), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("statement", OBJECTS)
def test_nobody_makes_an_object_that_could_stand_in_for_another(place: Place, statement: str) -> None:
    for login in _bound(place):
        with psycopg.connect(place.url(login), autocommit=True) as connection:
            assert Visit(connection).ask(MINE, statement).sqlstate in ("42501", "0A000"), login


@pytest.mark.parametrize("statement", IDENTITIES)
def test_nobody_becomes_another(place: Place, statement: str) -> None:
    for login in _bound(place):
        with psycopg.connect(place.url(login), autocommit=True) as connection:
            assert Visit(connection).ask(MINE, statement).is_denied, login


@pytest.mark.parametrize("setting", ["select", MINE], ids=["no tenant", "own tenant"])
@pytest.mark.parametrize("statement", LEAKY)
def test_what_looks_before_the_policy_sees_nothing(
    service: psycopg.Connection, statement: str, setting: str
) -> None:
    outcome = Visit(service).ask(setting, statement)
    hidden = [*OTHER.marks, *THIRD.marks, *(OWN.marks if setting == "select" else ())]
    assert not [mark for mark in hidden if mark in outcome.text], outcome


@pytest.mark.parametrize("where", ["spy(subject)", "subject === 'x'", "not spy(subject)"])
def test_a_cheap_function_that_tells_what_it_sees_sees_its_own(place: Place, where: str) -> None:
    with place.superuser() as connection, connection.transaction(force_rollback=True):
        said = list[str]()
        connection.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        connection.execute(SPY.encode())
        connection.execute(f"{MINE}; set local role email_service".encode())
        connection.execute(f"select id from email_messages where {where}".encode())
    assert len(said) == OWN.rows
    assert all(OWN.word in each for each in said)


def test_a_prepared_statement_asks_for_the_tenant_of_its_execution(service: psycopg.Connection) -> None:
    service.execute(f"set app.current_tenant_id = '{OTHER.id}'".encode())
    service.execute(b"prepare mail as select tenant_id::text from email_messages")
    for _ in range(7):  # after five a plan is kept for good
        assert {row[0] for row in service.execute(b"execute mail").fetchall()} == {OTHER.id}
    service.execute(f"set app.current_tenant_id = '{OWN.id}'".encode())
    assert {row[0] for row in service.execute(b"execute mail").fetchall()} == {OWN.id}
    service.execute(b"set app.current_tenant_id = ''")
    assert service.execute(b"execute mail").fetchall() == []


def test_nothing_is_said_on_a_channel_and_no_number_is_drawn_from_a_sequence(place: Place) -> None:
    with place.superuser() as connection:
        told = connection.execute(
            b"select proname from pg_proc where pronamespace = 'public'::regnamespace and prosrc ilike '%notify%'"
        ).fetchall()
        drawn = connection.execute(
            b"select relname from pg_class where relkind = 'S' and relnamespace = 'public'::regnamespace"
        ).fetchall()
    assert (told, drawn) == ([], [])


@pytest.mark.parametrize(
    "tenant", [OTHER.id, OTHER.id.upper(), "acme", "", "'; drop table email_messages; --"]
)
def test_the_search_refuses_a_tenant_that_is_not_set(service: psycopg.Connection, tenant: str) -> None:
    literal = tenant.replace("'", "''")
    call = f"select * from email_search_messages('{literal}', '{{\"all\": true}}', null, 9, null, null)"
    outcome = Visit(service).ask(MINE, call)
    assert outcome.sqlstate in ("42501", "22P02")
    assert outcome.rows == []


@pytest.mark.parametrize(
    "query",
    [
        """{"ts": "' or true --"}""",
        """{"in": {"name": "x') or true) --"}}""",
        """{"flag": "unread or true"}""",
        """{"account": "bbbbbbbb-0000-4000-8000-000000000101"}""",
        """{"or": [{"all": true}, {"not": {"all": true}}]}""",
        """{"before": "9); select 1"}""",
        """{"ts": "'zebra':*"}""",
    ],
)
def test_no_query_of_the_search_reaches_further(service: psycopg.Connection, query: str) -> None:
    literal = query.replace("'", "''")
    for ranked in ("null", "'x'", "$$ ' or true -- $$"):
        call = f"select * from email_search_messages('{OWN.id}', '{literal}', {ranked}, 9, null, null)"
        outcome = Visit(service).ask(MINE, call)
        assert OTHER.hex not in "".join(outcome.rows)
        assert all(row.startswith(OWN.hex) for row in outcome.rows)
