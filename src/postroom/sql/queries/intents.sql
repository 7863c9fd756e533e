-- Intents: what was changed here and a server is yet to be told.

-- name: hold
-- Nobody else changes these accounts until the transaction ends; which of them may be written. What only refers to an
-- account, such as mail that is posted, does not wait: it may hold what is locked here next.
select id
from email_accounts
where tenant_id = %(tenant_id)s
  and id = any (%(account_ids)s::uuid[])
order by id
for no key update

-- name: places
-- Where messages lie, as people see it. `is_mirrored`: a server has it there too, or will have. So it does where the
-- folder was not read yet, or is being matched anew; 1 and 2 are numbers of ours, of what was imported or came by POP3.
select p.message_id, m.account_id, m.folder_id as home_id, p.folder_id, f.type as folder_type, p.uidvalidity, p.uid,
  p.flags || p.keywords as words, p.internal_date, p.object_id,
  coalesce(a.protocol = 'imap' and (p.uid < 0 or p.uidvalidity = f.uidvalidity or p.uidvalidity > 2), false)
    as is_mirrored
from email_placements p
join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id
join email_accounts a on a.tenant_id = f.tenant_id and a.id = f.account_id
where p.tenant_id = %(tenant_id)s
  and p.message_id = any (%(message_ids)s::uuid[])
  and p.vanished_at is null
  and not p.is_hidden
order by p.message_id, p.created_at, p.folder_id, p.uid

-- name: lying_in
-- The messages that people see in a folder.
select distinct message_id
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and vanished_at is null
  and not is_hidden

-- name: has_server
-- Whether there is a server behind an account that takes changes.
select coalesce(protocol = 'imap', false) as has_server
from email_accounts
where tenant_id = %(tenant_id)s
  and id = %(account_id)s

-- name: append
-- In the order given, behind all that the account has. The caller holds the account.
insert into email_intents (tenant_id, id, account_id, sequence, kind, message_id, draft_id, folder_id, uidvalidity, uid,
  to_folder_id, to_uid, added, removed, name, old_name, purpose, created_at, updated_at)
select %(tenant_id)s, n.id, %(account_id)s, n.place + coalesce((
    select max(i.sequence) from email_intents i
    where i.tenant_id = %(tenant_id)s and i.account_id = %(account_id)s), 0),
  n.kind, n.message_id, n.draft_id, n.folder_id, n.uidvalidity, n.uid, n.to_folder_id, n.to_uid, n.added::text[],
  n.removed::text[], n.name, n.old_name, n.purpose, %(at)s, %(at)s
from unnest(
  %(ids)b::uuid[], %(kinds)b::text[], %(message_ids)b::uuid[], %(draft_ids)b::uuid[], %(folder_ids)b::uuid[],
  %(uidvalidities)b::bigint[],  %(uids)b::bigint[], %(to_folder_ids)b::uuid[], %(to_uids)b::bigint[], %(added)b::text[], %(removed)b::text[],
  %(names)b::text[], %(old_names)b::text[], %(purposes)b::text[]
) with ordinality as n (id, kind, message_id, draft_id, folder_id, uidvalidity, uid, to_folder_id, to_uid, added, removed, name,
  old_name, purpose, place)

-- name: next
-- What the server of an account is to be told next, in the order in which it was wanted.
select *
from email_intents
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and state <> 'refused'
order by sequence
limit %(limit)s

-- name: last
-- Behind which nothing is wanted yet.
select sequence
from email_intents
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
order by sequence desc
limit 1

-- name: of_account
-- All that is open in an account, with what it is about, for people.
select i.*, coalesce(m.subject, d.subject) as subject, f.name as folder, t.name as to_folder
from email_intents i
join email_folders f on f.tenant_id = i.tenant_id and f.id = i.folder_id
left join email_folders t on t.tenant_id = i.tenant_id and t.id = i.to_folder_id
left join email_messages m on m.tenant_id = i.tenant_id and m.id = i.message_id
left join email_drafts d on d.tenant_id = i.tenant_id and d.id = i.draft_id
where i.tenant_id = %(tenant_id)s
  and i.account_id = %(account_id)s
