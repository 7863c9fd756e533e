-- System: the few statements that cross tenants, each through a narrow function.

-- name: tenant_create
select tenant_id, name
from email_tenant_create(%(new_tenant_id)s, %(name)s, %(default_user_id)s, %(at)s)

-- name: tenant_named
select tenant_id, name
from email_tenant_named(%(name)s)

-- name: tenant_list
select tenant_id, name, created_at, suspended_at
from email_tenant_list()

-- name: audit_months
-- The months that there is a partition of, with all tenants' entries.
select to_date(right(c.relname, 7), 'YYYY_MM') as month
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'public.email_audit_log'::regclass
order by month

-- name: audit_drop
select email_audit_drop(%(month)s) as entries

-- name: server_version
select split_part(current_setting('server_version'), ' ', 1) as version

-- name: refresh_statistics
select email_refresh_statistics()

-- name: schema_version
select max(version) as version
from email_schema_migrations

-- name: api_key_of
select tenant_id, id, prefix, user_id, can_read, can_write, can_send, can_admin, expires_at
from email_api_key_of(%(secret_hash)s)

-- name: admin_tenant_list
select tenant_id, name, created_at, suspended_at
from email_admin_tenant_list(%(proof)s)

-- name: admin_tenant_create
select tenant_id, name
from email_admin_tenant_create(%(proof)s, %(new_tenant_id)s, %(name)s, %(default_user_id)s, %(at)s)

-- name: admin_key_create
select id
from email_admin_key_create(%(proof)s, %(of_tenant_id)s, %(id)s, %(name)s, %(prefix)s, %(secret_hash)s, %(scopes)s::text[],
  %(expires_at)s, %(at)s)

-- name: admin_keys
-- The keys of the installation, as the owner.
select id, name, prefix, expires_at, revoked_at, created_at
from email_admin_keys
order by created_at, id

-- name: admin_key_insert
insert into email_admin_keys (id, name, prefix, proof_hash, expires_at, created_at)
values (%(id)s, %(name)s, %(prefix)s, %(proof_hash)s, %(expires_at)s, %(at)s)

-- name: admin_key_revoke
update email_admin_keys
set revoked_at = %(at)s
where id = %(id)s
  and revoked_at is null
returning id

-- name: sync_claim
select tenant_id, account_id, token, is_woken
from email_sync_claim(%(worker_id)s, %(limit)s, %(lease_ms)s, %(per_host)s, %(uncounted_hosts)s::text[], %(woken_only)s)

-- name: sends_claim
select tenant_id, account_id
from email_sends_claim(%(limit)s, %(lease_ms)s)

-- name: webhooks_claim
select tenant_id, webhook_id, user_id, token
from email_webhooks_claim(%(limit)s, %(lease_ms)s, %(look_again_ms)s)

-- name: worker_beat
select email_worker_beat(%(worker_id)s, %(host)s, %(pid)s, %(concurrency)s, %(running)s, %(watching)s, %(is_stopping)s,
  %(dead_ms)s)

-- name: worker_gone
select email_worker_gone(%(worker_id)s)

-- name: worker_list
select id, host, pid, concurrency, running, watching, is_stopping, started_at, seen_at, silent_ms
from email_worker_list()
