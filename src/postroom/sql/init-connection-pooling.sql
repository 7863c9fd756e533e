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

revoke all on pg_connection_stats, pg_long_queries from public;
revoke all on function pg_table_bloat_status() from public;
grant select on pg_connection_stats, pg_long_queries to email_monitor;
grant execute on function pg_table_bloat_status() to email_monitor;
reset role;
