-- Shares: who may see an account of somebody else, and who may write in it.

-- name: put
-- Given again: the right that was said last. Nothing for the owner, who has more.
insert into email_account_shares (tenant_id, user_id, account_id, owner_id, access, created_at, updated_at)
select a.tenant_id, %(user_id)s, a.id, a.user_id, %(access)s, %(at)s, %(at)s
from email_accounts a
where a.tenant_id = %(tenant_id)s
  and a.id = %(account_id)s
  and a.user_id <> %(user_id)s
on conflict (tenant_id, user_id, account_id)
  do update set access = excluded.access, updated_at = excluded.updated_at
returning access

-- name: remove
delete from email_account_shares
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and user_id = %(user_id)s
  and access <> 'owner'
returning access

-- name: of_account
-- Who sees an account: the owner and whom it is shared with.
select user_id, access, created_at, updated_at
from email_account_shares
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
order by access <> 'owner', user_id

-- name: access
-- What a user may do in an account.
select access
from email_account_shares
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and user_id = %(user_id)s
