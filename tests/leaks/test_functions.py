"""Functions and views: whoever calls and reads them learns of the tenant that is set, and of no other."""

from __future__ import annotations

import psycopg

from tests.leaks.calls import calls
from tests.leaks.catalog import Function
from tests.leaks.expected import CROSSES_TENANTS, FUNCTIONS, NOT_OF_A_TENANT, Sees, called, sees
from tests.leaks.fill import OTHER, OWN, TENANTS, Tenant
from tests.leaks.matrix import SETTINGS
from tests.leaks.outcome import Outcome, Visit, unnamed
from tests.leaks.places import Place


def _fault(login: str, function: Function, there: Outcome, nowhere: Outcome) -> str | None:
    if called(login) not in FUNCTIONS[function.name] | {"email_owner"}:
        return None if there.is_denied else f"is not denied: {there}"
    if sees(login) is Sees.NO_MAIL:  # statistics, which are others with every call
        marks = [mark for mark in OTHER.marks if mark in there.text]
        return f"shows {marks}: {there}" if marks else None
    if function.name not in CROSSES_TENANTS and there.as_if_nobody != nowhere.as_if_nobody:
        return f"tells of another tenant: {there} {nowhere}"
    return None


def test_no_function_tells_of_another_tenant(each_place: Place) -> None:
    faults, asked = list[str](), 0
    for login in each_place.logins:
        with psycopg.connect(each_place.url(login), autocommit=True) as connection:
            visit = Visit(connection)
            for function in [each for each in each_place.catalog.functions if not each.is_trigger]:
                for call in calls(function):
                    for setting in SETTINGS:
                        there = visit.ask(setting.statement, call)
                        nowhere = visit.ask(setting.statement, unnamed(call))
                        asked += 1
                        if fault := _fault(login, function, there, nowhere):
                            faults.append(f"{function.name}: {login} with {setting.name}: {call}: {fault}")
    assert faults == []
    assert asked > 500


def test_the_search_finds_ones_own(each_place: Place) -> None:
    with psycopg.connect(each_place.url("email_service"), autocommit=True) as connection:
        found = Visit(connection).ask(
            f"set local app.current_tenant_id = '{OWN.id}'",
            f"select message_id from email_search_messages('{OWN.id}', '{{\"all\": true}}', null, 9, null, null)",
        )
    assert len(found.rows) == OWN.rows
    assert all(row.startswith(OWN.hex) for row in found.rows)


def test_what_belongs_to_no_tenant_is_written_by_its_owner_only(each_place: Place) -> None:
    for login in [each for each in each_place.logins if each != "email_owner"]:
        with psycopg.connect(each_place.url(login), autocommit=True) as connection:
            visit = Visit(connection)
            for table in NOT_OF_A_TENANT & set(each_place.catalog.tables):
                for statement in (f"delete from {table}", f"insert into {table} default values"):
                    assert visit.ask("select", statement).is_denied, f"{table}: {login}: {statement}"


def test_no_view_shows_another_tenant(each_place: Place) -> None:
    shown = list[str]()
    for login in [each for each in each_place.logins if sees(each) is not Sees.EVERYBODY]:
        with psycopg.connect(each_place.url(login), autocommit=True) as connection:
            visit = Visit(connection)
            for view in each_place.catalog.views:
                for setting in SETTINGS:
                    outcome = visit.ask(setting.statement, f"select * from {view}")
                    hidden = [mark for mark in _unseen(setting.seen) if mark in outcome.text]
                    shown += [f"{view}: {login} with {setting.name}: shows {mark}" for mark in hidden]
    assert shown == []


def _unseen(seen: Tenant | None) -> list[str]:
    return [mark for tenant in TENANTS if tenant is not seen for mark in tenant.marks]
