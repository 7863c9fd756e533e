"""The rules of the catalog. Each gives the sentences of what breaks it, and each sentence begins with a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.leaks import expected
from tests.leaks.catalog import Catalog, Connection
from tests.leaks.policies import asks_for_the_tenant

Rule = Callable[[Connection, Catalog], Iterator[str]]


def faults(connection: Connection) -> list[str]:
    """Every rule that is broken. As a superuser."""
    catalog = Catalog(connection)
    return [sentence for rule in RULES for sentence in rule(connection, catalog)]


def tables_are_forced(connection: Connection, catalog: Catalog) -> Iterator[str]:
    for name, enabled, forced, policies in connection.execute(
        b"select relname, relrowsecurity, relforcerowsecurity, array(select polname::text from pg_policy p"
        b" where p.polrelid = c.oid and polqual is not null and polwithcheck is not null and polpermissive"
        b" and polcmd = '*' and polroles = array[0::oid])"
        b" from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
    ).fetchall():
        if name in expected.NOT_OF_A_TENANT:
            continue
        if not enabled:
            yield f"{name}: row security is not enabled"
        if not forced:
            yield f"{name}: row security is not forced"
        # Nobody comes to a partition but through its table; without a policy it shows nothing to anybody.
        is_partition = any(each.name == name and each.is_partition for each in catalog.relations)
        if f"{name}_tenant_policy" not in policies and not is_partition:
            yield f"{name}: there is no {name}_tenant_policy with using and with check, for all commands and roles"


def logins_of_one_tenant_are_held(connection: Connection, catalog: Catalog) -> Iterator[str]:
    held = {
        row[0]
        for row in connection.execute(
            b"select polrelid::regclass::text from pg_policy p join pg_roles r on p.polroles = array[r.oid]"
            b" where not polpermissive and rolname = 'email_tenant_login' and polcmd = '*'"
            b" and polname = polrelid::regclass || '_login_policy'"
            b" and pg_get_expr(polqual, polrelid) like '%SESSION_USER%tenant_id%'"
        ).fetchall()
    }
    for name in catalog.tenant_tables:
        if name not in held:
            yield f"{name}: there is no {name}_login_policy that holds the login of one tenant"


def policies_ask_for_the_tenant(connection: Connection, catalog: Catalog) -> Iterator[str]:
    for table, policy, role, using, check in connection.execute(
        b"select p.polrelid::regclass::text, p.polname, coalesce(r.rolname, 'public'),"
        b" pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)"
        b" from pg_policy p cross join unnest(polroles) as meant (role) left join pg_roles r on r.oid = meant.role"
        b" where polpermissive"
    ).fetchall():
        if (table, role) in expected.POLICIES_FOR_ALL_TENANTS or _sees_everybody(role):
            continue
        if not all(asks_for_the_tenant(each) for each in (using, check) if each is not None):
            yield f"{table}: the policy {policy} lets {role} see or write rows of every tenant"


def tables_of_accounts_ask_for_the_user(connection: Connection, catalog: Catalog) -> Iterator[str]:
    asking = "current_setting(''app.current_user_id''"
    question = f"""
        select polrelid::regclass::text,
          bool_or(polname = polrelid::regclass || '_tenant_policy' and pg_get_expr(polqual, polrelid) like '%{asking}%'
            and pg_get_expr(polwithcheck, polrelid) like '%{asking}%'),
          bool_or(polcmd = 'w' and pg_get_expr(polqual, polrelid) like '%{asking}%'),
          bool_or(polcmd = 'd' and pg_get_expr(polqual, polrelid) like '%{asking}%')
        from pg_policy group by polrelid"""
    held = {row[0]: row[1:] for row in connection.execute(question.encode()).fetchall()}
    for name in catalog.tenant_tables:
        if name in expected.OF_ACCOUNTS or any(each.name == "account_id" for each in catalog.columns[name]):
            for asked, what in zip(held.get(name, ()), ("sees", "changes", "removes"), strict=False):
                if not asked:
                    yield f"{name}: nothing asks whether it is the user's what a user {what}"


def tables_have_tenants(_: Connection, catalog: Catalog) -> Iterator[str]:
    for name in catalog.tables:
        if catalog.has_tenant(name):
            tenant = next(each for each in catalog.columns[name] if each.name == "tenant_id")
            if not tenant.is_required or tenant.type != "uuid":
                yield f"{name}: tenant_id may be missing or is no uuid"
        elif name not in expected.NOT_OF_A_TENANT:
            yield f"{name}: there is no tenant_id"


def keys_begin_with_the_tenant(_: Connection, catalog: Catalog) -> Iterator[str]:
    for unique in catalog.unique_keys:
        if unique.columns[0] != "tenant_id" and unique.name not in expected.KEYS_WITHOUT_A_TENANT:
            yield f"{unique.relation}: the unique key {unique.name} does not begin with tenant_id"
    for key in catalog.foreign_keys:
        if key.columns[0] != "tenant_id" or key.keys[0] != "tenant_id":
            yield f"{key.relation}: the foreign key {key.name} does not begin with tenant_id on both sides"


def tables_have_a_primary_key(_: Connection, catalog: Catalog) -> Iterator[str]:
    for name in catalog.tables:
        if not any(key.relation == name for key in catalog.unique_keys):
            yield f"{name}: there is no unique key"


def views_are_the_readers_own(connection: Connection, catalog: Catalog) -> Iterator[str]:
    for name, kind, invoker in connection.execute(
        b"select relname, relkind::text, coalesce(reloptions && array['security_invoker=true', 'security_invoker=on',"
        b" 'security_invoker=1'], false) from pg_class where relnamespace = 'public'::regnamespace"
        b" and relkind in ('v', 'm', 'f')"
    ).fetchall():
        if name not in catalog.views:
            continue
        if kind != "v":
            yield f"{name}: row security does not reach materialized views and foreign tables"
        elif not invoker:
            yield f"{name}: the view is not security_invoker"


def definers_have_a_search_path(connection: Connection, _: Catalog) -> Iterator[str]:
    for name, path in connection.execute(
        b"select proname, (select c from unnest(proconfig) c where c like 'search_path=%') from pg_proc"
        b" where prosecdef and pronamespace = 'public'::regnamespace"
    ).fetchall():
        if path is None:
            yield f"{name}: the definer function has no search_path of its own"
        elif not path.startswith("search_path=pg_catalog"):
            yield f"{name}: others than pg_catalog come first in the search_path of the definer function"


def functions_are_called_by_whom_they_are_meant_for(
    connection: Connection, catalog: Catalog
) -> Iterator[str]:
    for function in catalog.functions:
        allowed = expected.FUNCTIONS.get(function.name)
        if allowed is None:
            yield f"{function.name}: the function is in no list of tests/leaks/expected.py"
            continue
        for grantee in _may_call(connection, function.oid) - {
            *allowed,
            "email_owner",
            "email_search",
            "postgres",
        }:
            yield f"{function.name}: {grantee} may call the function"


def nothing_is_for_everybody(connection: Connection, catalog: Catalog) -> Iterator[str]:
    for name, privilege in connection.execute(
        b"select c.relname, a.privilege_type from pg_class c, aclexplode(c.relacl) a where a.grantee = 0"
        b" and c.relnamespace = 'public'::regnamespace union all"
        b" select c.relname, a.privilege_type || ' (' || t.attname || ')' from pg_attribute t"
        b" join pg_class c on c.oid = t.attrelid, aclexplode(t.attacl) a where a.grantee = 0"
        b" and c.relnamespace = 'public'::regnamespace"
    ).fetchall():
        if any(each.name == name for each in catalog.relations):
            yield f"{name}: PUBLIC has {privilege}"


def only_owners_have_power_over_tables(connection: Connection, _: Catalog) -> Iterator[str]:
    """TRUNCATE and foreign keys go past row security; a trigger sees everybody's rows."""
    for name, role, privilege in connection.execute(
        b"select name, coalesce(r.rolname, 'PUBLIC'), privilege_type from ("
        b"   select relname as name, relowner, a.* from pg_class c, aclexplode(relacl) a"
        b"    where relnamespace = 'public'::regnamespace"
        b"   union all select relname, relowner, a.* from pg_class c"
        b"     join pg_attribute t on t.attrelid = c.oid, aclexplode(attacl) a"
        b"    where relnamespace = 'public'::regnamespace) g"
        b" left join pg_roles r on r.oid = g.grantee where g.grantee <> relowner"
        b" and (privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN') or is_grantable)"
    ).fetchall():
        yield f"{name}: {role} has {privilege}, which is the owner's only"


