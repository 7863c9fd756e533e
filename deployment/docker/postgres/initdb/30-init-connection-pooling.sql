-- Postroom: what an operator looks at. Connections, long queries, bloat; safe on an empty and on a busy server.
--
-- Pooling guideline (PgBouncer in transaction mode): max_client_conn 1000, default_pool_size 25, reserve_pool_size 5,
-- max_db_connections 30 or more, or the reserve can never be used. No session state, no LISTEN, no prepared statements.
set role email_owner;

create view pg_connection_stats with (security_invoker = true) as
select
  datname as database,
  usename as "user",
  state,
  count(*) as connections,
  count(*) filter (where wait_event_type = 'Lock') as waiting_for_locks,
  max(now() - state_change) filter (where state = 'idle') as longest_idle,
  max(now() - xact_start) as longest_transaction
from pg_stat_activity
where backend_type = 'client backend'
group by datname, usename, state;

comment on view pg_connection_stats is 'Connections by database, user and state, with the longest idle and transaction.';

create view pg_long_queries with (security_invoker = true) as
select
  pid,
  usename as "user",
  datname as database,
  state,
  now() - query_start as running_for,
  wait_event_type,
  wait_event,
  left(query, 200) as query
from pg_stat_activity
where backend_type = 'client backend' and state <> 'idle' and pid <> pg_backend_pid()
  and query_start < now() - interval '1 second'
order by query_start;

comment on view pg_long_queries is 'Statements that have run for more than a second, the longest first.';

