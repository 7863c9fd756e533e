-- Quarantine: mail that a source has and could not give.

-- name: report
-- The same trouble again is the same row.
insert into email_quarantine (tenant_id, id, account_id, folder_name, origin, reason, raw_blob, created_at, updated_at)
select %(tenant_id)s, n.id, %(account_id)s, n.folder_name, n.origin, n.reason, n.raw_blob, %(at)s, %(at)s
from unnest(%(ids)b::uuid[], %(folder_names)b::text[], %(origins)b::text[], %(reasons)b::text[], %(raw_blobs)b::bytea[])
  as n (id, folder_name, origin, reason, raw_blob)
on conflict (tenant_id, account_id, folder_name, origin)
  do update set reason = excluded.reason, raw_blob = coalesce(excluded.raw_blob, email_quarantine.raw_blob),
    updated_at = excluded.updated_at, resolved_at = null

-- name: resolve
-- What could be read after all.
update email_quarantine
set resolved_at = %(at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and folder_name = %(folder_name)s
  and origin = any (%(origins)s::text[])
  and resolved_at is null

-- name: open
select account_id, folder_name, origin, reason, created_at
from email_quarantine
where tenant_id = %(tenant_id)s
  and resolved_at is null
order by created_at

-- name: uids
-- The UIDs of a folder that could not be had: they are tried again, and are not missing.
select origin
from email_quarantine
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and folder_name = %(folder_name)s
  and resolved_at is null
