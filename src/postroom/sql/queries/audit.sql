-- Audit: who did what, in the transaction that did it. Never the text of a mail.

-- name: append
-- The function holds the head of the tenant's chain until the transaction ends.
select email_audit_append(%(tenant_id)s, %(id)s, %(action)s, %(about)s::jsonb)

-- name: newest
-- The trail of the tenant, newest first, a page at a time.
select id, at, actor_role, user_id, api_key_id, action, object_type, object_id, before, after
from email_audit_log
where tenant_id = %(tenant_id)s
  and (at, id) < (%(before_at)s, %(before_id)s)
order by at desc, id desc
limit %(limit)s

-- name: of_object
-- What was done to one thing, newest first, a page at a time.
select id, at, actor_role, user_id, api_key_id, action, object_type, object_id, before, after
from email_audit_log
where tenant_id = %(tenant_id)s
  and object_type = %(object_type)s
  and object_id = %(object_id)s
  and (at, id) < (%(before_at)s, %(before_id)s)
order by at desc, id desc
limit %(limit)s

-- name: head
select place, hash
from email_audit_heads
where tenant_id = %(tenant_id)s
  and month = %(month)s

-- name: months
-- The months that the tenant has a chain of, and every month that entries can be in.
select month
from email_audit_heads
where tenant_id = %(tenant_id)s
union
select to_date(right(c.relname, 7), 'YYYY_MM')
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'public.email_audit_log'::regclass
order by month

-- name: chain
-- The entries of a month in their order, a page at a time, each value as the hash was made of it.
select id, place, at, actor_role, user_id::text as user_id, api_key_id::text as api_key_id, action, object_type,
  object_id::text as object_id, before::text as before, after::text as after, previous_hash, hash
from email_audit_log
where tenant_id = %(tenant_id)s
  and at >= %(since)s
  and at < %(before)s
  and (place, id) > (%(after_place)s, %(after_id)s)
order by place, id
limit %(limit)s