create function pg_table_bloat_status()
returns table (
  table_name text, live_rows bigint, dead_rows bigint, dead_percent numeric, total_bytes bigint,
  last_vacuum timestamptz, last_analyze timestamptz, advice text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select
    s.relname::text,
    s.n_live_tup,
    s.n_dead_tup,
    round(100.0 * s.n_dead_tup / nullif(s.n_live_tup + s.n_dead_tup, 0), 1),
    pg_total_relation_size(s.relid),
    greatest(s.last_vacuum, s.last_autovacuum),
    greatest(s.last_analyze, s.last_autoanalyze),
    case
      when s.n_dead_tup > 10000 and s.n_dead_tup > s.n_live_tup then 'VACUUM FULL in a quiet hour, or pg_repack'
      when s.n_dead_tup > 10000 and s.n_dead_tup * 5 > s.n_live_tup then 'VACUUM'
      else 'healthy'
    end
  from pg_stat_user_tables s
  order by pg_total_relation_size(s.relid) desc
$$;

comment on function pg_table_bloat_status() is 'Live and dead rows of every table, its size on disk, and what to do.';

-- Indexes -----------------------------------------------------------------------------------------------------------

create view pg_index_use with (security_invoker = true) as
select
  s.relname as table_name,
  s.indexrelname as index_name,
  s.idx_scan as scans,
  s.last_idx_scan as last_scan,
  s.idx_tup_read as entries_read,
  pg_relation_size(s.indexrelid) as size_bytes,
  i.indisunique as is_unique,
  i.indisvalid as is_valid
from pg_stat_user_indexes s
join pg_index i on i.indexrelid = s.indexrelid
order by s.idx_scan desc, s.indexrelname;

comment on view pg_index_use is 'How often each index was read since counting began, and its size on disk.';

create view pg_unused_indexes with (security_invoker = true) as
select
  u.table_name,
  u.index_name,
  u.size_bytes,
  coalesce(d.stats_reset, pg_postmaster_start_time()) as counted_since
from pg_index_use u
join pg_stat_database d on d.datname = current_database()
where u.scans = 0 and not u.is_unique
order by u.size_bytes desc, u.index_name;

comment on view pg_unused_indexes is
  'Indexes that nothing has read since counting began. One that keeps a key unique is never among them.';

create view pg_duplicate_indexes with (security_invoker = true) as
select
  a.indrelid::regclass::text as table_name,
  a.indexrelid::regclass::text as index_name,
  b.indexrelid::regclass::text as covered_by,
  case when a.indnkeyatts = b.indnkeyatts then 'the same' else 'the beginning of it' end as how,
  pg_relation_size(a.indexrelid) as size_bytes
from pg_index a
join pg_index b on b.indrelid = a.indrelid and b.indexrelid <> a.indexrelid and b.indisvalid
join pg_class ca on ca.oid = a.indexrelid
join pg_class cb on cb.oid = b.indexrelid and cb.relam = ca.relam
join pg_stat_user_tables t on t.relid = a.indrelid
-- Each of these lists begins like the other's: columns, operator classes, collations, directions.
where (b.indkey::text || ' ') like (a.indkey::text || ' %')
  and (b.indclass::text || ' ') like (a.indclass::text || ' %')
  and (b.indcollation::text || ' ') like (a.indcollation::text || ' %')
  and (b.indoption::text || ' ') like (a.indoption::text || ' %')
  and pg_get_expr(a.indexprs, a.indrelid) is not distinct from pg_get_expr(b.indexprs, b.indrelid)
  and pg_get_expr(a.indpred, a.indrelid) is not distinct from pg_get_expr(b.indpred, b.indrelid)
  and a.indnatts = a.indnkeyatts
  and (ca.relam = (select oid from pg_am where amname = 'btree') or a.indnkeyatts = b.indnkeyatts)
  and (not a.indisunique or (b.indisunique and a.indnkeyatts = b.indnkeyatts))
  -- Of two that are the same, the one that keeps a constraint or is older stays.
  and (a.indnkeyatts < b.indnkeyatts
    or (b.indisunique, b.indisprimary, -b.indexrelid::bigint) > (a.indisunique, a.indisprimary, -a.indexrelid::bigint));

comment on view pg_duplicate_indexes is 'Indexes that another one makes superfluous: it has the same columns, or begins with them.';

-- Reading -----------------------------------------------------------------------------------------------------------

create view pg_cache_hit with (security_invoker = true) as
select
  relname as table_name,
  heap_blks_hit + coalesce(idx_blks_hit, 0) as from_memory,
  heap_blks_read + coalesce(idx_blks_read, 0) as from_disk,
  round(100.0 * heap_blks_hit / nullif(heap_blks_hit + heap_blks_read, 0), 1) as rows_percent,
  round(100.0 * idx_blks_hit / nullif(idx_blks_hit + idx_blks_read, 0), 1) as indexes_percent
from pg_statio_user_tables
order by heap_blks_read + coalesce(idx_blks_read, 0) desc, relname;

comment on view pg_cache_hit is
  'Blocks of each table and its indexes found in shared_buffers, of those that were wanted. Null where none was.';

create function pg_slow_statements()
returns table (
  calls bigint, total_ms numeric, mean_ms numeric, rows_each numeric, cache_percent numeric, query text, note text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
-- The extension may be missing, in another schema, or not loaded by the server: then there is one row that says so.
declare
  v_schema text := (select extnamespace::regnamespace::text from pg_extension where extname = 'pg_stat_statements');
begin
  if v_schema is null then
    return query select null::bigint, null::numeric, null::numeric, null::numeric, null::numeric, null::text,
      'pg_stat_statements is not installed: create extension pg_stat_statements'::text;
    return;
  end if;
  return query execute format(
    'select s.calls, round(s.total_exec_time::numeric, 1), round(s.mean_exec_time::numeric, 2),'
    || ' round(s.rows::numeric / nullif(s.calls, 0), 1),'
    || ' round(100.0 * s.shared_blks_hit / nullif(s.shared_blks_hit + s.shared_blks_read, 0), 1),'
    || ' left(btrim(regexp_replace(regexp_replace(s.query, ''--[^\n]*(\n|$)'', '''', ''g''), ''\s+'', '' '', ''g'')), 400),'
    || ' null::text'
    || ' from %s.pg_stat_statements s join pg_database d on d.oid = s.dbid'
    || ' where d.datname = current_database() and s.query !~* ''password'' order by s.total_exec_time desc limit 50', v_schema);
exception
  when object_not_in_prerequisite_state then
    return query select null::bigint, null::numeric, null::numeric, null::numeric, null::numeric, null::text,
      'pg_stat_statements is not loaded: add it to shared_preload_libraries and restart'::text;
  when insufficient_privilege then
    return query select null::bigint, null::numeric, null::numeric, null::numeric, null::numeric, null::text,
      format('%s may not read pg_stat_statements: grant pg_monitor to it', current_user);
end $$;

comment on function pg_slow_statements() is 'The 50 statements that took most time in all, or one row that says why that is not known.';

-- Waiting -----------------------------------------------------------------------------------------------------------

create view pg_lock_waits with (security_invoker = true) as
select
  w.pid,
  w.usename as "user",
  clock_timestamp() - l.waitstart as waiting_for,
  l.mode || coalesce(' on ' || l.relation::regclass::text, '') as lock,
  left(w.query, 200) as query,
  b.pid as blocked_by,
  b.usename as blocker,
  b.state as blocker_state,
  now() - b.xact_start as blocker_transaction,
  left(b.query, 200) as blocker_query
from pg_locks l
join pg_stat_activity w on w.pid = l.pid
cross join lateral unnest(pg_blocking_pids(l.pid)) as blocking (pid)
left join pg_stat_activity b on b.pid = blocking.pid
where not l.granted
order by l.waitstart;

comment on view pg_lock_waits is 'Who waits for a lock, and who holds it.';

-- Copies of the log: standbys, slots, the archive ---------------------------------------------------------------------

create view pg_replication_lag with (security_invoker = true) as
select
  application_name as standby,
  client_addr::text as address,
  state,
  sync_state,
  pg_wal_lsn_diff(now_at.lsn, sent_lsn)::bigint as unsent_bytes,
  pg_wal_lsn_diff(now_at.lsn, coalesce(replay_lsn, flush_lsn, write_lsn))::bigint as behind_bytes,
  coalesce(replay_lag, flush_lag, write_lag) as behind
from pg_stat_replication
cross join (
  select case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end as lsn) now_at;

comment on view pg_replication_lag is 'Standbys and backups that are connected, and how far each is behind.';

create view pg_slot_retention with (security_invoker = true) as
select
  slot_name,
  slot_type,
  active,
  wal_status,
  pg_wal_lsn_diff(now_at.lsn, restart_lsn)::bigint as kept_bytes,
  safe_wal_size as until_lost_bytes
from pg_replication_slots
cross join (
  select case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end as lsn) now_at;

comment on view pg_slot_retention is 'How much of the log each replication slot keeps from being removed.';

create view pg_archiving_status with (security_invoker = true) as
select
  case
    when current_setting('archive_mode') = 'off' then 'off'
    when current_setting('archive_command') in ('', '(disabled)') and current_setting('archive_library') = ''
      then 'no command'
    when last_failed_time > coalesce(last_archived_time, '-infinity') then 'failing'
    else 'working'
  end as state,
  archived_count as archived,
  last_archived_wal,
  last_archived_time,
  failed_count as failed,
  last_failed_wal,
  last_failed_time
from pg_stat_archiver;

comment on view pg_archiving_status is 'Whether the log is archived: off, no command, failing or working.';

-- Vacuum ------------------------------------------------------------------------------------------------------------

create view pg_vacuum_status with (security_invoker = true) as
select
  s.relname as table_name,
  s.n_dead_tup as dead_rows,
  -- PostgreSQL 18 has an upper limit of its own.
  least(
    o.threshold + o.scale * greatest(c.reltuples, 0),
    nullif(current_setting('autovacuum_vacuum_max_threshold', true)::bigint, -1))::bigint as vacuumed_at,
  greatest(s.last_vacuum, s.last_autovacuum) as last_vacuum,
  greatest(s.last_analyze, s.last_autoanalyze) as last_analyze,
  s.n_mod_since_analyze as changed_since_analyze,
  age(c.relfrozenxid) as transaction_age,
  o.enabled and current_setting('autovacuum')::boolean as autovacuum
from pg_stat_user_tables s
join pg_class c on c.oid = s.relid
cross join lateral (
  select
    coalesce(max(option_value) filter (where option_name = 'autovacuum_vacuum_threshold'),
      current_setting('autovacuum_vacuum_threshold'))::float as threshold,
    coalesce(max(option_value) filter (where option_name = 'autovacuum_vacuum_scale_factor'),
      current_setting('autovacuum_vacuum_scale_factor'))::float as scale,
    coalesce(max(option_value) filter (where option_name = 'autovacuum_enabled'), 'on')::boolean as enabled
  from pg_options_to_table(c.reloptions)) o
order by s.n_dead_tup desc, s.relname;

comment on view pg_vacuum_status is 'Dead rows of each table, at how many autovacuum begins, and when it was there last.';

create view pg_wraparound with (security_invoker = true) as
select
  datname as database,
  age(datfrozenxid) as transaction_age,
  mxid_age(datminmxid) as multixact_age,
  round(100.0 * greatest(age(datfrozenxid), mxid_age(datminmxid)) / 2147483648, 1) as used_percent
from pg_database
order by used_percent desc, datname;

comment on view pg_wraparound is 'How much of the two thousand million transaction numbers each database has used since it was frozen.';

-- Tenants: for the operator only ------------------------------------------------------------------------------------

create function email_tenant_sizes()
returns table (tenant text, accounts bigint, messages bigint, mail_bytes numeric, stored_bytes numeric)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
-- Row security binds the owner too, so that each tenant is looked at by itself; then the caller's setting is back.
declare
  v_tenant record;
  v_before text := coalesce(current_setting('app.current_tenant_id', true), '');
begin
  for v_tenant in select t.tenant_id, t.name from public.email_tenants t order by t.name loop
    perform set_config('app.current_tenant_id', v_tenant.tenant_id::text, true);
    return query select v_tenant.name,
      (select count(*) from public.email_accounts a where a.tenant_id = v_tenant.tenant_id and not a.is_deleted),
      m.messages, m.mail_bytes,
      (select coalesce(sum(b.stored_bytes), 0) from public.email_blobs b where b.tenant_id = v_tenant.tenant_id)
    from (select count(*) as messages, coalesce(sum(e.size_bytes), 0) as mail_bytes
            from public.email_messages e where e.tenant_id = v_tenant.tenant_id) m;
  end loop;
  perform set_config('app.current_tenant_id', v_before, true);
end $$;

comment on function email_tenant_sizes() is 'What each tenant has. No login of the application may ask.';

-- Grants: for who watches the server, and for nobody else -----------------------------------------------------------------

revoke all on pg_connection_stats, pg_long_queries, pg_index_use, pg_unused_indexes, pg_duplicate_indexes, pg_cache_hit,
  pg_lock_waits, pg_replication_lag, pg_slot_retention, pg_archiving_status, pg_vacuum_status, pg_wraparound from public;
revoke all on function pg_table_bloat_status(), pg_slow_statements(), email_tenant_sizes() from public;
grant select on pg_connection_stats, pg_long_queries, pg_index_use, pg_unused_indexes, pg_duplicate_indexes, pg_cache_hit,
  pg_lock_waits, pg_replication_lag, pg_slot_retention, pg_archiving_status, pg_vacuum_status, pg_wraparound to pg_monitor;
grant execute on function pg_table_bloat_status(), pg_slow_statements() to pg_monitor;
reset role;
grant usage on schema public to pg_monitor;

do $$
declare
  wanted record;
begin
  -- What a statement took, and how many rows it touched, tells of other tenants: it is no business of the application.
  for wanted in
    select format('%s %s', case when d.classid = 'pg_proc'::regclass then 'function' else 'table' end,
      case when d.classid = 'pg_proc'::regclass then d.objid::regprocedure::text else d.objid::regclass::text end) as name,
      case when d.classid = 'pg_proc'::regclass then 'execute' else 'select' end as may,
      coalesce(p.proname, '') like '%reset' as is_reset
    from pg_depend d
    join pg_extension e on e.oid = d.refobjid and e.extname = 'pg_stat_statements'
    left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
    left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
    where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and coalesce(c.oid, p.oid) is not null
  loop
    execute format('revoke all on %s from public', wanted.name);
    if not wanted.is_reset then
      execute format('grant %s on %s to pg_monitor', wanted.may, wanted.name);
    end if;
  end loop;
exception when insufficient_privilege then
  raise notice 'pg_stat_statements belongs to somebody else and stays as it is: %', sqlerrm;
end $$;
