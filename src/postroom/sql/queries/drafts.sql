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

-- name: copy
-- A draft, also one that was sent or deleted, and what the account's server has of it.
select id, account_id, version, raw_blob, updated_at, outbox_id is null and not is_deleted as is_alive, copy_version,
  copy_message_id, copy_folder_id, copy_uidvalidity, copy_uid, stale_uids, put_version, put_message_id
from email_drafts
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s

-- name: putting
-- The server is about to be given this version; null: it turned out that it was not given it.
update email_drafts
set put_version = %(version)s, put_message_id = %(message_id)s
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s

-- name: put
-- The server has what it was given; what it had before is to be taken out.
update email_drafts
set copy_version = put_version, copy_message_id = put_message_id, copy_folder_id = %(folder_id)s,
  copy_uidvalidity = %(uidvalidity)s, copy_uid = %(uid)s, put_version = null, put_message_id = null,
  stale_uids = case when copy_folder_id = %(folder_id)s and copy_uidvalidity = %(uidvalidity)s
    then stale_uids || copy_uid else '{}' end
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s
  and put_version is not null

-- name: taken_out
-- The server has the earlier ones no more.
update email_drafts
set stale_uids = '{}'
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s

-- name: without_copy
-- The server has nothing of it any more.
update email_drafts
set stale_uids = '{}', copy_version = null, copy_message_id = null, copy_folder_id = null, copy_uidvalidity = null,
  copy_uid = null
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s

-- name: lies
-- Where a message with this Message-ID lies in a folder, by the numbers that it has now.
select p.uidvalidity, p.uid, p.message_id
from email_placements p
join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id and f.uidvalidity = p.uidvalidity
join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
where p.tenant_id = %(tenant_id)s
  and p.folder_id = %(folder_id)s
  and p.uid > 0
  and p.vanished_at is null
  and m.message_id_header = %(message_id)s
order by p.uid desc
limit 1

-- name: missing
-- Drafts whose copy is the version of now, and is not where its server had it: the folder was read since, the copy is
-- neither there nor waiting to be fetched, and the server is to be told nothing of the draft.
select d.id
from email_drafts d
join email_folders f on f.tenant_id = d.tenant_id and f.id = d.copy_folder_id
where d.tenant_id = %(tenant_id)s
  and d.account_id = %(account_id)s
  and d.outbox_id is null
  and not d.is_deleted
  and d.copy_version = d.version
  and f.uidvalidity is not null
  and (f.uidvalidity <> d.copy_uidvalidity or f.uidnext > d.copy_uid)
  and not f.pending @> d.copy_uid
  and not exists (
    select
    from email_placements p
    where p.tenant_id = d.tenant_id
      and p.folder_id = d.copy_folder_id
      and p.uidvalidity = d.copy_uidvalidity
      and p.uid = d.copy_uid
      and p.vanished_at is null
    offset 0)
  and not exists (
    select
    from email_quarantine q
    where q.tenant_id = d.tenant_id
      and q.account_id = d.account_id
      and q.folder_name = f.name
      and q.uid = d.copy_uid
      and q.resolved_at is null
      and q.vanished_at is null
    offset 0)
  and not exists (
    select
    from email_intents i
    where i.tenant_id = d.tenant_id
      and i.draft_id = d.id
    offset 0)

-- name: moved
-- The folder was renumbered: the copy has another number.
update email_drafts
set copy_uidvalidity = %(uidvalidity)s, copy_uid = %(uid)s, stale_uids = '{}'
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s

-- name: adopt
-- Another program changed it on the server: it is what lies there now. No row: it was changed here meanwhile.
update email_drafts
set subject = %(subject)s, recipients = %(recipients)s, raw_blob = %(raw_blob)s, size_bytes = %(size_bytes)s,
  version = version + 1, updated_at = %(now)s, copy_version = version + 1, copy_uidvalidity = %(uidvalidity)s,
  copy_uid = %(uid)s, stale_uids = '{}'
where tenant_id = %(tenant_id)s
  and id = %(draft_id)s
  and version = %(version)s
  and outbox_id is null
  and not is_deleted
