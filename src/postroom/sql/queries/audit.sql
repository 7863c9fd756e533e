-- Audit: who did what, in the transaction that did it. Never the text of a mail.

-- name: append
insert into email_audit_log (tenant_id, id, at, action, object_type, object_id, before, after)
values (%(tenant_id)s, %(id)s, %(at)s, %(action)s, %(object_type)s, %(object_id)s, %(before)s, %(after)s)

-- name: newest
-- The trail of the tenant, newest first, a page at a time.
select id, at, actor_role, user_id, action, object_type, object_id, before, after
from email_audit_log
where tenant_id = %(tenant_id)s
  and (at, id) < (%(before_at)s, %(before_id)s)
order by at desc, id desc
limit %(limit)s

-- name: of_object
-- What was done to one thing, newest first, a page at a time.
select id, at, actor_role, user_id, action, object_type, object_id, before, after
from email_audit_log
where tenant_id = %(tenant_id)s
  and object_type = %(object_type)s
  and object_id = %(object_id)s
  and (at, id) < (%(before_at)s, %(before_id)s)
order by at desc, id desc
limit %(limit)s
