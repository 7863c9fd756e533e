"""Faults that statements can plant."""

from __future__ import annotations

from tests.support.doctoring import Plant

_ASKED = "tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid"
PLANTS = (
    Plant(
        check="row-security",
        says=("email_messages", "not forced"),
        harm=("alter table email_messages no force row level security",),
    ),
    Plant(
        check="row-security",
        says=("email_changes", "not enabled"),
        harm=("alter table email_changes disable row level security",),
    ),
    Plant(
        check="row-security",
        says=("notes_of_tenants", "not enabled"),
        harm=("create table notes_of_tenants (tenant_id uuid, note text)",),
        leftovers=("drop table notes_of_tenants",),
    ),
    Plant(
        check="missing-policy",
        says=("email_outbox_tenant_policy",),
        harm=("drop policy email_outbox_tenant_policy on email_outbox",),
    ),
    Plant(
        check="missing-policy",
        says=("email_messages_login_policy",),
        harm=(
            "drop policy email_messages_login_policy on email_messages",
            "drop policy email_account_shares_owner_update_policy on email_account_shares",
            "drop policy email_credentials_backup_policy on email_credentials",
            "drop policy email_search_entries_search_policy on email_search_entries",
            "drop policy email_tenants_owner_policy on email_tenants",
        ),
    ),
    Plant(
        check="policy-changed",
        says=("email_accounts_tenant_policy", "not as it was laid"),
        harm=(
            "create table evil (x int)",
            f"alter policy email_accounts_tenant_policy on email_accounts using ({_ASKED} or exists (select from evil))",
        ),
        leftovers=("drop table evil",),
    ),
    Plant(
        check="policy-changed",
        says=("email_messages_update_policy", "not as it was laid"),
        harm=("alter policy email_messages_update_policy on email_messages using (true)",),
    ),
    Plant(
        check="policy-changed",
        says=("email_messages_login_policy", "not as it was laid"),
        harm=("alter policy email_messages_login_policy on email_messages to email_worker",),
    ),
    Plant(
        check="policy-changed",
        says=("email_folders_backup_policy", "not as it was laid"),
        harm=(
            "drop policy email_folders_backup_policy on email_folders",
            "create policy email_folders_backup_policy on email_folders to email_backup using (true)",
        ),
    ),
    Plant(
        check="policy-changed",
        says=("see_more", "none of ours"),
        harm=(f"create policy see_more on email_messages to email_service using ({_ASKED} or true)",),
    ),
    Plant(
        check="policy-calls",
        says=("email_folders_tenant_policy", "which_tenant"),
        harm=(
            "create function which_tenant() returns uuid language sql stable"
            " return nullif(current_setting('app.current_tenant_id', true), '')::uuid",
            "alter policy email_folders_tenant_policy on email_folders using (tenant_id = which_tenant())",
        ),
        leftovers=("drop function which_tenant()",),
    ),
    Plant(
        check="policy-calls",
        says=("by_account", "email_accounts"),
        harm=(
            "create policy by_account on email_folders as restrictive using (account_id in (select id from email_accounts))",
        ),
    ),
    Plant(
        check="policy-open",
        says=("see_all", "email_service"),
        harm=("create policy see_all on email_messages for select to email_service using (true)",),
    ),
    Plant(
        check="policy-open",
        says=("email_search_entries_search_policy", "email_readonly"),
        harm=("alter policy email_search_entries_search_policy on email_search_entries to email_readonly",),
    ),
    Plant(
        check="view-invoker",
        says=("email_service", "subjects"),
        harm=(
            "create view subjects as select subject from email_messages",
            "grant select on subjects to email_service",
        ),
        leftovers=("drop view subjects",),
    ),
    Plant(
        check="view-invoker",
        says=("email_readonly", "kept_subjects"),
        harm=(
            "create materialized view kept_subjects as select subject from email_messages",
            "grant select on kept_subjects to email_readonly",
        ),
        leftovers=("drop materialized view kept_subjects",),
    ),
    Plant(
        check="definer-search-path",
        says=("count_all()",),
        harm=(
            "create function count_all() returns bigint language sql security definer"
            " begin atomic select count(*) from email_messages; end",
        ),
        leftovers=("drop function count_all()",),
    ),
    Plant(
        check="role-power", says=("email_service", "bypassrls"), harm=("alter role email_service bypassrls",)
    ),
    Plant(check="role-power", says=("email_search", "login"), harm=("alter role email_search login",)),
    Plant(
        check="role-membership",
        says=("email_worker", "pg_read_all_data"),
        harm=("grant pg_read_all_data to email_worker",),
    ),
    Plant(
        check="loose-grant",
        says=("email_service", "truncate", "email_messages"),
        harm=("grant truncate on email_messages to email_service",),
    ),
    Plant(
        check="loose-grant",
        says=("public", "select", "email_accounts"),
        harm=("grant select on email_accounts to public",),
    ),
    Plant(
        check="secrets-readable",
        says=("email_readonly",),
        harm=("grant select (ciphertext) on email_credentials to email_readonly",),
    ),
    Plant(
        check="object-making",
        says=("email_service", "temporary"),
        harm=(
            "grant temporary on database email_service to public",
            "grant create on schema public to email_service",
        ),
    ),
    Plant(
        check="table-owner",
        says=("email_changes", "email_service"),
        harm=("alter table email_changes owner to email_service",),
    ),
    Plant(
        check="default-password",
        says=("email_service",),
        harm=("alter role email_service password 'postgres'",),
    ),
    Plant(
        check="default-password",
        says=("email_backup",),
        harm=("alter role email_backup password 'email_backup'",),
    ),
    Plant(
        check="missing-index",
        says=("idx_email_messages_content_hash",),
        harm=("drop index idx_email_messages_content_hash",),
    ),
    Plant(
        check="missing-index",
        says=("idx_email_messages_thread_id",),
        harm=("drop index idx_email_messages_thread_id",),
    ),
    Plant(
        check="duplicate-index",
        says=("twin", "idx_email_messages_thread_family"),
        harm=("create index twin on email_messages (tenant_id, thread_family_id)",),
    ),
    Plant(
        check="unused-index",
        says=("for_nothing",),
        harm=(
            "create index for_nothing on email_messages (preview)",
            "do $$ begin for i in 1..1500 loop perform from email_messages limit 1; end loop; end $$",
            "select pg_stat_force_next_flush()",
            "select 1",
        ),
    ),
    Plant(
        check="foreign-key-index",
        says=("email_outbox",),
        harm=(
            "alter table email_outbox add folder_id uuid",
            "alter table email_outbox add constraint into_folder foreign key (tenant_id, folder_id) references email_folders",
        ),
        leftovers=("alter table email_outbox drop folder_id",),
    ),
    Plant(
        check="constraint",
        says=("sizes_make_sense",),
        harm=("alter table email_messages add constraint sizes_make_sense check (size_bytes > 0) not valid",),
        leftovers=("alter table email_messages drop constraint sizes_make_sense",),
    ),
    Plant(
        check="trigger",
        says=("email_placements_counted_in",),
        harm=("alter table email_placements disable trigger email_placements_counted_in",),
    ),
    Plant(
        check="dangerous-setting",
        says=("autovacuum",),
        harm=("alter system set autovacuum = off", "select pg_reload_conf()", "select pg_sleep(0.5)"),
        leftovers=("alter system reset autovacuum", "select pg_reload_conf()"),
    ),
    Plant(
        check="autovacuum-off",
        says=("email_changes",),
        harm=("alter table email_changes set (autovacuum_enabled = off)",),
    ),
    Plant(
        check="statements-missing",
        says=("not installed",),
        harm=("drop extension pg_stat_statements",),
        leftovers=(
            "revoke all on pg_stat_statements, pg_stat_statements_info from public",
            "do $$ declare f text; begin for f in select oid::regprocedure from pg_proc where proname like"
            " 'pg\\_stat\\_statements%' loop execute 'revoke all on function ' || f || ' from public'; end loop; end $$",
        ),
    ),
    Plant(
        check="statements-readable",
        says=("email_service", "view pg_stat_statements"),
        harm=("grant select on pg_stat_statements to public",),
    ),
    Plant(
        check="statements-readable",
        says=("email_service", "function pg_stat_statements(boolean)"),
        harm=("grant execute on function pg_stat_statements(boolean) to email_service",),
    ),
    Plant(
        check="bloat",
        says=("swollen", "dead rows"),
        harm=(
            "create table swollen (x int) with (autovacuum_enabled = off)",
            "insert into swollen select generate_series(1, 20000)",
            "delete from swollen where x > 10",
            "select pg_stat_force_next_flush()",
            "select 1",
        ),
        leftovers=("drop table swollen",),
    ),
    Plant(
        check="never-analysed",
        says=("unseen", "120,000"),
        harm=(
            "create table unseen (x int) with (autovacuum_enabled = off)",
            "insert into unseen select generate_series(1, 120000)",
            "select pg_stat_force_next_flush()",
            "select 1",
        ),
        leftovers=("drop table unseen",),
    ),
    Plant(
        check="slot",
        says=("nobody", "log"),
        harm=(
            "select pg_create_physical_replication_slot('nobody', true)",
            "select pg_logical_emit_message(false, 'x', repeat('x', 10000000)) from generate_series(1, 14)",
            "select pg_switch_wal()",
        ),
    ),
    Plant(
        check="folder-counters",
        says=("folders",),
        harm=("update email_folders set unread_count = unread_count + 1 where type = 'inbox'",),
    ),
    Plant(
        check="blob-without-mail",
        says=("1 blobs",),
        harm=(
            "insert into email_blobs (tenant_id, sha256, size_bytes, stored_bytes, storage_type, data, created_at)"
            " select tenant_id, sha256('nobody'), 6, 6, 'blob', 'nobody', 1 from email_tenants",
        ),
    ),
    Plant(
        check="webhook-disabled",
        says=("was disabled", "no call succeeded"),
        harm=(
            "insert into email_webhooks (tenant_id, id, url, is_enabled, disabled_at, disabled_reason, created_at, updated_at)"
            " select tenant_id, gen_random_uuid(), 'https://example.com/', false, 1, 'no call succeeded for three days', 1, 1"
            " from email_tenants",
        ),
    ),
)
