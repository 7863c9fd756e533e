"""What row security cannot stop, one by one: docs/explain/row-security-limits.md says so, and these say it is true.

When one of these fails, the limit has gone: strike it out there.
"""

from __future__ import annotations

import psycopg
import pytest

from tests.leaks.fill import NOBODY, OTHER, OWN, TENANTS
from tests.leaks.outcome import Outcome, Visit
from tests.leaks.places import Place

MINE = f"set local app.current_tenant_id = '{OWN.id}'"
SCAN = "set local enable_indexscan = off; set local enable_bitmapscan = off; set local enable_indexonlyscan = off"


def _ask(place: Place, statement: str, setting: str = MINE) -> Outcome:
    with psycopg.connect(place.url("email_service"), autocommit=True) as connection:
        return Visit(connection).ask(setting, statement)


def test_whoever_sets_another_tenant_is_that_tenant(place: Place) -> None:
    for setting in (
        "set local app.current_tenant_id = '{}'",
        "select set_config('app.current_tenant_id', '{}', true)",
    ):
        outcome = _ask(place, "select count(*) from email_messages", f"{MINE}; {setting.format(OTHER.id)}")
        assert outcome.rows == [str(OTHER.rows)]


def test_explain_analyze_counts_the_rows_that_it_hides(place: Place) -> None:
    plan = _ask(place, "explain (analyze, timing off) select * from email_messages", f"{MINE}; {SCAN}").text
    hidden = sum(tenant.rows for tenant in TENANTS) - OWN.rows
    assert f"Rows Removed by Filter: {hidden}" in plan


def test_the_planner_tells_a_large_tenant_from_none(place: Place) -> None:
    """Who asks must be large too and know the other's id, and ids cannot be guessed."""
    many = (
        "insert into email_changes (tenant_id, account_id, modseq, kind, object_type, object_ids, at)"
        " select tenant_id, id, number, 'created', 'account', '{}', 0"
        f" from email_accounts, generate_series(1000, 3000) number where tenant_id in ('{OWN.id}', '{OTHER.id}')"
    )
    with place.superuser() as connection, connection.transaction(force_rollback=True):
        connection.execute(f"{many}; analyze email_changes; set local role email_service; {MINE}".encode())

        def estimate(tenant_id: str) -> int:
            question = f"explain (format json) select * from email_changes where tenant_id = '{tenant_id}'"
            row = connection.execute(question.encode()).fetchone()
            assert row
            return row[0][0]["Plan"]["Plan Rows"]

        assert estimate(OTHER.id) > 100 * estimate(NOBODY.id)


@pytest.mark.parametrize(
    "statement",
    [
        "select sum(reltuples) from pg_class where relname like 'email%'",
        "select pg_current_xact_id()",
        "select max(xmin::text::bigint) from email_messages",
        "select max(ctid) from email_messages",
        "listen anything",
        "notify anything, 'any text'",
        "select rolname from pg_roles",
        "lock table email_credentials in access exclusive mode",
    ],
)
def test_these_tell_that_others_exist_or_reach_them(place: Place, statement: str) -> None:
    assert _ask(place, statement).sqlstate == ""


def test_a_cursor_with_hold_outlives_the_tenant_that_opened_it(place: Place) -> None:
    with psycopg.connect(place.url("email_service"), autocommit=True) as connection:
        connection.execute(f"begin; set local app.current_tenant_id = '{OTHER.id}'".encode())
        connection.execute(b"declare kept cursor with hold for select * from email_messages")
        connection.execute(b"commit")
        assert len(connection.execute(b"fetch all from kept").fetchall()) == OTHER.rows
