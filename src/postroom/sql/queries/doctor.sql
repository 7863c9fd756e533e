-- Doctor: what is wrong with a server, one question for each check, as an administrator. Each gives a row for each fault.

-- name: self
-- Who asks, and of what.
select current_user::text as "user", rolsuper as is_superuser, pg_is_in_recovery() as is_standby
from pg_roles
where rolname = current_user

-- name: powerful_roles
-- A role of the store that can do what row security does not bind, or that was never to sign in.
select r.rolname::text as role, array_remove(array[
    case when r.rolsuper then 'superuser' end,
    case when r.rolbypassrls then 'bypassrls' end,
    case when r.rolcreaterole then 'createrole' end,
    case when r.rolcreatedb then 'createdb' end,
    case when r.rolreplication and r.rolname <> 'email_replication' then 'replication' end,
    case when r.rolcanlogin and r.rolname in ('email_search', 'email_tenant_login') then 'login' end], null) as powers
from pg_roles r
where r.rolname like 'email\_%%'
  and r.rolname <> current_user
  and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb
    or (r.rolreplication and r.rolname <> 'email_replication')
    or (r.rolcanlogin and r.rolname in ('email_search', 'email_tenant_login')))
order by r.rolname

-- name: memberships
-- A role of the store that may become another, or has its rights.
select m.rolname::text as role, g.rolname::text as other
from pg_auth_members a
join pg_roles m on m.oid = a.member
join pg_roles g on g.oid = a.roleid
where m.rolname like 'email\_%%'
  and m.rolname <> current_user
  and g.rolname <> 'email_tenant_login'
  and (m.rolname, g.rolname) <> ('email_monitor', 'pg_monitor')
order by m.rolname, g.rolname

-- name: loose_grants
-- PUBLIC has a right on a table of the store, or somebody has one that goes past row security.
select c.oid::regclass::text as table_name, coalesce(r.rolname::text, 'public') as role,
  string_agg(distinct lower(a.privilege_type), ', ' order by lower(a.privilege_type)) as privileges
from pg_class c
cross join lateral aclexplode(c.relacl) a
left join pg_roles r on r.oid = a.grantee
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p')
  and c.relname like 'email\_%%'
  and a.grantee <> c.relowner
  and (a.grantee = 0 or a.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'))
group by c.oid, r.rolname
order by 1, 2

-- name: readers_of_secrets
-- Who reads sealed credentials without any need to.
select r.rolname::text as role
from pg_roles r
where r.rolname in ('email_service', 'email_readonly', 'email_monitor', 'email_tenant_login')
  and to_regclass('public.email_credentials') is not null
  and not r.rolsuper
  and has_any_column_privilege(r.oid, 'public.email_credentials', 'select')
order by r.rolname

-- name: makers
-- A login of the store that may make objects of its own.
select r.rolname::text as role,
  has_schema_privilege(r.oid, 'public', 'create') as in_schema,
  has_database_privilege(r.oid, current_database(), 'temporary') as temporary,
  current_database()::text as database
from pg_roles r
where r.rolname in ('email_service', 'email_worker', 'email_readonly', 'email_tenant_login', 'email_monitor', 'email_backup')
  and not r.rolsuper
  and (has_schema_privilege(r.oid, 'public', 'create')
    or has_database_privilege(r.oid, current_database(), 'temporary'))
order by r.rolname

-- name: strange_owners
-- Who owns a table can change its policies.
select c.oid::regclass::text as table_name, pg_get_userbyid(c.relowner)::text as owner
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p', 'v', 'm')
  and c.relname like 'email\_%%'
  and pg_get_userbyid(c.relowner) <> 'email_owner'
order by 1

-- name: verifiers
-- Passwords as the server keeps them: a superuser's question.
select rolname::text as role, rolpassword as verifier
from pg_authid
where rolcanlogin
  and rolpassword is not null
order by rolname

-- name: unforced_tables
-- Tables of tenants whose row security is off, or does not bind the owner.
select c.oid::regclass::text as table_name, c.relrowsecurity as is_enabled, c.relforcerowsecurity as is_forced
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p')
  and not c.relispartition
  and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
  and not (c.relrowsecurity and c.relforcerowsecurity)
order by 1

-- name: copies_of_tables
-- Statements that make empty copies of the guarded tables, for one session's eyes.
select format('create temporary table %%1$I (like public.%%1$I)', c.relname) as statement
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p')
  and c.relname like 'email\_%%'
  and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)

