-- Holds: mail that nobody may remove.

-- name: alone
-- Until the transaction ends nobody else makes a hold on the tenant's mail, and no erasure of it begins.
select pg_advisory_xact_lock(hashtextextended('postroom.hold.' || %(tenant_id)s::text, 0))

-- name: add
insert into email_holds (tenant_id, id, name, scope, account_id, query, reason, created_at)
values (%(tenant_id)s, %(id)s, %(name)s, %(scope)s, %(account_id)s, %(query)s, %(reason)s, %(at)s)
on conflict (tenant_id, name) where released_at is null do nothing
returning id

-- name: hold_messages
-- Those of them that have not been purged meanwhile.
insert into email_held_messages (tenant_id, hold_id, message_id)
select m.tenant_id, %(hold_id)s, m.id
from email_messages m
where m.tenant_id = %(tenant_id)s
  and m.id = any (%(message_ids)s::uuid[])
on conflict (tenant_id, hold_id, message_id) do nothing

-- name: open
-- The holds that are not released, the oldest first, with how many messages each names.
select h.id, h.name, h.scope, h.account_id, h.query, h.reason, h.created_at, a.email_address,
  (select count(*) from email_held_messages d where d.tenant_id = h.tenant_id and d.hold_id = h.id) as messages
from email_holds h
left join email_accounts a on a.tenant_id = h.tenant_id and a.id = h.account_id
where h.tenant_id = %(tenant_id)s
  and h.released_at is null
order by h.created_at, h.id

-- name: named
select id
from email_holds
where tenant_id = %(tenant_id)s
  and name = %(name)s
  and released_at is null
for update

-- name: held_wholly
select account_id
from email_holds
where tenant_id = %(tenant_id)s
  and released_at is null
  and scope <> 'messages'

-- name: held_of
-- Which of these messages are held one by one. Asked by itself: as a part of the page that is purged, the planner would
-- gather all that is held each time.
select distinct message_id
from email_held_messages
where tenant_id = %(tenant_id)s
  and message_id = any (%(message_ids)s::uuid[])

-- name: release
update email_holds
set released_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(hold_id)s

-- name: release_messages
delete from email_held_messages
where tenant_id = %(tenant_id)s
  and hold_id = %(hold_id)s
