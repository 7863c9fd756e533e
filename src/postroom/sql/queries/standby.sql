-- Standbys: what a server says of its place among the others, and what makes it take another one.

-- name: state
-- Of a primary or a standby. The log: how far it is written, or how far it has come in.
select
  pg_is_in_recovery() as is_standby,
  (select system_identifier::text from pg_control_system()) as system_identifier,
  case
    when pg_is_in_recovery() then coalesce(
      (select received_tli from pg_stat_wal_receiver), (select timeline_id from pg_control_checkpoint()))
    else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
  end as timeline,
  case
    when pg_is_in_recovery() then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    else pg_current_wal_lsn()
  end::text as lsn,
  pg_last_wal_replay_lsn()::text as replayed,
  extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8 as replayed_seconds_ago,
  (select status from pg_stat_wal_receiver) as receiving,
  current_setting('server_version') as version

-- name: followers
-- Who follows this primary, and how far each has come.
select
  application_name as name,
  state,
  sync_state,
  pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint as behind_bytes,
  coalesce(extract(epoch from replay_lag), 0)::float8 as behind_seconds
from pg_stat_replication
where state in ('streaming', 'catchup')
order by application_name

-- name: slots
select
  slot_name::text as slot,
  active,
  wal_status,
  pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint as kept_bytes
from pg_replication_slots
where slot_type = 'physical'
  and not temporary

-- name: floors
-- Of these a standby must not have less than its primary, or it takes no readers.
select name, setting
from pg_settings
where name in ('max_connections', 'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions',
  'max_locks_per_transaction')

-- name: make_slot
-- Nothing where it is there.
select pg_create_physical_replication_slot(%(slot)s, true)::text as made
where not exists (
  select from pg_replication_slots where slot_name = %(slot)s)

-- name: send_reader_away
-- Nothing where nobody reads it.
select pg_terminate_backend(active_pid, 5000) as ended, slot_name::text as slot
from pg_replication_slots
where slot_name = %(slot)s
  and active

-- name: drop_idle_slot
select pg_drop_replication_slot(slot_name)::text as dropped
from pg_replication_slots
where slot_name = %(slot)s
  and not active

-- name: reload
select pg_reload_conf() as reloaded

-- name: promote
select pg_promote(true, %(seconds)s) as promoted

-- name: write
-- A transaction that gets a number has been written.
select pg_current_xact_id()::text as xid

-- name: now_synchronous
-- Whether the server's own processes have read who must confirm.
select current_setting('synchronous_standby_names') as names
