"""One tenant whose accounts are of several users, with a row in every table for each: what a user may see is known."""

from __future__ import annotations

from dataclasses import dataclass

from tests.leaks.catalog import Catalog, Connection
from tests.leaks.expected import OF_ACCOUNTS
from tests.leaks.fill import Row, Tenant, insert_row, parents_first

OFFICE = Tenant(hex="eeeeeeee", word="otter", rows=4)
ME = "11111111-0000-4000-8000-000000000001"
STRANGER = "11111111-0000-4000-8000-000000000002"
"""Somebody of the tenant who has nothing and is given nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """All rows of an account bear the marks of `of`."""

    of: Tenant
    owner: str
    shared: str | None = None
    """How with me."""

    @property
    def marks(self) -> tuple[str, str]:
        return self.of.marks


MINE = Mailbox(of=Tenant(hex="a1a1a1a1", word="mango", rows=1), owner=ME)
TO_READ = Mailbox(
    of=Tenant(hex="b2b2b2b2", word="lemon", rows=1),
    owner="11111111-0000-4000-8000-000000000003",
    shared="read",
)
TO_WRITE = Mailbox(
    of=Tenant(hex="c3c3c3c3", word="peach", rows=1),
    owner="11111111-0000-4000-8000-000000000004",
    shared="write",
)
HIDDEN = Mailbox(
    of=Tenant(hex="d4d4d4d4", word="olive", rows=1), owner="11111111-0000-4000-8000-000000000005"
)
MAILBOXES = (MINE, TO_READ, TO_WRITE, HIDDEN)
_OF_ONE_USER = {
    "email_webhooks",
    "email_webhook_cursors",
    "email_webhook_deliveries",
    "email_standing_searches",
    "email_standing_matches",
}
"""What is of who made it, whatever is shared."""
_NOT_OF_AN_ACCOUNT = {"email_tenants", "email_account_shares"}


def bound_tables(catalog: Catalog) -> list[str]:
    """What belongs to accounts: by a column of its own, or by what it points to."""
    bound = {name for name in catalog.tenant_tables if _has(catalog, name, "account_id")}
    return sorted((bound | OF_ACCOUNTS) - _NOT_OF_AN_ACCOUNT)


def seen(table: str, user: str) -> set[Mailbox]:
    """Of which mailboxes this user sees the rows."""
    if table == "email_credentials" or table in _OF_ONE_USER:
        return written(table, user)
    return {each for each in MAILBOXES if each.owner == user or (user == ME and each.shared)}


def written(table: str, user: str) -> set[Mailbox]:
    """Of which mailboxes this user may change and remove rows. Bytes, holds and the trail are no user's."""
    if table in ("email_blobs", "email_blob_pieces", "email_audit_log", "email_holds"):
        return set()
    if table in _OF_ONE_USER:
        return {each for each in MAILBOXES if each.owner == user}
    return {each for each in MAILBOXES if each.owner == user or (user == ME and each.shared == "write")}


def furnish(connection: Connection, catalog: Catalog) -> None:
    """As a superuser. Triggers rest; the rows are what they would have made."""
    connection.execute(b"select email_audit_month('1970-01-01')")  # in which numbers of rows are times
    connection.execute(b"set session_replication_role = replica")
    tenant = insert_row(connection, catalog, "email_tenants", OFFICE, {}, 0)
    bound = set(bound_tables(catalog))
    for mailbox in MAILBOXES:
        made: dict[str, list[Row]] = {"email_tenants": [tenant]}
        # All rows of the mailbox are of its one account, which bears the first number.
        account_id = mailbox.of.uuid(256 * _number(catalog, "email_accounts", "id") + 1)
        for table in parents_first(catalog):
            if table in bound:
                fixed = _fixed(catalog, table, mailbox, account_id)
                made[table] = [insert_row(connection, catalog, table, mailbox.of, made, 0, fixed)]
        for user, access in {mailbox.owner: "owner", ME: mailbox.shared}.items():
            if access or user == mailbox.owner:
                _share(connection, account_id, user, mailbox.owner, access or "owner")
    connection.execute(b"reset session_replication_role")
    connection.execute(b"analyze")


def _fixed(catalog: Catalog, table: str, mailbox: Mailbox, account_id: str) -> Row:
    wanted = {"tenant_id": OFFICE.id, "account_id": account_id, "user_id": mailbox.owner}
    if table == "email_audit_log":
        wanted["object_id"] = account_id
    if table == "email_holds":
        wanted["scope"] = "account"
    return {name: value for name, value in wanted.items() if _has(catalog, table, name)}


def _share(connection: Connection, account_id: str, user: str, owner: str, access: str) -> None:
    connection.execute(
        b"insert into email_account_shares (tenant_id, user_id, account_id, owner_id, access, created_at, updated_at)"
        b" values (%s, %s, %s, %s, %s, 0, 0) on conflict do nothing",
        [OFFICE.id, user, account_id, owner, access],
    )


def _has(catalog: Catalog, table: str, column: str) -> bool:
    return any(each.name == column for each in catalog.columns[table])


def _number(catalog: Catalog, table: str, column: str) -> int:
    return next(each.number for each in catalog.columns[table] if each.name == column)
