"""What a tenant with a login of its own may try. Each must be refused, or give nothing.

`{other}` is the id of another tenant and `{mine}` its own; `{message}` is the other's, `{large}` a large object of the
other's login `{login}`, `{me}` the name of its own.
"""

READABLE = [
    "email_tenants",
    "email_accounts",
    "email_folders",
    "email_messages",
    "email_placements",
    "email_addresses",
    "email_attachments",
    "email_blobs",
    "email_blob_pieces",
    "email_changes",
    "email_outbox",
    "email_senders",
    "email_sends",
    "email_recipients",
    "email_drafts",
    "email_quarantine",
    "email_audit_log",
    "email_audit_heads",
    "email_holds",
    "email_held_messages",
    "email_purged_uids",
]

# Reading with another tenant set, in every way to set it.
SETTINGS = [
    "set app.current_tenant_id = '{other}'; select * from email_messages",
    "begin; set local app.current_tenant_id = '{other}'; select * from email_messages",
    "set app.current_tenant_id = '{OTHER}'; select * from email_messages",
    "set app.current_tenant_id = '{{{other}}}'; select * from email_messages",
    "set app.current_tenant_id = ''; select * from email_messages",
    "set app.current_tenant_id = 'nonsense'; select * from email_messages",
    "reset all; select * from email_messages where tenant_id <> '{mine}'",
    "discard all; select * from email_messages where tenant_id <> '{mine}'",
    "alter role current_user set app.current_tenant_id = '{other}'",
    "select * from set_config('app.current_tenant_id', '{other}', false), lateral (select * from email_messages offset 0) m",
    "with s as materialized (select set_config('app.current_tenant_id', '{other}', false))"
    " select m.subject from s, email_messages m where m.tenant_id <> '{mine}'",
    "select subject from email_messages where set_config('app.current_tenant_id', '{other}', false) <> ''"
    " and tenant_id <> '{mine}'",
    "set enable_indexscan = off; set enable_bitmapscan = off; select subject from email_messages"
    " where set_config('app.current_tenant_id', '{other}', false) <> '' and tenant_id <> '{mine}'",
    "select (select count(*) from email_messages m where m.tenant_id::text = s.id)"
    " from set_config('app.current_tenant_id', '{other}', false) s (id)",
    "select case when set_config('app.current_tenant_id', '{other}', false) <> ''"
    " then (select max(subject) from email_messages where tenant_id <> '{mine}') end",
    "prepare p as select * from email_messages; execute p; set app.current_tenant_id = '{other}'; execute p",
    "begin; declare c cursor for select subject from email_messages where tenant_id <> '{mine}';"
    " set local app.current_tenant_id = '{other}'; fetch all from c",
    "set session_authorization = '{login}'",
    "set app.current_user_id = '{other}'; select * from email_messages where tenant_id <> '{mine}'",
]

# Becoming somebody else, or more.
ROLES = [
    *(
        f"set role {role}"
        for role in (
            "email_service",
            "email_worker",
            "email_owner",
            "email_search",
            "email_readonly",
            "email_backup",
            "email_monitor",
            "email_tenant_login",
            "pg_read_all_data",
            "postgres",
            "{login}",
        )
    ),
    "set session authorization email_service",
    "set session authorization '{login}'",
    "alter role current_user bypassrls",
    "alter role {me} rename to {login}_",
    "alter role {login} password 'x'",
    "grant email_service to current_user",
    "create role more",
    "set row_security = off; select * from email_messages",
    "alter table email_messages disable row level security",
    "drop policy email_messages_login_policy on email_messages",
    "create policy mine on email_messages using (true)",
]

# The words of others: through the function, past it, and what it is made of.
SEARCH = [
    "select * from email_search_messages('{other}', '{{\"all\": true}}', null, 9, null, null)",
    "set app.current_tenant_id = '{other}';"
    " select * from email_search_messages('{other}', '{{\"all\": true}}', null, 9, null, null)",
    "set app.current_tenant_id = '{other}';"
    " select * from email_search_messages('{mine}', '{{\"all\": true}}', null, 9, null, null)",
    "select * from set_config('app.current_tenant_id', '{other}', false),"
    " lateral email_search_messages('{other}', '{{\"all\": true}}', null, 9, null, null)",
    "select * from email_search_entries",
    "select email_search_condition('{{\"all\": true}}')",
    "select * from email_tenant_list()",
    "select * from email_tenant_named('x')",
    "select * from email_credentials",
    "select * from email_thread_links",
]

