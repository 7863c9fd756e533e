-- Ops: what an administrator asks of the whole server. No login of the application may.

-- name: audit_between
-- Everything that was done between two times, by anybody.
select tenant_id, at, actor_role, user_id, action, object_type, object_id, before, after
from email_audit_log
where at >= %(since)s
  and at < %(before)s
order by at
