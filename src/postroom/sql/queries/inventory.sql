-- Inventory: what lies in a folder, to be held against the server and against itself.

-- name: of_folder
-- The living placements of a folder by UID, a page at a time, each with what its message says of itself and what its
-- rows must bear out. `is_settled`: what the message says agrees with all the places where it lies. Of each row that must
-- be there the first is looked for: for `exists` all of the tenant's would be read and hashed. Those that were removed here
-- are among them: the server has them still.
select p.uid, p.flags || p.keywords as words, m.id, m.size_bytes, m.received_at, m.content_hash, m.raw_blob, m.raw_recipe,
  m.is_deleted = (l.is_read is null) and (m.is_deleted or (m.is_read, m.is_flagged, m.is_draft)
    = (l.is_read, l.is_flagged, l.is_draft)) as is_settled,
  m.has_attachments,
  coalesce((
    select array_agg(a.blob_hash) from email_attachments a
    where a.tenant_id = m.tenant_id and a.message_id = m.id and a.is_deleted = m.is_deleted), '{}') as attachment_blobs,
  (select true from email_search_entries s
    where s.tenant_id = m.tenant_id and s.message_id = m.id limit 1) is not null as is_findable,
  m."from" = '' or (select true from email_addresses a
    where a.tenant_id = m.tenant_id and a.message_id = m.id and a.role = 'from' limit 1) is not null as has_sender
from email_placements p
join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
cross join lateral (
  select bool_or(o.is_read) as is_read, bool_or('\Flagged' = any (o.flags)) as is_flagged,
    bool_or('\Draft' = any (o.flags)) as is_draft
  from email_placements o
  where o.tenant_id = m.tenant_id
    and o.message_id = m.id
    and o.vanished_at is null
    and not o.is_hidden
) l
where p.tenant_id = %(tenant_id)s
  and p.folder_id = %(folder_id)s
  and p.uidvalidity = %(uidvalidity)s
  and p.uid > %(after_uid)s
  and p.vanished_at is null
order by p.uid
limit %(limit)s

-- name: rows_of
-- Which rows of a message are there: the positions of its attachments, the places of its addresses.
select coalesce((
    select array_agg(a.position) from email_attachments a
    where a.tenant_id = m.tenant_id and a.message_id = m.id), '{}') as attachments,
  coalesce((
    select array_agg(a.role || ' ' || a.position) from email_addresses a
    where a.tenant_id = m.tenant_id and a.message_id = m.id), '{}') as addresses,
  exists (
    select from email_search_entries s
    where s.tenant_id = m.tenant_id and s.message_id = m.id) as is_findable
from email_messages m
where m.tenant_id = %(tenant_id)s
  and m.id = %(message_id)s
