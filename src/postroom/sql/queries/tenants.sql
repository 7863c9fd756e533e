-- Tenants: the one that is set, as its operator sees and changes it.

-- name: mine
select tenant_id, name, suspended_at, erasing_at, keep_deleted_days
from email_tenants
where tenant_id = %(tenant_id)s

-- name: suspend
update email_tenants
set suspended_at = %(suspended_at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and (suspended_at is null) <> (%(suspended_at)s::bigint is null)

-- name: rename
-- As the owner, who sees the names of all. Nothing where the name is another's.
update email_tenants t
set name = %(name)s, updated_at = %(at)s
where t.tenant_id = %(tenant_id)s
  and not exists (select from email_tenants o where o.name = %(name)s and o.tenant_id <> t.tenant_id)

-- name: keep_deleted
update email_tenants
set keep_deleted_days = %(days)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