order by i.sequence

-- name: of_messages
-- What is open of these messages.
select *
from email_intents
where tenant_id = %(tenant_id)s
  and message_id = any (%(message_ids)s::uuid[])
order by sequence

-- name: of_draft
-- What is open of a draft: one at most.
select *
from email_intents
where tenant_id = %(tenant_id)s
  and draft_id = %(draft_id)s

-- name: of_folders
-- What is open of these folders themselves.
select *
from email_intents
where tenant_id = %(tenant_id)s
  and folder_id = any (%(folder_ids)s::uuid[])
  and message_id is null
order by sequence

-- name: folders_waiting
-- How the server spells the folders that were renamed or deleted here and it was not told of yet.
select f.wire_name, i.kind
from email_intents i
join email_folders f on f.tenant_id = i.tenant_id and f.id = i.folder_id
where i.tenant_id = %(tenant_id)s
  and i.account_id = %(account_id)s
  and i.kind in ('rename_folder', 'delete_folder')
  and i.state <> 'refused'

-- name: of_folder_mail
-- What is open of mail in a folder, and of mail that is to come into it.
select *
from email_intents
where tenant_id = %(tenant_id)s
  and (folder_id = %(folder_id)s or to_folder_id = %(folder_id)s)
  and message_id is not null
order by sequence

-- name: words_at
select flags || keywords as words
from email_placements
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(uidvalidity)s
  and uid = %(uid)s
  and vanished_at is null

-- name: looks
-- By what a message is known for certain.
select id, size_bytes, content_hash
from email_messages
where tenant_id = %(tenant_id)s
  and id = any (%(message_ids)s::uuid[])

-- name: mark_again
-- The last word on the flags of something that its server was not told yet.
update email_intents
set added = %(added)s, removed = %(removed)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(intent_id)s

-- name: sent
-- They are about to be told. What the destination's numbers are before tells later whether it was done.
update email_intents
set state = 'sent', attempts = attempts + 1, sent_uidvalidity = %(sent_uidvalidity)s, sent_uidnext = %(sent_uidnext)s,
  updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = any (%(intent_ids)s::uuid[])

-- name: put_off
-- The server was told and could not do it now.
update email_intents
set last_error = %(reason)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = any (%(intent_ids)s::uuid[])

-- name: refuse
update email_intents
set state = 'refused', last_error = %(reason)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = any (%(intent_ids)s::uuid[])

-- name: remove
-- Done, or not wanted any more.
delete from email_intents
where tenant_id = %(tenant_id)s
  and id = any (%(intent_ids)s::uuid[])

-- name: meet
-- What stood in a folder without a UID has one now, or a renumbered folder has given another: what else is wanted of it
-- goes there.
update email_intents
set uidvalidity = %(uidvalidity)s, uid = %(uid)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and message_id = %(message_id)s
  and folder_id = %(folder_id)s
  and uidvalidity = %(old_uidvalidity)s
  and uid = %(old_uid)s

-- name: follow
-- Where a message lies under the numbers that a folder has now; intents of the numbers before come with it.
select i.id, i.message_id, i.folder_id, i.uidvalidity, i.uid, n.uidvalidity as new_uidvalidity, n.uid as new_uid
from email_intents i
join email_folders f on f.tenant_id = i.tenant_id and f.id = i.folder_id
left join lateral (
  select p.uidvalidity, p.uid
  from email_placements p
  where p.tenant_id = i.tenant_id
    and p.message_id = i.message_id
    and p.folder_id = i.folder_id
    and p.uidvalidity = f.uidvalidity
    and p.uid > 0
    and p.vanished_at is null
  order by p.uid
  limit 1
) n on true
where i.tenant_id = %(tenant_id)s
  and i.account_id = %(account_id)s
  and i.state <> 'refused'
  and i.uid > 0
  and f.uidvalidity is distinct from i.uidvalidity
order by i.sequence

-- name: counts
-- How much waits in an account, since when, and how much was refused.
select count(*) filter (where state <> 'refused') as waiting, count(*) filter (where state = 'refused') as refused,
  min(created_at) filter (where state <> 'refused') as since
from email_intents
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
