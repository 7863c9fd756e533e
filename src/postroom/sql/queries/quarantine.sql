-- Quarantine: mail that a source has and could not give.

-- name: report
-- The same trouble again is the same row.
insert into email_quarantine
  (tenant_id, id, account_id, folder_name, origin, uidvalidity, uid, reason, raw_blob, created_at, updated_at,
  resolved_at, vanished_at)
select %(tenant_id)s, n.id, %(account_id)s, n.folder_name, n.origin, n.uidvalidity, n.uid, n.reason, n.raw_blob,
  %(at)s, %(at)s, %(gone_at)s, %(gone_at)s
from unnest(
  %(ids)b::uuid[], %(folder_names)b::text[], %(origins)b::text[], %(uidvalidities)b::bigint[], %(uids)b::bigint[],
  %(reasons)b::text[], %(raw_blobs)b::bytea[]
) as n (id, folder_name, origin, uidvalidity, uid, reason, raw_blob)
on conflict (tenant_id, account_id, folder_name, origin)
  do update set uidvalidity = excluded.uidvalidity, uid = excluded.uid, reason = excluded.reason,
    raw_blob = coalesce(excluded.raw_blob, email_quarantine.raw_blob), updated_at = excluded.updated_at,
    resolved_at = excluded.resolved_at, vanished_at = excluded.vanished_at

-- name: resolve
-- What could be read after all.
update email_quarantine
set resolved_at = %(at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and folder_name = %(folder_name)s
  and origin = any (%(origins)s::text[])
  and resolved_at is null

-- name: resolve_uids
-- What could be read after all, by its number on the server.
update email_quarantine
set resolved_at = %(at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and folder_name = %(folder_name)s
  and uidvalidity = %(uidvalidity)s
  and uid = any (%(uids)s::bigint[])
  and resolved_at is null

-- name: let_go
-- What the server no longer has in this folder: it can be read no more. Without `uids`: all of it.
update email_quarantine
set resolved_at = %(at)s, vanished_at = %(at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and folder_name = %(folder_name)s
  and uid is not null
  and (%(uidvalidity)s::bigint is null or uidvalidity <> %(uidvalidity)s or uid <> all (%(uids)s::bigint[]))
  and resolved_at is null

-- name: rename_folder
update email_quarantine
set folder_name = %(name)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and folder_name = %(folder_name)s

-- name: open
select account_id, folder_name, origin, reason, created_at
from email_quarantine
where tenant_id = %(tenant_id)s
  and resolved_at is null
order by created_at

-- name: uids
-- The UIDs of a folder that could not be had: they are tried again, and are not missing.
select origin, uidvalidity, uid
from email_quarantine
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and folder_name = %(folder_name)s
  and resolved_at is null
