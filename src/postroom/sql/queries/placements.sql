-- Placements: this message lies in this folder under this UID.

-- name: insert
-- What is there already stays as it is; what the server had let go and shows again comes back. Gives the messages that
-- are newly placed.
insert into email_placements
  (tenant_id, folder_id, uidvalidity, uid, message_id, flags, keywords, internal_date, object_id, created_at, updated_at)
select %(tenant_id)s, n.folder_id, n.uidvalidity, n.uid, n.message_id, n.flags::text[], n.keywords::text[],
  n.internal_date, n.object_id, %(at)s, %(at)s
from unnest(
  %(folder_ids)b::uuid[], %(uidvalidities)b::bigint[], %(uids)b::bigint[], %(message_ids)b::uuid[], %(flags)b::text[],
  %(keywords)b::text[], %(internal_dates)b::bigint[], %(object_ids)b::text[]
) as n (folder_id, uidvalidity, uid, message_id, flags, keywords, internal_date, object_id)
on conflict (tenant_id, folder_id, uidvalidity, uid)
  do update set vanished_at = null, message_id = excluded.message_id, flags = excluded.flags,
    keywords = excluded.keywords, internal_date = excluded.internal_date, object_id = excluded.object_id,
    is_hidden = false, updated_at = excluded.updated_at
  where email_placements.vanished_at is not null
returning message_id, folder_id, uid

-- name: add
-- Places that nothing has yet.
insert into email_placements
  (tenant_id, folder_id, uidvalidity, uid, message_id, flags, keywords, internal_date, object_id, created_at, updated_at)
select %(tenant_id)s, n.folder_id, n.uidvalidity, n.uid, n.message_id, n.flags::text[], n.keywords::text[],
  n.internal_date, n.object_id, %(at)s, %(at)s
from unnest(
  %(folder_ids)b::uuid[], %(uidvalidities)b::bigint[], %(uids)b::bigint[], %(message_ids)b::uuid[], %(flags)b::text[],
  %(keywords)b::text[], %(internal_dates)b::bigint[], %(object_ids)b::text[]
) as n (folder_id, uidvalidity, uid, message_id, flags, keywords, internal_date, object_id)

-- name: living
-- What we believe lies in the folder, with what was removed or purged here and is still there. What was put there here
-- and has no UID yet is not among it: the server does not know of it.
select uid, flags || keywords as words
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s
  and uid > 0
  and vanished_at is null
union all
select uid, null
from email_purged_uids
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s

-- name: taken
-- What ever came in under this numbering, and when, or when it was purged: also what was let go since.
select uid, created_at
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s
union all
select uid, at
from email_purged_uids
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s

-- name: of_message
select f.name, case when p.uid > 0 then p.uid end as uid, p.flags, p.keywords
from email_placements p
join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id
where p.tenant_id = %(tenant_id)s
  and p.message_id = %(message_id)s
  and p.vanished_at is null
  and (not p.is_hidden or exists (
    select from email_messages m
    where m.tenant_id = p.tenant_id and m.id = p.message_id and m.removed_at is not null))
order by f.name, p.uid

-- name: by_object
-- The messages of an account that the server calls so, with their sizes.
select distinct on (p.object_id) p.object_id, p.message_id, m.size_bytes
from email_placements p
join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
where p.tenant_id = %(tenant_id)s
  and p.object_id = any (%(object_ids)s::text[])
  and m.account_id = %(account_id)s

-- name: ever
-- Which of these UIDs were ever stored.
select uid
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s
  and uid = any (%(uids)s::bigint[])
union all
select uid
from email_purged_uids
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s
  and uid = any (%(uids)s::bigint[])

-- name: purged
-- What was purged here and is still on the server.
select uid
from email_purged_uids
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s

-- name: count_listed
-- How many messages the server must have in the folder, by what we know: those too that were removed or purged here.
select (
    select count(*) from email_placements
    where tenant_id = %(tenant_id)s and folder_id = %(folder_id)s and uidvalidity = %(uidvalidity)s and uid > 0
      and vanished_at is null
  ) + (
    select count(*) from email_purged_uids
    where tenant_id = %(tenant_id)s and folder_id = %(folder_id)s and uidvalidity = %(uidvalidity)s
  ) as listed

-- name: marks
-- What tells whether these UIDs mean the same messages in another folder.
select p.uid, p.message_id, p.internal_date, m.size_bytes
from email_placements p
join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
where p.tenant_id = %(tenant_id)s
  and p.folder_id = %(folder_id)s
  and p.uidvalidity = %(uidvalidity)s
  and p.uid = any (%(uids)s::bigint[])
  and p.vanished_at is null

