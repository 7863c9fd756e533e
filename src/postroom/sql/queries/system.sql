-- System: the few statements that cross tenants, each through a narrow function.

-- name: tenant_create
select tenant_id, name
from email_tenant_create(%(new_tenant_id)s, %(name)s, %(default_user_id)s, %(at)s)

-- name: tenant_named
select tenant_id, name
from email_tenant_named(%(name)s)

-- name: tenant_list
select tenant_id, name, created_at
from email_tenant_list()

-- name: server_version
select split_part(current_setting('server_version'), ' ', 1) as version

-- name: refresh_statistics
select email_refresh_statistics()