-- name: other_policies
-- Policies of the store that are not those on the empty copies, where all are laid.
with found as (
  select c.relnamespace = 'public'::regnamespace as is_real, c.relname, p.polname, p.polpermissive, p.polcmd,
    array(select role from unnest(p.polroles) role order by role) as roles,
    pg_get_expr(p.polqual, p.polrelid) as seen, pg_get_expr(p.polwithcheck, p.polrelid) as made
  from pg_policy p
  join pg_class c on c.oid = p.polrelid
  where c.relnamespace in ('public'::regnamespace, pg_my_temp_schema())
    and c.relname like 'email\_%%'),
is_there as (select * from found where is_real),
laid as (select * from found where not is_real)
select relname::text as table_name, polname::text as policy, l.polcmd is not null as is_ours, t.polcmd is null as is_missing,
  t.polpermissive as is_permissive
from laid l
full join is_there t using (relname, polname)
where (l.polpermissive, l.polcmd, l.roles, l.seen, l.made) is distinct from (t.polpermissive, t.polcmd, t.roles, t.seen, t.made)
order by 1, 2

-- name: laid_policies
-- The policies on the empty copies.
select c.relname::text as table_name, p.polname::text as policy
from pg_policy p
join pg_class c on c.oid = p.polrelid
where c.relnamespace = pg_my_temp_schema()

-- name: missing_policies
-- Guarded tables of the store without the policy that shows a tenant its rows, by name alone.
select c.oid::regclass::text as table_name, c.relname || '_tenant_policy' as policy
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p')
  and not c.relispartition
  and c.relname like 'email\_%%'
  and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
  and not exists (
    select from pg_policy p
    where p.polrelid = c.oid
      and p.polname = c.relname || '_tenant_policy'
      and p.polpermissive)
order by 1, 2

-- name: calling_policies
-- Policies that call a function of somebody's, or ask another table as none of ours does: what the server brings along
-- leaves no trace here.
select p.polrelid::regclass::text as table_name, p.polname::text as policy,
  p.polname in (c.relname || '_tenant_policy', c.relname || '_update_policy', c.relname || '_delete_policy') as is_ours,
  string_agg(distinct case when d.refclassid = 'pg_proc'::regclass then d.refobjid::regprocedure::text
    else d.refobjid::regclass::text end, ', ') as calls
from pg_policy p
join pg_class c on c.oid = p.polrelid
join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid
where d.refclassid = 'pg_proc'::regclass
  or (d.refclassid = 'pg_class'::regclass and d.refobjid <> p.polrelid and p.polname not in
    (c.relname || '_tenant_policy', c.relname || '_update_policy', c.relname || '_delete_policy'))
group by p.polrelid, p.polname, c.relname
order by 1, 2

-- name: open_policies
-- Policies that let a login of the application see or write rows without asking which tenant is set.
select p.polrelid::regclass::text as table_name, p.polname::text as policy,
  p.polname = c.relname || '_tenant_policy' as is_ours,
  coalesce(string_agg(r.rolname::text, ', ' order by r.rolname), 'everybody') as roles
from pg_policy p
join pg_class c on c.oid = p.polrelid
cross join lateral unnest(p.polroles) as meant (role)
left join pg_roles r on r.oid = meant.role
where p.polpermissive
  and c.relname like 'email\_%%'
  and coalesce(r.rolname, '') not in ('email_owner', 'email_search', 'email_backup')
  and not exists (
    select from pg_depend d
    where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_proc'::regclass)
  and (coalesce(pg_get_expr(p.polqual, p.polrelid), 'app.current_tenant_id') not like '%%app.current_tenant_id%%'
    or coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'app.current_tenant_id') not like '%%app.current_tenant_id%%')
group by p.polrelid, p.polname, c.relname
order by 1, 2

-- name: views_of_others
-- Views and stored results that a login of the application may read, and that are read with their owner's rights.
select c.oid::regclass::text as view_name, c.relkind = 'm' as is_stored,
  string_agg(r.rolname::text, ', ' order by r.rolname) as readers
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_roles r on r.rolname in ('email_service', 'email_worker', 'email_readonly', 'email_tenant_login')
where c.relkind in ('v', 'm')
  and n.nspname not in ('pg_catalog', 'information_schema')
  and not r.rolsuper
  and has_schema_privilege(r.oid, n.oid, 'usage')
  and has_any_column_privilege(r.oid, c.oid, 'select')
  and (c.relkind = 'm'
    or not coalesce(c.reloptions && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false))
  and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
group by c.oid, c.relkind
order by 1

