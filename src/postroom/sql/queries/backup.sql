-- Backups: what is counted before and after, and what a restored server is asked.

-- name: identity
select
  (select system_identifier::text from pg_control_system()) as system_identifier,
  current_setting('server_version') as server,
  current_setting('archive_mode') <> 'off' as archives,
  (select sum(pg_database_size(oid))::bigint from pg_database) as size_bytes

-- name: snapshot
-- For a dump: what pg_dump is to see as well.
select pg_export_snapshot() as snapshot, current_setting('server_version') as server

-- name: tables
-- Every table that holds rows of ours.
select c.relname::text as name
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p')
  and not c.relispartition
  and c.relname like 'email%%'
order by c.relname

-- name: unguarded_tables
-- Tables of tenants that do not force row security, or have no policy for it.
select c.relname::text as name
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p')
  and not c.relispartition
  and c.relname like 'email%%'
  and exists (
    select from pg_attribute a
    where a.attrelid = c.oid
      and a.attname = 'tenant_id'
      and not a.attisdropped)
  and not (c.relrowsecurity and c.relforcerowsecurity and exists (
    select from pg_policy p
    where p.polrelid = c.oid
      and p.polname = c.relname || '_tenant_policy'))
  and c.relname <> all (%(exempt)s)
order by c.relname

-- name: sample
-- Messages here and there, each with what its bytes are put together from.
select tenant_id, id, content_hash, raw_blob, raw_recipe
from email_messages
where raw_blob is not null
order by md5(id::text || %(seed)s)
limit %(count)s

-- name: position
select pg_current_wal_lsn()::text as lsn, pg_walfile_name(pg_current_wal_lsn()) as segment, clock_timestamp() as now

-- name: end_segment
-- A commit and a new file of the log: what was done until now, and that it was until now, goes to the archive.
select pg_current_xact_id()::text as xid, pg_walfile_name(pg_current_wal_lsn()) as segment

-- name: switch
select pg_switch_wal()::text as lsn

-- name: archived
select coalesce(last_archived_wal, '') as segment, failed_count as failed, coalesce(last_failed_wal, '') as failed_segment
from pg_stat_archiver

-- name: keep_log
-- As long as this session lasts, the log from here on is kept for it.
select lsn::text
from pg_create_physical_replication_slot('postroom_backup_' || pg_backend_pid(), true, true)

-- name: restore_point
select pg_create_restore_point(%(name)s)::text as lsn

-- name: move_objects
-- The objects of a restored store lie in another folder.
update email_blobs
set storage_type = 'local',
  storage_path = %(new)s || substr(storage_path, length(%(old)s::text) + 1)
where storage_path like %(pattern)s

-- name: move_objects_back
-- The objects of a restored store lie in their bucket, where they always did.
update email_blobs
set storage_type = 's3',
  storage_path = %(old)s || substr(storage_path, length(%(new)s::text) + 1)
where storage_type = 'local'
  and left(storage_path, length(%(new)s::text)) = %(new)s

-- name: objects_by_tenant
select tenant_id, sha256, codec, storage_type, storage_path
from email_blobs
where storage_path is not null
