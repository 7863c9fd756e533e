-- Folders: where mail lies.

-- name: of_account
select *
from email_folders
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
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
update email_folders
set uidvalidity = %(uidvalidity)s, uidnext = %(uidnext)s, highestmodseq = %(highestmodseq)s,
  sync_token = %(sync_token)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(folder_id)s

-- name: miscounted
-- Folders whose counters are not what lies in them: there must be none.
select f.id, f.name, f.total_count, f.unread_count, count(p.uid) as total, count(p.uid) filter (where not p.is_read) as unread
from email_folders f
left join email_placements p
  on p.tenant_id = f.tenant_id and p.folder_id = f.id and p.vanished_at is null
where f.tenant_id = %(tenant_id)s
group by f.tenant_id, f.id
having f.total_count <> count(p.uid) or f.unread_count <> count(p.uid) filter (where not p.is_read)
