-- Credentials: sealed envelopes. What opens them is not in the database.

-- name: put
insert into email_credentials (tenant_id, id, account_id, kind, key_id, wrapped_key, ciphertext, created_at, updated_at)
values (%(tenant_id)s, %(id)s, %(account_id)s, %(kind)s, %(key_id)s, %(wrapped_key)s, %(ciphertext)s, %(at)s, %(at)s)

-- name: get
select id, account_id, kind, key_id, wrapped_key, ciphertext
from email_credentials
where tenant_id = %(tenant_id)s
  and id = %(credential_id)s

-- name: get_for_update
-- Whoever renews a token holds the row meanwhile: of two, the second finds it renewed.
select id, account_id, kind, key_id, wrapped_key, ciphertext
from email_credentials
where tenant_id = %(tenant_id)s
  and id = %(credential_id)s
for update

-- name: replace
update email_credentials
set key_id = %(key_id)s, wrapped_key = %(wrapped_key)s, ciphertext = %(ciphertext)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(credential_id)s

-- name: count_by_key
select key_id, count(*) as credentials
from email_credentials
where tenant_id = %(tenant_id)s
group by key_id
order by key_id

-- name: sealed_with_others
-- What is not yet sealed with the current master key; held, for a token may be renewed at the same time.
select id, account_id, kind, key_id, wrapped_key
from email_credentials
where tenant_id = %(tenant_id)s
  and key_id <> %(key_id)s
order by id
limit %(limit)s
for update

-- name: rewrap
update email_credentials
set key_id = %(key_id)s, wrapped_key = %(wrapped_key)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(credential_id)s

-- name: forget
-- The secrets of an account, but for the one that it has now and those that it sends with.
select email_forget_secrets(%(tenant_id)s, %(account_id)s)

-- name: of_account
select id, kind, key_id, updated_at
from email_credentials
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
