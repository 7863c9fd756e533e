"""Holes of each kind, to be planted in a copy: what the rules and the matrix must find, and by which name."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from tests.leaks.fill import OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    kind: str
    plant: str
    names: str
    """How the sentence begins that the rules must say."""
    login: str | None = None
    """Who gets through it, so that the matrix must say so of the table."""

    @property
    def table(self) -> str:
        return self.names.partition(":")[0]


_DEFINER = "create function {name}(uuid) returns bigint language sql security definer {path} as"
_COUNT = "'select count(*) from public.email_messages'"

OF_OWN = f"email_tenant_{sha256(UUID(OWN.id).bytes).hexdigest()[:32]}"
"""The login that is the own tenant."""

HOLES = (
    Hole(
        kind="FORCE dropped",
        plant="alter table email_messages no force row level security",
        names="email_messages: row security is not forced",
        login="email_owner",
    ),
    Hole(
        kind="row security disabled",
        plant="alter table email_folders disable row level security",
        names="email_folders: row security is not enabled",
        login="email_service",
    ),
    Hole(
        kind="policy dropped",
        plant="drop policy email_changes_tenant_policy on email_changes",
        names="email_changes: there is no email_changes_tenant_policy",
        login="email_service",
    ),
    Hole(
        kind="policy that is always true",
        plant="alter policy email_outbox_tenant_policy on email_outbox using (true)",
        names="email_outbox: the policy email_outbox_tenant_policy lets public",
        login="email_service",
    ),
    Hole(
        kind="policy that checks nothing",
        plant="alter policy email_outbox_tenant_policy on email_outbox with check (true)",
        names="email_outbox: the policy email_outbox_tenant_policy lets public",
        login="email_service",
    ),
    Hole(
        kind="nothing that holds the login of one tenant",
        plant="drop policy email_messages_login_policy on email_messages",
        names="email_messages: there is no email_messages_login_policy",
        login=OF_OWN,
    ),
    Hole(
        kind="policy with a way around",
        plant="alter policy email_accounts_tenant_policy on email_accounts using (tenant_id ="
        " nullif(current_setting('app.current_tenant_id', true), '')::uuid or is_enabled is false)",
        names="email_accounts: the policy email_accounts_tenant_policy lets public",
        login="email_worker",
    ),
    Hole(
        kind="second policy beside it",
        plant="create policy more on email_addresses to email_service using (role = 'from')",
        names="email_addresses: the policy more lets email_service",
        login="email_service",
    ),
    Hole(
        kind="policy that forgets the user",
        plant="alter policy email_messages_tenant_policy on email_messages using (tenant_id ="
        " nullif(current_setting('app.current_tenant_id', true), '')::uuid)",
        names="email_messages: nothing asks whether it is the user's what a user sees",
    ),
    Hole(
        kind="removal that forgets the user",
        plant="drop policy email_folders_delete_policy on email_folders",
        names="email_folders: nothing asks whether it is the user's what a user removes",
    ),
    Hole(
        kind="table without anything",
        plant="set local role email_owner; create table email_labels (id uuid primary key);"
        " grant select on email_labels to email_service",
        names="email_labels: row security is not enabled",
    ),
    Hole(
        kind="table without the tenant in its key",
        plant="set local role email_owner; create table email_labels (id uuid primary key, tenant_id uuid not null)",
        names="email_labels: the unique key email_labels_pkey",
    ),
    Hole(
        kind="view that is its owner's",
        plant="set local role postgres; create view email_recent as select * from email_messages;"
        " grant select on email_recent to email_service",
        names="email_recent: the view is not security_invoker",
    ),
    Hole(
        kind="view that was set back",
        plant="alter view pg_long_queries set (security_invoker = false)",
        names="pg_long_queries: the view is not security_invoker",
    ),
    Hole(
        kind="materialized view",
        plant="create materialized view email_totals as select tenant_id, count(*) from email_messages group by 1",
        names="email_totals: row security does not reach",
    ),
    Hole(
        kind="foreign key on the id alone",
        plant="create unique index one_id on email_folders (id); alter table email_placements"
        " add constraint loose foreign key (folder_id) references email_folders (id) not valid",
        names="email_placements: the foreign key loose",
    ),
    Hole(
        kind="unique key over all tenants",
        plant="create unique index one_address on email_accounts (email_address)",
        names="email_accounts: the unique key one_address",
    ),
    Hole(
        kind="TRUNCATE granted",
        plant="grant truncate on email_messages to email_service",
        names="email_messages: email_service has TRUNCATE",
        login="email_service",
    ),
    Hole(
        kind="TRIGGER granted",
        plant="grant trigger on email_messages to email_worker",
        names="email_messages: email_worker has TRIGGER",
    ),
    Hole(
        kind="REFERENCES granted",
        plant="grant references on email_folders to email_worker",
        names="email_folders: email_worker has REFERENCES",
    ),
    Hole(
        kind="REFERENCES granted on a column",
        plant="grant references (id) on email_folders to email_worker",
        names="email_folders: email_worker has REFERENCES",
    ),
    Hole(
        kind="something granted to everybody",
        plant="grant select on email_messages to public",
        names="email_messages: PUBLIC has SELECT",
    ),
    Hole(
        kind="a column granted to everybody",
        plant="grant select (subject) on email_messages to public",
        names="email_messages: PUBLIC has SELECT (subject)",
    ),
    Hole(
        kind="secrets granted to the application",
        plant="grant select on email_credentials to email_service",
        names="email_credentials: email_service may read it",
    ),
    Hole(
        kind="definer function without search_path",
        plant=f"{_DEFINER.format(name='email_mail_count', path='')} {_COUNT}",
        names="email_mail_count: the definer function has no search_path",
    ),
    Hole(
        kind="definer function that looks elsewhere first",
        plant=f"{_DEFINER.format(name='email_mail_count', path='set search_path = public, pg_catalog')} {_COUNT}",
        names="email_mail_count: others than pg_catalog come first",
    ),
    Hole(
        kind="function that everybody may call",
        plant="grant execute on function email_tenant_list() to public",
        names="email_tenant_list: PUBLIC may call",
    ),
    Hole(
        kind="function that nobody has thought of",
        plant=f"{_DEFINER.format(name='email_mail_count', path='set search_path = pg_catalog')} {_COUNT}",
        names="email_mail_count: the function is in no list",
    ),
    Hole(
        kind="login that row security does not bind",
        plant="alter role email_service bypassrls",
        names="email_service: row security does not bind it",
    ),
    Hole(
        kind="login that may become the search",
        plant="grant email_search to email_service",
        names="email_service: it may become email_search",
    ),
    Hole(
        kind="login that nobody has thought of",
        plant="create role email_visitor login",
        names="email_visitor: the login is in no list",
    ),
    Hole(
        kind="schema in which others make objects",
        plant="grant create on schema public to email_worker",
        names="public: email_worker may create",
    ),
    Hole(
        kind="temporary objects",
        plant="do $$ begin execute format('grant temporary on database %I to email_service', current_database()); end $$",
        names="the database: email_service has TEMPORARY",
    ),
)
