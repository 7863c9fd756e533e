-- Accounts: a mailbox somewhere.

-- name: by_email
select *
from email_accounts
where tenant_id = %(tenant_id)s
  and email_address = %(email_address)s
  and not is_deleted

-- name: by_id
select *
from email_accounts
where tenant_id = %(tenant_id)s
  and id = %(account_id)s
  and not is_deleted

-- name: of_user
select *
from email_accounts
where tenant_id = %(tenant_id)s
  and user_id = %(user_id)s
  and not is_deleted
order by email_address

-- name: all_accounts
select *
from email_accounts
where tenant_id = %(tenant_id)s
  and not is_deleted
order by email_address

-- name: due
-- The accounts that want a sync by now, the longest waiting first.
select id, email_address, last_sync_at
from email_accounts
where tenant_id = %(tenant_id)s
  and is_sync_enabled
  and is_enabled
  and not is_deleted
  and (last_sync_at is null or last_sync_at + sync_interval * 1000::bigint <= %(at)s)
order by last_sync_at nulls first
limit %(limit)s

-- name: create
-- Nothing when the tenant has the address already. Who makes it owns it; without a user, the tenant's first one does.
insert into email_accounts (id, tenant_id, user_id, account_name, email_address, created_at, updated_at)
select %(id)s, t.tenant_id, coalesce(%(user_id)s, t.default_user_id), %(account_name)s, %(email_address)s, %(at)s, %(at)s
from email_tenants t
where t.tenant_id = %(tenant_id)s
on conflict (tenant_id, email_address) where not is_deleted do nothing
returning id

-- name: hold_all
-- Nobody brings mail into any account of the tenant until the transaction ends: what no message needs now, none will.
select id
from email_accounts
where tenant_id = %(tenant_id)s
order by id
for update

-- name: connect
update email_accounts
set protocol = %(protocol)s, hostname = %(hostname)s, port = %(port)s, encryption = %(encryption)s,
  username = %(username)s, credential_id = %(credential_id)s, ca_pem = %(ca_pem)s,
  server_keep_days = %(server_keep_days)s, last_error = null, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(account_id)s

-- name: pause
-- Nobody syncs a paused account by itself.
update email_accounts
set is_sync_enabled = %(is_sync_enabled)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(account_id)s

-- name: remove
-- The mail stays until it is purged; the address is free for another account.
update email_accounts
set is_deleted = true, deleted_at = %(at)s, is_sync_enabled = false, credential_id = null, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(account_id)s

-- name: set_following
-- Its name, whether it is kept in step with its server, and how often.
update email_accounts
set account_name = %(account_name)s, is_sync_enabled = %(is_sync_enabled)s, sync_interval = %(sync_interval)s,
  updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(account_id)s
  and not is_deleted

-- name: sync_goes_on
update email_accounts
set is_syncing = true, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(account_id)s

-- name: sync_ended
update email_accounts
set is_syncing = false, last_error = %(last_error)s, updated_at = %(at)s,
  last_sync_at = case when %(last_error)s::text is null then %(at)s else last_sync_at end
where tenant_id = %(tenant_id)s
  and id = %(account_id)s

-- name: sync_paused
update email_accounts
set is_syncing = false, last_error = null, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(account_id)s

-- name: watch_folders
update email_accounts
set push_folders = %(folders)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(account_id)s

-- name: end_lost_syncs
-- Whoever synced these accounts has said nothing for so long that it must have been killed.
update email_accounts
set is_syncing = false, last_error = %(last_error)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and is_syncing
  and updated_at < %(before)s