-- name: pathless_definers
-- Functions that run with their owner's rights and look for names where the caller says.
select p.oid::regprocedure::text as function
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
where p.prosecdef
  and n.nspname not in ('pg_catalog', 'information_schema')
  and not exists (select from unnest(p.proconfig) c where c like 'search_path=%%')
  and not exists (select from pg_depend d where d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e')
order by 1

-- name: silent_triggers
-- Triggers of the store that were switched off: the folders' counters live from them.
select t.tgrelid::regclass::text as table_name, t.tgname::text as trigger
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
where not t.tgisinternal
  and t.tgenabled = 'D'
  and c.relname like 'email\_%%'
order by 1, 2

-- name: unproved_constraints
-- Constraints that nobody has held against the rows that were there before.
select conrelid::regclass::text as table_name, conname::text as constraint_name
from pg_constraint
where conrelid <> 0
  and contype in ('c', 'f')
  and not convalidated
order by 1, 2

-- name: index_names
-- What is there of the indexes that the schema makes.
select c.relname::text as index_name
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('i', 'I')

-- name: invalid_indexes
-- Indexes that were begun and never finished: written to, never read.
select i.indexrelid::regclass::text as index_name, i.indrelid::regclass::text as table_name
from pg_index i
where not i.indisvalid
  and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
order by 1

-- name: unread_indexes
-- Indexes that nothing has read on tables that are read all the time.
select u.index_name::text, u.table_name::text, u.size_bytes, t.seq_scan + coalesce(t.idx_scan, 0) as reads
from pg_unused_indexes u
join pg_stat_user_tables t on t.relname = u.table_name and t.schemaname = 'public'
where t.seq_scan + coalesce(t.idx_scan, 0) >= 1000
order by u.size_bytes desc, u.index_name

-- name: same_indexes
-- Indexes that another makes superfluous.
select table_name, index_name, covered_by, how, size_bytes
from pg_duplicate_indexes
order by size_bytes desc, index_name

-- name: unindexed_foreign_keys
-- Foreign keys without an index that leads with their columns.
select f.conrelid::regclass::text as table_name, f.conname::text as foreign_key,
  (select string_agg(quote_ident(a.attname), ', ' order by k.place)
     from unnest(f.conkey) with ordinality as k (number, place)
     join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.number) as columns
from pg_constraint f
join pg_class c on c.oid = f.conrelid
where f.contype = 'f'
  and c.relnamespace = 'public'::regnamespace
  and not exists (
    select from pg_index i
    where i.indrelid = f.conrelid
      and i.indisvalid
      and (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey)
order by 1, 2

-- name: waiting_settings
-- Settings that were changed and hold from the next start on.
select name, current_setting(name, true) as now
from pg_settings
where pending_restart
order by name

-- name: wrong_settings
-- Lines of the server's files that it could not read: with them it would not start. A superuser's question.
select sourcefile as file, sourceline as line, name, error
from pg_file_settings
where error is not null
  and error <> 'setting could not be applied'
order by seqno

-- name: settings
-- Those that a finding hangs on.
select name, setting, unit
from pg_settings
where name = any (%(names)s::text[])

-- name: addresses_in_files
-- Where the server will listen after its next start. A superuser's question.
select setting
from pg_file_settings
where name = 'listen_addresses'
  and error is distinct from 'syntax error'
order by seqno desc
limit 1

-- name: certificate
-- Whether the files are there without which a server with TLS does not start. A superuser's question.
select (pg_stat_file(current_setting('ssl_cert_file'), true)).size > 0
  and (pg_stat_file(current_setting('ssl_key_file'), true)).size > 0 as is_there

-- name: open_doors
-- Lines of pg_hba.conf that let somebody in over the network without a password, or take it in the clear.
select line_number, type, array_to_string(database, ',') as databases, array_to_string(user_name, ',') as users,
  address, auth_method
from pg_hba_file_rules
where error is null
  and (auth_method = 'trust' or (auth_method = 'password' and type <> 'hostssl'))
  and type <> 'local'
order by line_number

-- name: wrong_doors
-- Lines of pg_hba.conf that the server cannot read: it keeps the old ones until it is restarted, and then does not start.
select line_number, error
from pg_hba_file_rules
where error is not null
order by line_number

-- name: own_connection
-- Whether this very connection is encrypted, and where the server sees it come from.
select coalesce(s.ssl, false) as is_encrypted, host(inet_client_addr()) as client
from (select pg_backend_pid() as pid) own
left join pg_stat_ssl s on s.pid = own.pid

-- name: folding
-- Whether the database knows that letters outside ASCII have two cases.
select lower('ÄÉЖΣ' collate "default") = 'äéжσ' and 'Ä' ilike 'ä' as folds,
  d.datlocprovider::text as provider, d.datcollate::text as locale
from pg_database d
where d.datname = current_database()

-- name: changed_collations
-- Whether the operating system sorts otherwise than when the indexes were written.
select d.datname::text as database, d.datcollversion as made_with, pg_database_collation_actual_version(d.oid) as now
from pg_database d
where d.datname = current_database()
  and d.datcollversion is distinct from pg_database_collation_actual_version(d.oid)

-- name: clock
select clock_timestamp() as now

-- name: statements_extension
-- Where pg_stat_statements is, and whether it works.
select a.name is not null as is_offered, e.extname is not null as is_installed, e.extnamespace::regnamespace::text as schema
from (values (1)) as one
left join pg_available_extensions a on a.name = 'pg_stat_statements'
left join pg_extension e on e.extname = 'pg_stat_statements'

-- name: statements_note
-- Why the statements of pg_stat_statements cannot be shown; no row where they can.
select note
from pg_slow_statements()
where note is not null

-- name: readers_of_statements
-- Views and functions of pg_stat_statements that a login of the application may use.
select case when d.classid = 'pg_proc'::regclass then 'function' else 'table' end as kind,
  case when d.classid = 'pg_proc'::regclass then d.objid::regprocedure::text else d.objid::regclass::text end as name,
  case when d.classid = 'pg_proc'::regclass then 'execute' else 'select' end as privilege,
  string_agg(r.rolname::text, ', ' order by r.rolname) as readers
from pg_depend d
join pg_extension e on e.oid = d.refobjid and e.extname = 'pg_stat_statements'
join pg_roles r on r.rolname in ('email_service', 'email_worker', 'email_readonly', 'email_tenant_login')
where d.refclassid = 'pg_extension'::regclass
  and d.deptype = 'e'
  and not r.rolsuper
  and case d.classid
    when 'pg_proc'::regclass then has_function_privilege(r.oid, d.objid, 'execute')
    when 'pg_class'::regclass then has_any_column_privilege(r.oid, d.objid, 'select')
    else false end
group by d.classid, d.objid
order by 1, 2

-- name: archive
select state, failed, last_failed_wal, last_failed_time
from pg_archiving_status
where state in ('failing', 'no command')

-- name: archive_backlog
-- Files of the log that wait for the archive command.
select count(*) as files
from pg_ls_archive_statusdir()
where name like '%%.ready'

-- name: late_standbys
select standby, behind_bytes, extract(epoch from behind)::bigint as behind_seconds
from pg_replication_lag
where behind_bytes > %(bytes)s
  or behind > make_interval(secs => %(seconds)s)
order by standby

-- name: unconfirmed
-- Commits wait for a standby that is to confirm them, and none is there.
select
  current_setting('synchronous_standby_names') as names,
  (select count(*) from pg_stat_activity where wait_event = 'SyncRep') as waiting
where current_setting('synchronous_standby_names') <> ''
  and not pg_is_in_recovery()
  and not exists (
    select from pg_stat_replication where sync_state in ('sync', 'quorum'))

-- name: late_replay
-- On a standby: how long ago the last transaction that it knows was made, while more has come in.
select extract(epoch from now() - pg_last_xact_replay_timestamp())::bigint as behind_seconds
where pg_is_in_recovery()
  and pg_last_wal_receive_lsn() is distinct from pg_last_wal_replay_lsn()
  and pg_last_xact_replay_timestamp() < now() - make_interval(secs => %(seconds)s)

-- name: greedy_slots
-- Slots that nobody reads and that keep the log, or whose log is gone.
select slot_name::text, active, wal_status, kept_bytes
from pg_slot_retention
where wal_status in ('unreserved', 'lost')
  or (not active and kept_bytes > %(bytes)s)
order by slot_name

-- name: bloated_tables
select table_name, dead_rows, live_rows, total_bytes, advice
from pg_table_bloat_status()
where advice <> 'healthy'

-- name: unvacuumed_tables
-- Tables that autovacuum passes over because somebody told it to.
select table_name::text
from pg_vacuum_status
where not autovacuum
  and current_setting('autovacuum')::boolean
order by table_name

-- name: unknown_tables
-- Tables that have grown large and were never looked at by the planner.
select relid::regclass::text as table_name, n_live_tup as rows
from pg_stat_user_tables
where n_live_tup > 100000
  and last_analyze is null
  and last_autoanalyze is null
order by n_live_tup desc

-- name: old_databases
-- Databases that autovacuum should have frozen long since; those nobody can connect to are its own business.
select w.database::text, greatest(w.transaction_age, w.multixact_age) as age, w.used_percent
from pg_wraparound w
join pg_database d on d.datname = w.database
where d.datallowconn
  and (w.transaction_age > 2 * current_setting('autovacuum_freeze_max_age')::bigint
    or w.multixact_age > 2 * current_setting('autovacuum_multixact_freeze_max_age')::bigint)
order by 2 desc

-- name: connections_used
select count(*) as used, current_setting('max_connections')::integer as allowed
from pg_stat_activity
where backend_type = 'client backend'

-- name: open_transactions
-- Sessions that hold a transaction open for hours: vacuum can take nothing away that is younger.
select pid, usename::text as "user", application_name = %(mover)s as is_move, extract(epoch from now() - xact_start)::bigint as seconds
from pg_stat_activity
where backend_type = 'client backend'
  and state like 'idle in transaction%%'
  and xact_start < now() - make_interval(secs => %(seconds)s)
order by xact_start

-- name: forgotten_transactions
-- Transactions that were prepared and never ended, by no session.
select gid, database::text, extract(epoch from now() - prepared)::bigint as seconds
from pg_prepared_xacts
where prepared < now() - make_interval(secs => %(seconds)s)
order by prepared

-- name: sizes
-- What rebuilding the largest table would need on the disk.
select coalesce(max(pg_total_relation_size(c.oid)), 0)::bigint as largest_bytes, current_setting('data_directory') as folder
from pg_class c
where c.relkind in ('r', 'm')

-- name: backend
-- Which process serves this connection, and whether it is older than the connection.
select pg_backend_pid() as pid, backend_start < %(before)s::timestamptz as is_older
from pg_stat_activity
where pid = pg_backend_pid()

-- name: wrong_counters
-- Folders whose counters are not what lies in them. As the login that reads all tenants.
select f.tenant_id, t.name as tenant, count(*) as folders, min(f.name) as example
from email_folders f
join email_tenants t on t.tenant_id = f.tenant_id
left join (
  select tenant_id, folder_id, count(*) as total, count(*) filter (where not is_read) as unread
  from email_placements
  where vanished_at is null and not is_hidden
  group by tenant_id, folder_id) p on p.tenant_id = f.tenant_id and p.folder_id = f.id
where f.total_count <> coalesce(p.total, 0)
  or f.unread_count <> coalesce(p.unread, 0)
group by f.tenant_id, t.name
order by t.name

-- name: unneeded_blobs
-- Blobs that no message, attachment, letter, draft or quarantined mail refers to. What is young may just be on its way.
select b.tenant_id, t.name as tenant, count(*) as blobs, sum(b.stored_bytes)::bigint as bytes
from email_blobs b
join email_tenants t on t.tenant_id = b.tenant_id
where b.created_at < %(before)s
  and not exists (select from email_messages m where m.tenant_id = b.tenant_id and m.raw_blob = b.sha256)
  and not exists (select from email_attachments a where a.tenant_id = b.tenant_id and a.blob_hash = b.sha256)
  and not exists (select from email_quarantine q where q.tenant_id = b.tenant_id and q.raw_blob = b.sha256)
  and not exists (select from email_sends s where s.tenant_id = b.tenant_id and s.raw_blob = b.sha256)
  and not exists (select from email_drafts d where d.tenant_id = b.tenant_id and d.raw_blob = b.sha256)
group by b.tenant_id, t.name
order by t.name

-- name: hollow_blobs
-- Blobs that are to be in the database, and are not there in one piece.
select b.tenant_id, t.name as tenant, count(*) as blobs, min(encode(b.sha256, 'hex')) as example
from email_blobs b
join email_tenants t on t.tenant_id = b.tenant_id
where b.storage_type = 'blob'
  and (b.data is null or b.pieces - 1 <> (
    select count(*) from email_blob_pieces p where p.tenant_id = b.tenant_id and p.sha256 = b.sha256))
group by b.tenant_id, t.name
order by t.name

-- name: disabled_webhooks
-- Webhooks that are not called any more, by nobody's wish.
select w.id, t.name as tenant, w.disabled_reason as reason
from email_webhooks w
join email_tenants t on t.tenant_id = w.tenant_id
where not w.is_enabled
  and w.disabled_reason is not null
order by t.name, w.id

-- name: tenants_with_objects
select t.tenant_id, t.name as tenant
from email_tenants t
order by t.name

-- name: objects
-- The blobs of a tenant that lie in a folder.
select storage_path
from email_blobs
where tenant_id = %(tenant_id)s
  and storage_type = 'local'
order by storage_path
