-- Moves: a tenant comes, or goes. What is kept of it names nobody: a hash stands for the tenant.

-- name: begin
insert into email_moves (tenant_key, kind, begun_at)
values (sha256(uuid_send(%(tenant_id)s::uuid)), %(kind)s, %(begun_at)s)

-- name: note
-- How far it has come; at the end, when that was.
update email_moves
set tally = %(tally)s::jsonb, finished_at = %(finished_at)s
where tenant_key = sha256(uuid_send(%(tenant_id)s::uuid))
  and kind = %(kind)s
  and begun_at = %(begun_at)s

-- name: under_way
-- An erasure that was begun and is not done. Two at once wait for each other.
select begun_at, tally
from email_moves
where tenant_key = sha256(uuid_send(%(tenant_id)s::uuid))
  and kind = 'erase'
  and finished_at is null
order by begun_at
limit 1
for update

-- name: alone
-- Whether nobody else brings this tenant in or erases it until the transaction ends.
select pg_try_advisory_xact_lock(hashtextextended('postroom.move.' || %(tenant_id)s::text, 0)) as alone

-- name: in_turn
-- The same, when whoever is at it has ended.
select pg_advisory_xact_lock(hashtextextended('postroom.move.' || %(tenant_id)s::text, 0))

-- name: tenant
select name
from email_tenants
where tenant_id = %(tenant_id)s

-- name: shut
-- The door is shut for good: nobody comes in, and nothing is held any more.
update email_tenants
set erasing_at = %(at)s
where tenant_id = %(tenant_id)s
  and erasing_at is null

-- name: ended
-- Whether the erasure that was begun then is done.
select finished_at is not null as is_ended
from email_moves
where tenant_key = sha256(uuid_send(%(tenant_id)s::uuid))
  and kind = 'erase'
  and begun_at = %(begun_at)s

-- name: stop
-- Nothing is brought in any more.
update email_accounts
set is_enabled = false, is_sync_enabled = false
where tenant_id = %(tenant_id)s
  and (is_enabled or is_sync_enabled)

-- name: blobs_after
-- The blobs of a tenant in the order of their hashes, a page at a time, without their bytes.
select sha256, size_bytes, stored_bytes, pieces, codec, storage_type, storage_path, created_at
from email_blobs
where tenant_id = %(tenant_id)s
  and sha256 > %(after_sha256)s
order by sha256
limit %(limit)s

-- name: date_blobs
-- When the bytes first came to the tenant, wherever that was.
update email_blobs b
set created_at = given.created_at
from unnest(%(sha256s)s::bytea[], %(created_ats)s::bigint[]) as given (sha256, created_at)
where b.tenant_id = %(tenant_id)s
  and b.sha256 = given.sha256

-- name: remove_blobs
delete from email_blobs
where tenant_id = %(tenant_id)s
  and sha256 = any (%(sha256s)s::bytea[])

-- name: place_attachments
-- Attachments say where their bytes lie here.
update email_attachments a
set storage_type = b.storage_type, storage_path = b.storage_path
from email_blobs b
where a.tenant_id = %(tenant_id)s
  and b.tenant_id = a.tenant_id
  and b.sha256 = a.blob_hash
  and b.storage_path is not null

-- name: recount
-- Folders came with their counters, and then the triggers counted what was laid into them.
with truth as (
  select f.id, f.total_count, f.unread_count, count(p.uid) as total, count(p.uid) filter (where not p.is_read) as unread
  from email_folders f
  left join email_placements p on p.tenant_id = f.tenant_id and p.folder_id = f.id and p.vanished_at is null
    and not p.is_hidden
  where f.tenant_id = %(tenant_id)s
  group by f.tenant_id, f.id
), counted as (
  update email_folders f
  set total_count = t.total, unread_count = t.unread
  from truth t
  where f.tenant_id = %(tenant_id)s
    and f.id = t.id
  returning f.id
)
select count(*) as mended
from truth t
join counted c on c.id = t.id
where t.total_count <> 2 * t.total
   or t.unread_count <> 2 * t.unread
