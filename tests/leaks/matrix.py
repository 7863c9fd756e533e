"""The matrix: every table by every login by every statement by every setting; each leak is a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.leaks import expected
from tests.leaks.asks import Ask, Gives, blind, pointed
from tests.leaks.catalog import Catalog, Connection
from tests.leaks.expected import Sees
from tests.leaks.fill import OTHER, OWN, TENANTS, THIRD, Row, Tenant
from tests.leaks.outcome import Outcome, Visit, unnamed
from tests.leaks.rights import Rights, rights_of

NO_UUID = "22P02"
BOUND = (Sees.ITS_TENANT, Sees.ONE_TENANT)
Opened = tuple[Visit, Visit]
"""Who asks, and who had the connection before."""
Open = Callable[[str], Opened]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    name: str
    statement: str
    seen: Tenant | None
    is_reused: bool = False
    """Another tenant used the connection just before."""
    is_broken: bool = False
    is_spelling: bool = False
    """The same as another, written differently: to see that it is read so is enough."""


def _local(value: str) -> str:
    return f"set local app.current_tenant_id = '{value}'"


SETTINGS = (
    Setting(name="no tenant", statement="select", seen=None),
    Setting(name="an empty tenant", statement=_local(""), seen=None),
    Setting(name="a malformed tenant", statement=_local("acme"), seen=None, is_broken=True),
    Setting(name="a third tenant", statement=_local(THIRD.id), seen=THIRD),
    Setting(name="its own tenant", statement=_local(OWN.id), seen=OWN),
    Setting(name="its own tenant in capitals", statement=_local(OWN.id.upper()), seen=OWN, is_spelling=True),
    Setting(name="no tenant after another's use", statement="select", seen=None, is_reused=True),
    Setting(name="its own tenant after another's use", statement=_local(OWN.id), seen=OWN, is_reused=True),
)
"""`select` alone is a statement that does nothing."""
SHARED = tuple(each for each in SETTINGS if each.is_reused)
"""What a pooler could change."""


class Matrix:
    """`owner` is a superuser's connection; `opened` gives a login's. Rows are there already (fill.py)."""

    def __init__(self, owner: Connection, opened: Open, settings: tuple[Setting, ...] = SETTINGS) -> None:
        self._settings = settings
        self.catalog = Catalog(owner)
        self._owner = owner
        self._opened = opened
        self.asked = 0

    def leaks(self, login: str, tables: list[str] | None = None) -> Iterator[str]:
        rights = rights_of(self._owner, login)
        visits = self._opened(login)
        for table in tables or self.catalog.tenant_tables:
            if (login, table) in expected.SEES_ALL_ROWS:
                continue
            theirs = row_of(self._owner, self.catalog, table, OTHER)
            for setting in self._settings_of(login):
                for fault in self._faults(login, table, rights[table], theirs, setting, visits):
                    yield f"{table}: {login} with {setting.name}: {fault}"

    def _faults(
        self, login: str, table: str, rights: Rights, theirs: Row, setting: Setting, visits: Opened
    ) -> Iterator[str]:
        for ask in blind(self.catalog, table, rights):
            if (login, ask.name) == ("email_owner", "truncate"):
                continue  # what is one's own one may empty, and row security does not ask
            outcome = self._ask(visits, setting, ask.statement)
            yield from (
                f"{ask.name}: {fault}" for fault in _blind_faults(login, table, ask, setting, outcome)
            )
        if setting.is_spelling:
            return
        for ask in pointed(self.catalog, table, rights, theirs):
            there = self._ask(visits, setting, ask.statement)
            if expected.sees(login) not in BOUND:
                if not there.sqlstate and ask.name.split()[0] not in ("select", "exists", "copy"):
                    yield f"{ask.name}: is allowed"
                continue
            nowhere = self._ask(visits, setting, unnamed(ask.statement))
            if there.as_if_nobody != nowhere.as_if_nobody:
                yield f"{ask.name}: the answer about another tenant is not that about nobody: {there} {nowhere}"
            elif not there.sqlstate and there.touched and ask.name != "exists":
                yield f"{ask.name}: touches {there.touched} rows"

    def _settings_of(self, login: str) -> tuple[Setting, ...]:
        """For who sees everybody or nobody the tenant that is set makes no difference, and one is enough."""
        if expected.sees(login) in BOUND:
            return self._settings
        return tuple(each for each in self._settings if each.seen is OWN)[-1:]

    def _ask(self, visits: Opened, setting: Setting, statement: str) -> Outcome:
        visit, before = visits
        if setting.is_reused:
            before.leave(_local(OTHER.id))
        self.asked += 1
        return visit.ask(setting.statement, statement)


def row_of(superuser: Connection, catalog: Catalog, table: str, tenant: Tenant) -> Row:
    """A row that a tenant has, each value as text."""
    columns = [column.name for column in catalog.columns[table] if not column.is_made]
    listed = ", ".join(f'"{name}"::text' for name in columns)
    question = f"select {listed} from {table} where tenant_id = '{tenant.id}' order by ctid limit 1"
    found = superuser.execute(question.encode()).fetchone()
    assert found, f"{table}: there is no row of {tenant.word} to ask about"
    return dict(zip(columns, found, strict=True))


def _blind_faults(login: str, table: str, ask: Ask, setting: Setting, outcome: Outcome) -> Iterator[str]:
    """What is shown and counted must be the own rows, and what is not granted must be denied."""
    sees, seen = expected.sees(login), setting.seen
    if sees is Sees.ONE_TENANT and seen is not OWN:
        seen = None
    hidden = [tenant for tenant in TENANTS if tenant is not seen]
    if sees is not Sees.EVERYBODY:
        for tenant in hidden:
            if any(mark in outcome.text for mark in tenant.marks):
                yield f"shows what {tenant.word} has: {outcome.text[:200]}"
    if not ask.is_granted or sees is Sees.NO_MAIL:
        if not outcome.is_denied and not (setting.is_broken and outcome.sqlstate == NO_UUID):
            yield f"is not denied: {outcome}"
        return
    if sees is Sees.EVERYBODY:
        if ask.gives is Gives.TOUCHED:
            yield "may write"
        return
    if setting.is_broken:
        if outcome.sqlstate != NO_UUID:
            yield f"is answered: {outcome}"
        return
    if outcome.sqlstate and ask.gives is Gives.TOUCHED:
        return  # a trigger or a foreign key of its own rows forbids it
    count = _counted(ask, outcome)
    rows = 0 if seen is None else 1 if table == "email_tenants" else seen.rows
    if outcome.sqlstate or count != rows:
        yield f"gives {count} rows where there are {rows}: {outcome.said}"


def _counted(ask: Ask, outcome: Outcome) -> int:
    match ask.gives:
        case Gives.ROWS:
            return len(outcome.rows)
        case Gives.TOUCHED:
            return outcome.touched
        case Gives.NUMBER:
            return int("".join(outcome.rows) or -1)
