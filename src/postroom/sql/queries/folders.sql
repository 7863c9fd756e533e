-- Folders: where mail lies.

-- name: of_account
select *
from email_folders
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and not is_deleted
order by name

-- name: get
select *
from email_folders
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s

-- name: below
-- The living folders below a name.
select *
from email_folders
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and starts_with(name, %(name)s || '/')
  and not is_deleted
order by name

-- name: wire_names
-- How the server spells these folders.
select name, wire_name
from email_folders
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and name = any (%(names)s::text[])
  and not is_deleted

-- name: by_type
select *
from email_folders
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and type = %(type)s
  and not is_deleted

-- name: system
-- Every system folder of the tenant, over all its accounts.
select id, account_id, name, type, unread_count, total_count
from email_folders
where tenant_id = %(tenant_id)s
  and type in ('inbox', 'sent', 'drafts', 'trash', 'spam', 'archive')
  and not is_deleted

-- name: ensure
-- The folders of these names, made where they are not there.
with wanted as (
  select *
  from unnest(%(ids)s::uuid[], %(names)s::text[], %(wire_names)s::text[], %(types)s::text[], %(selectable)s::boolean[])
    as w (id, name, wire_name, type, is_selectable)
), made as (
  insert into email_folders (id, tenant_id, account_id, name, wire_name, type, is_selectable, created_at, updated_at)
  select id, %(tenant_id)s, %(account_id)s, name, wire_name, type, is_selectable, %(at)s, %(at)s
  from wanted
  on conflict (tenant_id, account_id, name) where not is_deleted
    do update set wire_name = excluded.wire_name, type = excluded.type, is_selectable = excluded.is_selectable,
      updated_at = excluded.updated_at
    where (email_folders.wire_name, email_folders.type, email_folders.is_selectable)
      is distinct from (excluded.wire_name, excluded.type, excluded.is_selectable)
  returning *
)
select * from made
union all
select f.*
from email_folders f
where f.tenant_id = %(tenant_id)s
  and f.account_id = %(account_id)s
  and f.name = any (%(names)s::text[])
  and not f.is_deleted
  and not exists (select from made m where m.id = f.id)

-- name: set_state
-- We agree with the server: these are its numbers, and nothing is pending.
update email_folders
set uidvalidity = %(uidvalidity)s, uidnext = %(uidnext)s, highestmodseq = %(highestmodseq)s,
  mailbox_id = coalesce(%(mailbox_id)s, mailbox_id), listed_count = %(listed_count)s, pending = '{}',
  sync_token = %(sync_token)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s

-- name: set_pending
-- The server lists these UIDs, which are about to be fetched. A cursor of another numbering is void.
update email_folders
set pending = %(pending)s::int8multirange, listed_count = %(listed_count)s, uidvalidity = %(uidvalidity)s,
  uidnext = case when uidvalidity = %(uidvalidity)s then uidnext end,
  highestmodseq = case when uidvalidity = %(uidvalidity)s then highestmodseq end, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s

-- name: pending
-- What was about to be fetched, as ranges with the end left out.
select lower(r) as first, upper(r) as behind
from email_folders f, unnest(f.pending) r
where f.tenant_id = %(tenant_id)s
  and f.id = %(folder_id)s

-- name: rename
update email_folders
set name = %(name)s, wire_name = %(wire_name)s, type = %(type)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s

-- name: rename_to
-- The name only: the server calls it otherwise until it is told.
update email_folders
set name = %(name)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s

-- name: spell
-- How the server spells its name.
update email_folders
set wire_name = %(wire_name)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s

-- name: put_away
-- Deleted here; the server may have it still.
update email_folders
set is_deleted = true, deleted_at = %(at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s
  and not is_deleted

-- name: bring_back
-- Unless another folder has its name by now: that one is the server's then.
update email_folders f
set is_deleted = false, deleted_at = null, updated_at = %(at)s
where f.tenant_id = %(tenant_id)s
  and f.id = %(folder_id)s
  and not exists (
    select from email_folders o
    where o.tenant_id = f.tenant_id and o.account_id = f.account_id and o.name = f.name and not o.is_deleted)

-- name: look_at_all
-- The next look at this folder believes no count of changes.
update email_folders
set highestmodseq = null, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s

-- name: count_listed
-- So many more, or fewer, does the server list than at the last look: we told it to.
update email_folders
set listed_count = listed_count + %(more)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s
  and listed_count is not null

-- name: let_go
-- The server no longer has this folder. What lay in it is let go by placements.forget_folder.
update email_folders
set is_deleted = true, deleted_at = %(at)s, pending = '{}', listed_count = 0, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s

-- name: ledger
-- Every UID that the server ever listed in a folder: stored, purged here, pending, in quarantine, or gone. Imported folders are
-- among them, and those that the server let go.
select f.id, f.name, f.is_deleted, f.deleted_at, f.uidvalidity is not null and f.listed_count is not null as is_followed,
  f.listed_count, q.quarantined, p.stored, p.gone + q.gone as gone, u.purged,
  (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(f.pending) r)::bigint - q.among_pending
    - case when isempty(f.pending) then 0 else (
        select count(*) from email_placements p
        where p.tenant_id = f.tenant_id and p.folder_id = f.id and p.uidvalidity = f.uidvalidity
          and p.uid >= lower(f.pending) and p.uid < upper(f.pending) and p.uid <@ f.pending) end - u.among_pending as pending
from email_folders f
cross join lateral (
  -- Counted, not read from the counters: it is what they are held against.
  select count(*) filter (where p.vanished_at is null) as stored, count(*) filter (where p.vanished_at is not null) as gone
  from email_placements p
  where p.tenant_id = f.tenant_id and p.folder_id = f.id and p.uid > 0
) p
cross join lateral (
  select count(*) as purged, count(*) filter (where u.uid <@ f.pending) as among_pending
  from email_purged_uids u
  where u.tenant_id = f.tenant_id and u.folder_id = f.id and u.uidvalidity = f.uidvalidity
) u
left join lateral (
  select count(*) filter (where q.resolved_at is null) as quarantined,
    count(*) filter (where q.resolved_at is null and q.uid <@ f.pending) as among_pending,
    count(*) filter (where q.vanished_at is not null) as gone
  from email_quarantine q
  where q.tenant_id = f.tenant_id and q.account_id = f.account_id and q.folder_name = f.name and not f.is_deleted
) q on true
where f.tenant_id = %(tenant_id)s
  and f.account_id = %(account_id)s
order by f.is_deleted, f.name, f.deleted_at

-- name: recount
-- Counters that a hand at the database has put wrong.
select email_recount_folders(%(tenant_id)s, %(account_id)s)

-- name: miscounted
-- Folders whose counters are not what lies in them: there must be none.
select f.id, f.name, f.total_count, f.unread_count, count(p.uid) as total, count(p.uid) filter (where not p.is_read) as unread
from email_folders f
left join email_placements p
  on p.tenant_id = f.tenant_id and p.folder_id = f.id and p.vanished_at is null and not p.is_hidden
where f.tenant_id = %(tenant_id)s
group by f.tenant_id, f.id
having f.total_count <> count(p.uid) or f.unread_count <> count(p.uid) filter (where not p.is_read)