def tables_belong_to_the_owner(connection: Connection, catalog: Catalog) -> Iterator[str]:
    for name, owner in connection.execute(
        b"select relname, pg_get_userbyid(relowner) from pg_class where relnamespace = 'public'::regnamespace"
    ).fetchall():
        if any(each.name == name for each in catalog.relations) and owner != "email_owner":
            yield f"{name}: it belongs to {owner}"


def logins_have_no_power(connection: Connection, catalog: Catalog) -> Iterator[str]:
    for login in catalog.logins:
        if expected.sees(login) is None:
            yield f"{login}: the login is in no list of tests/leaks/expected.py"
    for name, sees_all, is_super, others in connection.execute(
        b"select rolname, rolbypassrls, rolsuper, array(select g.rolname::text from pg_auth_members m"
        b" join pg_roles g on g.oid = m.roleid where m.member = r.oid) from pg_roles r where rolname like 'email%'"
    ).fetchall():
        if is_super or (sees_all and not _sees_everybody(name)):
            yield f"{name}: row security does not bind it"
        for other in others:
            if (expected.called(name), other) not in expected.MEMBERSHIPS:
                yield f"{name}: it may become {other}"


def secrets_are_not_read(connection: Connection, catalog: Catalog) -> Iterator[str]:
    for table, logins in expected.NEVER_READ_BY.items():
        for login in logins & set(catalog.logins):
            if _one(connection, "select has_any_column_privilege(%s, %s, 'select')", login, table):
                yield f"{table}: {login} may read it"


