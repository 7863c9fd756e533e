-- Drafts: messages that are still being written.

-- name: insert
insert into email_drafts (tenant_id, id, account_id, subject, recipients, raw_blob, size_bytes, created_at, updated_at)
values (%(tenant_id)s, %(id)s, %(account_id)s, %(subject)s, %(recipients)s, %(raw_blob)s, %(size_bytes)s, %(now)s,
  %(now)s)

-- name: get
select id, account_id, subject, recipients, raw_blob, size_bytes, version, outbox_id, created_at, updated_at
from email_drafts
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s
  and not is_deleted

-- name: replace
-- No row: somebody else changed it meanwhile, or it was sent.
update email_drafts
set subject = %(subject)s, recipients = %(recipients)s, raw_blob = %(raw_blob)s, size_bytes = %(size_bytes)s,
  version = version + 1, updated_at = %(now)s
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s
  and version = %(version)s
  and outbox_id is null
  and not is_deleted

-- name: of_account
select id, subject, recipients, size_bytes, version, created_at, updated_at
from email_drafts
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and outbox_id is null
  and not is_deleted
order by updated_at desc, id desc
limit %(limit)s

-- name: starting_with
select id
from email_drafts
where tenant_id = %(tenant_id)s
  and id between %(lowest)s and %(highest)s
  and not is_deleted
limit 2

-- name: hand_over
-- It is the outbox's now. No row: somebody else changed it meanwhile, or it was sent.
update email_drafts
set outbox_id = %(outbox_id)s, updated_at = %(now)s
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s
  and version = %(version)s
  and outbox_id is null
  and not is_deleted

-- name: take_back
-- The message was cancelled: it is a draft again.
update email_drafts
set outbox_id = null, updated_at = %(now)s
where tenant_id = %(tenant_id)s
  and outbox_id = %(outbox_id)s
returning id

-- name: delete
update email_drafts
set is_deleted = true, deleted_at = %(now)s, updated_at = %(now)s
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s
  and outbox_id is null
  and not is_deleted