-- name: placed
-- Which of these messages lie in which of these folders.
select message_id, folder_id
from email_placements
where tenant_id = %(tenant_id)s
  and message_id = any (%(message_ids)s::uuid[])
  and folder_id = any (%(folder_ids)s::uuid[])
  and vanished_at is null

-- name: next_below
-- The first number that stands in a folder for a UID which its server is yet to give.
select least(coalesce(min(uid), 0), 0) - 1 as uid
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = 0

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
  and not is_hidden
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

-- name: forget_purged
delete from email_purged_uids
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s
  and uid = any (%(uids)s::bigint[])

-- name: forget_purged_otherwise
-- The same of a folder that was renumbered or is gone. Without `uidvalidity`: all of it.
delete from email_purged_uids
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and (%(uidvalidity)s::bigint is null or uidvalidity <> %(uidvalidity)s)

-- name: forget_generation
-- The server renumbered the folder: every UID of the old numbering is void.
update email_placements
set vanished_at = %(at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity <> %(uidvalidity)s
  and uid > 0
  and vanished_at is null
returning message_id

-- name: forget_folder
-- The server no longer has the folder.
update email_placements
set vanished_at = %(at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
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

-- name: hide
-- The server may have a message that was removed here, and may bring it into another folder: it stays removed. So it does
-- where it was taken out of a folder and the server, not told of it yet, has given it another number there.
update email_placements p
set is_hidden = true, updated_at = %(at)s
from email_messages m
where p.tenant_id = %(tenant_id)s
  and p.message_id = any (%(message_ids)s::uuid[])
  and p.vanished_at is null
  and not p.is_hidden
  and m.tenant_id = %(tenant_id)s
  and m.id = p.message_id
  and (m.removed_at is not null or (p.uid > 0 and exists (
    select from email_intents i
    where i.tenant_id = p.tenant_id and i.message_id = p.message_id and i.folder_id = p.folder_id
      and i.kind in ('move', 'expunge') and i.state <> 'refused' and i.uid > 0
      and (i.uidvalidity <> p.uidvalidity or i.uid = p.uid))))

-- name: unhide
-- What was hidden when its message was removed. What had been taken out of its folder before stays out of it, and so does
-- what the server is about to take out.
update email_placements p
set is_hidden = false, updated_at = %(at)s
from email_messages m
where p.tenant_id = %(tenant_id)s
  and p.message_id = any (%(message_ids)s::uuid[])
  and p.is_hidden
  and p.updated_at >= m.removed_at
  and m.tenant_id = %(tenant_id)s
  and m.id = p.message_id
  and not exists (
    select from email_intents i
    where i.tenant_id = p.tenant_id and i.message_id = p.message_id and i.kind in ('move', 'expunge')
      and i.state <> 'refused'
      and (i.folder_id, i.uidvalidity, i.uid) = (p.folder_id, p.uidvalidity, p.uid))

-- name: overlay
-- What a server says of flags gives way to what was changed here and it was not told yet: the last word on each flag.
with said as (
  select distinct on (p.folder_id, p.uidvalidity, p.uid, w.word) p.folder_id, p.uidvalidity, p.uid, w.word, w.is_wanted
  from email_intents i
  join email_placements p on p.tenant_id = i.tenant_id and p.message_id = i.message_id and p.folder_id = i.folder_id
    and p.vanished_at is null and (i.uid = p.uid or (i.uidvalidity <> p.uidvalidity and i.uid > 0 and p.uid > 0))
  cross join lateral (
    select a.word, true from unnest(i.added) a (word)
    union all
    select r.word, false from unnest(i.removed) r (word)) w (word, is_wanted)
  where i.tenant_id = %(tenant_id)s
    and i.message_id = any (%(message_ids)s::uuid[])
    and i.kind = 'mark'
    and i.state <> 'refused'
  order by p.folder_id, p.uidvalidity, p.uid, w.word, i.sequence desc
), meant as (
  select folder_id, uidvalidity, uid,
    coalesce(array_agg(word) filter (where is_wanted), '{}') as added,
    coalesce(array_agg(word) filter (where not is_wanted), '{}') as removed
  from said
  group by folder_id, uidvalidity, uid
), become as (
  select p.folder_id, p.uidvalidity, p.uid,
    array(select distinct word from unnest(p.flags || p.keywords || m.added) word
      where word <> all (m.removed) order by word) as words
  from meant m
  join email_placements p on p.tenant_id = %(tenant_id)s and p.folder_id = m.folder_id
    and p.uidvalidity = m.uidvalidity and p.uid = m.uid
  where not (p.flags || p.keywords @> m.added) or p.flags || p.keywords && m.removed
)
update email_placements p
set flags = array(select word from unnest(b.words) word where starts_with(word, '\')),
  keywords = array(select word from unnest(b.words) word where not starts_with(word, '\')), updated_at = %(at)s
from become b
where p.tenant_id = %(tenant_id)s
  and p.folder_id = b.folder_id
  and p.uidvalidity = b.uidvalidity
  and p.uid = b.uid

-- name: set_words
update email_placements p
set flags = n.flags::text[], keywords = n.keywords::text[], updated_at = %(at)s
from unnest(%(folder_ids)b::uuid[], %(uidvalidities)b::bigint[], %(uids)b::bigint[], %(flags)b::text[],
  %(keywords)b::text[]) as n (folder_id, uidvalidity, uid, flags, keywords)
where p.tenant_id = %(tenant_id)s
  and p.folder_id = n.folder_id
  and p.uidvalidity = n.uidvalidity
  and p.uid = n.uid

-- name: set_hidden
-- Out of its folder here, where the server may have it still, or back in it.
update email_placements p
set is_hidden = %(is_hidden)s, updated_at = %(at)s
from unnest(%(folder_ids)b::uuid[], %(uidvalidities)b::bigint[], %(uids)b::bigint[]) as n (folder_id, uidvalidity, uid)
where p.tenant_id = %(tenant_id)s
  and p.folder_id = n.folder_id
  and p.uidvalidity = n.uidvalidity
  and p.uid = n.uid
  and p.is_hidden <> %(is_hidden)s

-- name: let_go
update email_placements p
set vanished_at = %(at)s, updated_at = %(at)s
from unnest(%(folder_ids)b::uuid[], %(uidvalidities)b::bigint[], %(uids)b::bigint[]) as n (folder_id, uidvalidity, uid)
where p.tenant_id = %(tenant_id)s
  and p.folder_id = n.folder_id
  and p.uidvalidity = n.uidvalidity
  and p.uid = n.uid
  and p.vanished_at is null
returning p.folder_id, p.uid

-- name: land
-- What stood in a folder without a UID has got one. A sync may have seen it there already.
insert into email_placements
  (tenant_id, folder_id, uidvalidity, uid, message_id, flags, keywords, internal_date, object_id, is_hidden, created_at,
  updated_at)
select p.tenant_id, p.folder_id, n.new_uidvalidity, n.new_uid, p.message_id, p.flags, p.keywords, p.internal_date,
  p.object_id, p.is_hidden, p.created_at, %(at)s
from unnest(%(folder_ids)b::uuid[], %(uidvalidities)b::bigint[], %(uids)b::bigint[], %(new_uidvalidities)b::bigint[],
  %(new_uids)b::bigint[]) as n (folder_id, uidvalidity, uid, new_uidvalidity, new_uid)
join email_placements p on p.tenant_id = %(tenant_id)s and p.folder_id = n.folder_id and p.uidvalidity = n.uidvalidity
  and p.uid = n.uid and p.vanished_at is null
on conflict (tenant_id, folder_id, uidvalidity, uid)
  do update set vanished_at = null, message_id = excluded.message_id, is_hidden = excluded.is_hidden,
    updated_at = excluded.updated_at
returning folder_id, uid, xmax = 0 as is_new

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
    and not p.is_hidden
  window each_message as (partition by p.message_id)
  order by p.message_id, p.created_at, p.folder_id, p.uid
)
update email_messages m
set folder_id = coalesce(l.folder_id, m.folder_id),
  imap_uid = case when l.uid > 0 and not exists (
    select from email_messages o
    where o.tenant_id = %(tenant_id)s
      and o.folder_id = l.folder_id
      and o.imap_uid = l.uid::text
      and not o.is_deleted
      and o.id <> m.id) then l.uid::text end,
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

-- name: settle_attachments
-- Attachments go and come back with their message.
update email_attachments a
set is_deleted = m.is_deleted, deleted_at = m.deleted_at
from email_messages m
where a.tenant_id = %(tenant_id)s
  and a.message_id = any (%(message_ids)s::uuid[])
  and m.tenant_id = %(tenant_id)s
  and m.id = a.message_id
  and a.is_deleted <> m.is_deleted

-- name: keep_purged_uids
-- What the server still has of messages that are about to be purged.
insert into email_purged_uids (tenant_id, folder_id, uidvalidity, uid, at)
select p.tenant_id, p.folder_id, p.uidvalidity, p.uid, %(at)s
from email_placements p
join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id
join email_accounts a on a.tenant_id = f.tenant_id and a.id = f.account_id
where p.tenant_id = %(tenant_id)s
  and p.message_id = any (%(message_ids)s::uuid[])
  and p.vanished_at is null
  and p.uid > 0
  and f.wire_name <> ''
  and a.hostname is not null
on conflict (tenant_id, folder_id, uidvalidity, uid) do nothing

-- name: purge
-- All at once: one message after the other would count its folder again each time.
delete from email_placements
where tenant_id = %(tenant_id)s
  and message_id = any (%(message_ids)s::uuid[])
