-- Ops: what an administrator asks of the whole server. No login of the application may.

-- name: audit_between
-- Everything that was done between two times, by anybody.
select tenant_id, at, actor_role, user_id, action, object_type, object_id, before, after
from email_audit_log
where at >= %(since)s
  and at < %(before)s
order by at

-- name: connections
select database, "user", state, connections, waiting_for_locks, longest_idle, longest_transaction
from pg_connection_stats
order by connections desc, database, "user", state

-- name: long_queries
select pid, "user", database, state, running_for, wait_event, query
from pg_long_queries

-- name: lock_waits
select pid, "user", waiting_for, lock, query, blocked_by, blocker, blocker_state, blocker_transaction, blocker_query
from pg_lock_waits

-- name: slow_statements
select calls, total_ms, mean_ms, rows_each, cache_percent, query, note
from pg_slow_statements()

-- name: tables
select table_name, live_rows, dead_rows, dead_percent, total_bytes, advice
from pg_table_bloat_status()

-- name: vacuum
select table_name, dead_rows, vacuumed_at, last_vacuum, last_analyze, changed_since_analyze, transaction_age, autovacuum
from pg_vacuum_status

-- name: wraparound
select database, transaction_age, multixact_age, used_percent
from pg_wraparound

-- name: cache
select table_name, from_memory, from_disk, rows_percent, indexes_percent
from pg_cache_hit

-- name: indexes
select table_name, index_name, scans, last_scan, entries_read, size_bytes, is_valid
from pg_index_use

-- name: unused_indexes
select table_name, index_name, size_bytes, counted_since
from pg_unused_indexes

-- name: duplicate_indexes
select table_name, index_name, covered_by, how, size_bytes
from pg_duplicate_indexes

-- name: replication
select standby, address, state, sync_state, unsent_bytes, behind_bytes, behind
from pg_replication_lag

-- name: slots
select slot_name, slot_type, active, wal_status, kept_bytes, until_lost_bytes
from pg_slot_retention

-- name: archiving
select state, archived, last_archived_wal, last_archived_time, failed, last_failed_wal, last_failed_time
from pg_archiving_status

-- name: tenant_sizes
select tenant, accounts, messages, mail_bytes, stored_bytes
from email_tenant_sizes()
order by mail_bytes desc, tenant

-- name: end_idle
-- End the sessions of clients that have done nothing in this database for so long, in a transaction or out of one.
-- What serves a standby is no client backend.
select pid, usename as "user", application_name as program, client_addr::text as address, state,
  now() - state_change as idle_for, pg_terminate_backend(pid) as ended
from pg_stat_activity
where backend_type = 'client backend'
  and datname = current_database()
  and pid <> pg_backend_pid()
  and state in ('idle', 'idle in transaction', 'idle in transaction (aborted)')
  and state_change < now() - make_interval(secs => %(seconds)s)
order by state_change