def nobody_makes_objects(connection: Connection, catalog: Catalog) -> Iterator[str]:
    """A function or table of one's own, in pg_temp or public, would be the beginning of every trick."""
    for login in set(catalog.logins) - {"email_owner"}:
        if _one(connection, "select has_schema_privilege(%s, 'public', 'create')", login):
            yield f"public: {login} may create objects in it"
        for right in ("temporary", "create"):
            if _one(connection, "select has_database_privilege(%s, current_database(), %s)", login, right):
                yield f"the database: {login} has {right.upper()}"


def _may_call(connection: Connection, oid: int) -> set[str]:
    return {
        row[0]
        for row in connection.execute(
            b"select coalesce(r.rolname, 'PUBLIC') from pg_proc p"
            b" cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
            b" left join pg_roles r on r.oid = a.grantee where p.oid = %s",
            [oid],
        ).fetchall()
    }


def _sees_everybody(role: str) -> bool:
    return expected.sees(role) is expected.Sees.EVERYBODY


def _one(connection: Connection, question: str, *values: object) -> object:
    row = connection.execute(question.encode(), values).fetchone()
    assert row
    return row[0]


RULES: tuple[Rule, ...] = (
    tables_are_forced,
    logins_of_one_tenant_are_held,
    policies_ask_for_the_tenant,
    tables_of_accounts_ask_for_the_user,
    tables_have_tenants,
    keys_begin_with_the_tenant,
    tables_have_a_primary_key,
    views_are_the_readers_own,
    definers_have_a_search_path,
    functions_are_called_by_whom_they_are_meant_for,
    nothing_is_for_everybody,
    only_owners_have_power_over_tables,
    tables_belong_to_the_owner,
    logins_have_no_power,
    secrets_are_not_read,
    nobody_makes_objects,
)
