-- Webhooks: addresses that are told what happens.

-- name: insert
insert into email_webhooks (tenant_id, id, user_id, url, description, events, account_id, folder_id, search_id, created_at,
  updated_at)
values (%(tenant_id)s, %(webhook_id)s, %(user_id)s, %(url)s, %(description)s, %(events)s, %(account_id)s, %(folder_id)s,
  %(search_id)s, %(at)s, %(at)s)

-- name: all_of
-- The webhooks of the tenant, the oldest first.
select id, user_id, url, description, events, account_id, folder_id, search_id, is_enabled, disabled_at, disabled_reason,
  failures, failing_since, last_error, last_success_at, previous_until, created_at, updated_at
from email_webhooks
where tenant_id = %(tenant_id)s
order by id

-- name: get
select id, user_id, url, description, events, account_id, folder_id, search_id, is_enabled, disabled_at, disabled_reason,
  failures, failing_since, last_error, last_success_at, previous_until, created_at, updated_at
from email_webhooks
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s

-- name: change
update email_webhooks
set url = %(url)s, description = %(description)s, events = %(events)s, account_id = %(account_id)s,
  folder_id = %(folder_id)s, search_id = %(search_id)s, updated_at = %(at)s, due_at = 0
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s

-- name: enable
-- It begins anew: whatever failed before is forgotten.
update email_webhooks
set is_enabled = true, disabled_at = null, disabled_reason = null, failures = 0, failing_since = null, updated_at = %(at)s,
  due_at = 0
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s
  and not is_enabled

-- name: disable
-- With a reason: nobody asked for it.
update email_webhooks
set is_enabled = false, disabled_at = %(at)s, disabled_reason = %(reason)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s
  and is_enabled

-- name: remove
delete from email_webhooks
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s

-- name: hasten
-- It is looked at by the next worker that is free.
update email_webhooks
set due_at = 0
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s

-- name: rotated
-- It has another secret; the one before signs as well until then.
update email_webhooks
set previous_until = %(previous_until)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s

-- name: secrets
-- What it signs with, the newest first.
select id, account_id, kind, key_id, wrapped_key, ciphertext
from email_credentials
where tenant_id = %(tenant_id)s
  and account_id = %(webhook_id)s
  and kind = 'webhook'
order by id desc

-- name: forget_secrets
delete from email_credentials
where tenant_id = %(tenant_id)s
  and account_id = %(webhook_id)s
  and kind = 'webhook'
  and id = any (%(credential_ids)s::uuid[])

-- name: hold
-- Whether it is still ours; if so, for so much longer.
update email_webhooks
set lease_until = (extract(epoch from clock_timestamp()) * 1000)::bigint + %(lease_ms)s
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s
  and token = %(token)s
  and is_enabled
returning id, user_id, url, events, account_id, folder_id, search_id, failures, failing_since, previous_until

-- name: release
-- It is free for all, and due in so long; sooner where something happened meanwhile.
update email_webhooks
set lease_until = 0,
  due_at = least(due_at, (extract(epoch from clock_timestamp()) * 1000)::bigint + %(due_in_ms)s)
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s
  and token = %(token)s

-- name: put_off
-- It fails: nothing is told for so long, whatever happens.
update email_webhooks
set lease_until = 0, due_at = (extract(epoch from clock_timestamp()) * 1000)::bigint + %(due_in_ms)s
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s
  and token = %(token)s

-- name: arrived
update email_webhooks
set failures = 0, failing_since = null, last_error = null, last_success_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s

-- name: failed
update email_webhooks
set failures = failures + 1, failing_since = coalesce(failing_since, %(at)s), last_error = %(error)s
where tenant_id = %(tenant_id)s
  and id = %(webhook_id)s
returning failing_since

-- name: behind
-- Accounts whose feed is ahead of what was told, with where to go on. Of those that the webhook wants to hear of.
select a.id, a.modseq as head, coalesce(c.modseq, 0) as modseq
from email_accounts a
left join email_webhook_cursors c on c.tenant_id = a.tenant_id and c.account_id = a.id and c.webhook_id = %(webhook_id)s
where a.tenant_id = %(tenant_id)s
  and a.modseq > coalesce(c.modseq, 0)
  and (%(account_id)s::uuid is null or a.id = %(account_id)s)
order by a.id
limit %(limit)s

-- name: move_cursor
insert into email_webhook_cursors (tenant_id, webhook_id, account_id, modseq)
values (%(tenant_id)s, %(webhook_id)s, %(account_id)s, %(modseq)s)
on conflict (tenant_id, webhook_id, account_id) do update set modseq = excluded.modseq

-- name: forget_cursors
delete from email_webhook_cursors
where tenant_id = %(tenant_id)s
  and webhook_id = %(webhook_id)s

-- name: set_cursors
insert into email_webhook_cursors (tenant_id, webhook_id, account_id, modseq)
select %(tenant_id)s, %(webhook_id)s, n.account_id, n.modseq
from unnest(%(account_ids)s::uuid[], %(modseqs)s::bigint[]) as n (account_id, modseq)

-- name: lie_in
-- Of these messages those that lie in a folder, or lay there last or before.
select m.id
from email_messages m
where m.tenant_id = %(tenant_id)s
  and m.id = any (%(message_ids)s::uuid[])
  and (m.folder_id = %(folder_id)s
    or exists (
      select from email_placements p
      where p.tenant_id = m.tenant_id
        and p.message_id = m.id
        and p.folder_id = %(folder_id)s
    ))
