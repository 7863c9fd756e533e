"""Keys are no oracles: what another tenant has is refused, or taken, like what exists nowhere."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg import sql

from tests.leaks.catalog import Catalog
from tests.leaks.expected import SEES_ALL_ROWS
from tests.leaks.fill import OTHER, OWN, Row, insertion, new_row
from tests.leaks.matrix import row_of
from tests.leaks.outcome import Visit, unnamed
from tests.leaks.places import Place
from tests.leaks.rights import Rights, rights_of

MINE = f"set local app.current_tenant_id = '{OWN.id}'; set constraints all immediate"
REFUSED = "23503"


def _own(catalog: Catalog, table: str, mine: Row) -> Row:
    """A row that the own tenant could add: as one that it has, with keys of its own."""
    fresh = new_row(catalog, table, OWN, 98)
    bound = {name for key in catalog.foreign_keys if key.relation == table for name in key.columns}
    free = {
        name
        for key in catalog.unique_keys
        if key.relation == table
        for name in key.columns
        if name in fresh and name not in bound
    }
    return mine | {name: fresh[name] for name in free}


def _references(catalog: Catalog, table: str, mine: Row, theirs: Row, rights: Rights) -> Iterator[str]:
    """The own row and a new one, tied to what the other tenant has."""
    for key in [each for each in catalog.foreign_keys if each.relation == table and len(each.columns) > 1]:
        stolen = {name: theirs[name] for name in key.columns[1:]}
        if None in stolen.values():
            continue
        yield insertion(table, _own(catalog, table, mine) | stolen)
        if set(stolen) <= set(rights.updates):
            values = [sql.SQL("{} = {}").format(sql.Identifier(n), sql.Literal(v)) for n, v in stolen.items()]
            yield f"update {table} set " + sql.SQL(", ").join(values).as_string()


def _values(catalog: Catalog, table: str, mine: Row, theirs: Row) -> Iterator[str]:
    """A new row with everything unique that the other tenant has, but for what is a foreign key."""
    bound = {name for key in catalog.foreign_keys if key.relation == table for name in key.columns}
    for unique in [each for each in catalog.unique_keys if each.relation == table]:
        taken = {
            name: theirs[name]
            for name in unique.columns
            if name in theirs and name not in {*bound, "tenant_id"}
        }
        if taken:
            yield insertion(table, _own(catalog, table, mine) | taken)


def test_a_reference_to_another_tenants_row_fails_like_one_to_nothing(place: Place) -> None:
    asked = 0
    with place.superuser() as superuser:
        for login in place.logins:
            rights = rights_of(superuser, login)
            with psycopg.connect(place.url(login), autocommit=True) as connection:
                visit = Visit(connection)
                for table in place.catalog.tenant_tables:
                    mine, theirs = (row_of(superuser, place.catalog, table, each) for each in (OWN, OTHER))
                    for statement in _references(place.catalog, table, mine, theirs, rights[table]):
                        there, nowhere = visit.ask(MINE, statement), visit.ask(MINE, unnamed(statement))
                        assert there.sqlstate, f"{table}: {login}: {statement}"
                        assert there.as_if_nobody == nowhere.as_if_nobody, f"{table}: {login}: {statement}"
                        asked += there.sqlstate == REFUSED
    assert asked > 20


def test_a_value_that_another_tenant_has_is_not_taken(place: Place) -> None:
    stored = 0
    with place.superuser() as superuser:
        for login in place.logins:
            with psycopg.connect(place.url(login), autocommit=True) as connection:
                visit = Visit(connection)
                for table in place.catalog.tenant_tables:
                    if (login, table) in SEES_ALL_ROWS:
                        continue
                    mine, theirs = (row_of(superuser, place.catalog, table, each) for each in (OWN, OTHER))
                    for statement in _values(place.catalog, table, mine, theirs):
                        there, nowhere = visit.ask(MINE, statement), visit.ask(MINE, unnamed(statement))
                        assert there.as_if_nobody == nowhere.as_if_nobody, f"{table}: {login}: {statement}"
                        stored += there.touched
    assert stored > 20
