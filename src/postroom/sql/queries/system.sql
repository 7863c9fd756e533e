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

-- name: sync_claim
select tenant_id, account_id, token, is_woken
from email_sync_claim(%(worker_id)s, %(limit)s, %(lease_ms)s, %(per_host)s, %(uncounted_hosts)s::text[], %(woken_only)s)

-- name: sends_claim
select tenant_id, account_id
from email_sends_claim(%(limit)s, %(lease_ms)s)

-- name: worker_beat
select email_worker_beat(%(worker_id)s, %(host)s, %(pid)s, %(concurrency)s, %(running)s, %(watching)s, %(is_stopping)s,
  %(dead_ms)s)

-- name: worker_gone
select email_worker_gone(%(worker_id)s)

-- name: worker_list
select id, host, pid, concurrency, running, watching, is_stopping, started_at, seen_at, silent_ms
from email_worker_list()
