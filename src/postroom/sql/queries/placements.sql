-- Placements: this message lies in this folder under this UID.

-- name: insert
-- What is there already stays as it is. Gives the messages that are newly placed.
insert into email_placements
  (tenant_id, folder_id, uidvalidity, uid, message_id, flags, keywords, internal_date, created_at, updated_at)
select %(tenant_id)s, n.folder_id, n.uidvalidity, n.uid, n.message_id, n.flags::text[], n.keywords::text[],
  n.internal_date, %(at)s, %(at)s
from unnest(
  %(folder_ids)b::uuid[], %(uidvalidities)b::bigint[], %(uids)b::bigint[], %(message_ids)b::uuid[], %(flags)b::text[],
  %(keywords)b::text[], %(internal_dates)b::bigint[]
) as n (folder_id, uidvalidity, uid, message_id, flags, keywords, internal_date)
on conflict (tenant_id, folder_id, uidvalidity, uid) do nothing
returning message_id, folder_id, uid

-- name: living
-- What we believe lies in the folder.
select uid, flags || keywords as words
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s
  and vanished_at is null

-- name: taken
-- What ever came in under this numbering, and when: also what was let go since.
select uid, created_at
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s

-- name: of_message
select f.name, p.uid, p.flags, p.keywords
from email_placements p
join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id
where p.tenant_id = %(tenant_id)s
  and p.message_id = %(message_id)s
  and p.vanished_at is null
order by f.name, p.uid

-- name: placed
-- Which of these messages lie in which of these folders.
select message_id, folder_id
from email_placements
where tenant_id = %(tenant_id)s
  and message_id = any (%(message_ids)s::uuid[])
  and folder_id = any (%(folder_ids)s::uuid[])
  and vanished_at is null

-- name: next_uid
select coalesce(max(uid), 0) + 1 as uid
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s

-- name: unread
select uid, message_id
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and not is_read
  and vanished_at is null
order by uid

-- name: vanished
-- What the server let go since a time.
select uid, message_id, vanished_at
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and vanished_at >= %(since)s

-- name: forget
-- The server no longer has these here. The rows stay, with the time.
update email_placements
set vanished_at = %(at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s
  and uid = any (%(uids)s::bigint[])
  and vanished_at is null
returning message_id

-- name: forget_generation
-- The server renumbered the folder: every UID of the old numbering is void.
update email_placements
set vanished_at = %(at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity <> %(uidvalidity)s
  and vanished_at is null
returning message_id

-- name: reflag
update email_placements p
set flags = n.flags::text[], keywords = n.keywords::text[], updated_at = %(at)s
from unnest(%(uids)b::bigint[], %(flags)b::text[], %(keywords)b::text[]) as n (uid, flags, keywords)
where p.tenant_id = %(tenant_id)s
  and p.folder_id = %(folder_id)s
  and p.uidvalidity = %(uidvalidity)s
  and p.uid = n.uid
  and p.vanished_at is null
returning p.message_id

-- name: release_uids
-- First half of `settle`: no message may hold a UID that another is about to get.
update email_messages
set imap_uid = null
where tenant_id = %(tenant_id)s
  and id = any (%(message_ids)s::uuid[])
  and imap_uid is not null

-- name: settle
-- What a message says of itself follows from its living placements: the first names folder and UID; a message
-- without any is deleted. Gives which are deleted, and which were before.
with lies as (
  select distinct on (p.message_id) p.message_id, p.folder_id, p.uid,
    bool_or(p.is_read) over each_message as is_read,
    bool_or('\Flagged' = any (p.flags)) over each_message as is_flagged,
    bool_or('\Draft' = any (p.flags)) over each_message as is_draft
  from email_placements p
  where p.tenant_id = %(tenant_id)s
    and p.message_id = any (%(message_ids)s::uuid[])
    and p.vanished_at is null
  window each_message as (partition by p.message_id)
  order by p.message_id, p.created_at, p.folder_id, p.uid
)
update email_messages m
set folder_id = coalesce(l.folder_id, m.folder_id), imap_uid = l.uid::text,
  is_read = coalesce(l.is_read, m.is_read), is_flagged = coalesce(l.is_flagged, m.is_flagged),
  is_draft = coalesce(l.is_draft, m.is_draft), is_deleted = l.message_id is null,
  deleted_at = case when l.message_id is null then coalesce(m.deleted_at, %(at)s) end, updated_at = %(at)s
from email_messages w
left join lies l on l.message_id = w.id
where w.tenant_id = %(tenant_id)s
  and w.id = any (%(message_ids)s::uuid[])
  and m.tenant_id = %(tenant_id)s
  and m.id = w.id
returning m.id, m.is_deleted, w.is_deleted as was_deleted