# Functions and conditions that say what they see: they must not see it.
TELL_TALES = [
    "select 1 from email_messages where case when tenant_id = '{mine}' then 0 else subject::integer end = 1",
    "select 1 from email_messages where case when tenant_id = '{mine}' then 0 else 1 / (length(subject) * 0) end = 1",
    "select 1 from email_messages where id = '{message}' and subject like '%'",
    "select 1 from email_blobs where tenant_id <> '{mine}' and octet_length(data) >= 0",
    "do $$ declare r record; begin for r in select * from email_messages where tenant_id <> '{mine}' loop"
    " raise notice '%', r.subject; end loop; end $$",
    "create function tell(t text) returns boolean language sql return true",
    "create function pg_temp.tell(t text) returns boolean language sql return true",
    "create temp table email_messages (x int)",
    "create view mine as select * from email_messages",
    "create operator === (leftarg = text, rightarg = text, function = texteq)",
    "select * from pg_stats where schemaname = 'public'",
    "select * from pg_stats_ext where schemaname = 'public'",
    "select * from pg_statistic",
    "select * from pg_stat_statements",
    "select pg_stat_statements(true)",
    "select query from pg_stat_activity where usename <> session_user and query not like '<insufficient%' and query <> ''",
    "select * from pg_authid",
    "select 1 from pg_roles where strpos(rolname, replace('{other}', '-', '')) > 0",
    "select 1 from pg_db_role_setting s, unnest(s.setconfig) c where c like '%tenant_id%'",
    "select * from pg_largeobject",
]

# By way of the server: files, programs, other servers, large objects, writing.
DETOURS = [
    "select lo_get({large})",
    "select lo_open({large}, 262144)",
    "select lo_unlink({large})",
    "select lo_import('/etc/passwd')",
    "select lo_export({large}, '/tmp/x')",
    "select pg_read_file('postgresql.conf')",
    "select pg_ls_dir('.')",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename <> session_user and usename <> ''",
    "copy email_messages to program 'cat'",
    "copy email_messages to '/tmp/x'",
    "copy email_messages from program 'true'",
    "create extension dblink",
    "create extension postgres_fdw",
    "create extension plpython3u",
    "create foreign data wrapper w",
    "load 'auto_explain'",
    "create publication p for table email_messages",
    "select pg_create_logical_replication_slot('s', 'test_decoding')",
    "create event trigger t on ddl_command_end execute function tell()",
    "create schema mine",
    "create table mine (x int)",
    "create table mine (message_id uuid, tenant_id uuid,"
    " foreign key (tenant_id, message_id) references email_messages (tenant_id, id))",
    "insert into email_tenants values ('{other}', 'x', '{other}', 0, 0)",
    "insert into email_tenants values ('{other}', 'x', '{other}', 0, 0) on conflict do nothing",
    "update email_messages set is_read = true",
    "delete from email_messages where id = '{message}'",
    "truncate email_messages",
    "select * from email_messages for update",
    "begin; lock table email_messages in exclusive mode",
    "vacuum email_messages",
    "analyze email_messages",
    "refresh materialized view mine",
    "comment on table email_messages is 'x'",
    "alter default privileges for role email_owner grant select on tables to public",
    "alter system set log_statement = 'all'",
    "alter database email_service set row_security = off",
]

ALL = [
    *(f"select * from {table} where tenant_id <> '{{mine}}'" for table in READABLE),
    *(f"set app.current_tenant_id = '{{other}}'; select * from {table}" for table in READABLE),
    *SETTINGS,
    *ROLES,
    *SEARCH,
    *TELL_TALES,
    *DETOURS,
]
