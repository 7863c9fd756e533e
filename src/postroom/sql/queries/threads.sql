-- Threads: which families of messages an arriving message touches.

-- name: find_links
select link, family_id
from email_thread_links
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and link = any (%(links)s::uuid[])

-- name: insert_links
insert into email_thread_links (tenant_id, account_id, link, family_id)
select %(tenant_id)s, %(account_id)s, n.link, n.family_id
from unnest(%(links)b::uuid[], %(family_ids)b::uuid[]) as n (link, family_id)
on conflict (tenant_id, account_id, link) do nothing

-- name: merge_links
update email_thread_links l
set family_id = n.into_id
from unnest(%(from_ids)b::uuid[], %(into_ids)b::uuid[]) as n (from_id, into_id)
where l.tenant_id = %(tenant_id)s
  and l.account_id = %(account_id)s
  and l.family_id = n.from_id

-- name: family
-- What threading must know of the messages of these families.
select id, thread_family_id, thread_id, message_id_header, in_reply_to, reference_ids, subject,
  coalesce(sent_at, received_at) as sent_at, is_deleted
from email_messages
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and thread_family_id = any (%(family_ids)s::uuid[])

-- name: families_of
-- Which families these messages belong to.
select distinct account_id, thread_family_id
from email_messages
where tenant_id = %(tenant_id)s
  and id = any (%(message_ids)s::uuid[])

-- name: purge_links
-- The ids that lead to families of which no message is left.
delete from email_thread_links l
where l.tenant_id = %(tenant_id)s
  and l.family_id = any (%(family_ids)s::uuid[])
  and not exists (
    select from email_messages m where m.tenant_id = %(tenant_id)s and m.thread_family_id = l.family_id)

-- name: rearrange
update email_messages m
set thread_id = n.thread_id, thread_family_id = n.family_id, updated_at = %(at)s
from unnest(%(message_ids)b::uuid[], %(thread_ids)b::uuid[], %(family_ids)b::uuid[]) as n (id, thread_id, family_id)
where m.tenant_id = %(tenant_id)s
  and m.id = n.id
