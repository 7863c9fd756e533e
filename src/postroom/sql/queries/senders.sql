-- Senders: how the mail of an account goes out.

-- name: get
select display_name, hostname, port, encryption, username, credential_id, sent_copy, dkim_domain, dkim_selector,
  dkim_key_id
from email_senders
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s

-- name: put
insert into email_senders (tenant_id, account_id, display_name, hostname, port, encryption, username, credential_id,
  sent_copy, dkim_domain, dkim_selector, dkim_key_id, created_at, updated_at)
values (%(tenant_id)s, %(account_id)s, %(display_name)s, %(hostname)s, %(port)s, %(encryption)s, %(username)s,
  %(credential_id)s, %(sent_copy)s, %(dkim_domain)s, %(dkim_selector)s, %(dkim_key_id)s, %(at)s, %(at)s)
on conflict (tenant_id, account_id) do update
set display_name = excluded.display_name, hostname = excluded.hostname, port = excluded.port,
  encryption = excluded.encryption, username = excluded.username, credential_id = excluded.credential_id,
  sent_copy = excluded.sent_copy, dkim_domain = excluded.dkim_domain, dkim_selector = excluded.dkim_selector,
  dkim_key_id = excluded.dkim_key_id, updated_at = excluded.updated_at

-- name: sign_in_by
-- Whoever sends with the account's own secret goes on with the new one.
update email_senders
set credential_id = %(credential_id)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and credential_id = %(before_id)s

-- name: forget_secrets
-- An account that is removed sends no more.
update email_senders
set credential_id = null, dkim_domain = null, dkim_selector = null, dkim_key_id = null, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s

-- name: mailbox
-- The account itself: its address, and the server where copies of what it sent go.
select email_address, protocol, hostname, port, encryption, username, credential_id, ca_pem
from email_accounts
where tenant_id = %(tenant_id)s
  and id = %(account_id)s
  and not is_deleted
