-- API keys: who may ask the service, and for what.

-- name: insert
insert into email_api_keys (tenant_id, id, name, prefix, secret_hash, user_id, account_id, can_read, can_write, can_send,
  can_admin, expires_at, created_at, updated_at)
values (%(tenant_id)s, %(id)s, %(name)s, %(prefix)s, %(secret_hash)s, %(user_id)s, %(account_id)s, %(can_read)s,
  %(can_write)s, %(can_send)s, %(can_admin)s, %(expires_at)s, %(at)s, %(at)s)

-- name: all_keys
-- The keys of the tenant, the oldest first.
select id, name, prefix, user_id, account_id, can_read, can_write, can_send, can_admin, expires_at, last_used_at,
  revoked_at, created_at
from email_api_keys
where tenant_id = %(tenant_id)s
order by id

-- name: revoke
update email_api_keys
set revoked_at = %(at)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(key_id)s
  and revoked_at is null
returning id, account_id

-- name: expire
-- A key that another one replaces is over soon. What ends sooner by itself does.
update email_api_keys
set expires_at = least(expires_at, %(expires_at)s), updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(key_id)s
  and revoked_at is null
returning id, expires_at
