-- Messages: one row for each different message of an account.
-- Lists come a page at a time: what is older than the last message of the page before, or than the end of time.

-- name: known
-- Which of these raw messages the account has.
select id, content_hash
from email_messages
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and content_hash = any (%(hashes)s::bytea[])

-- name: taken_keys
-- Which of these keys stand for another message already.
select message_id
from email_messages
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and message_id = any (%(keys)s::varchar[])

-- name: any_of
-- Whether the account has any mail, living or not.
select exists (
  select from email_messages
  where tenant_id = %(tenant_id)s
    and account_id = %(account_id)s
) as has_mail

-- name: look_alikes
-- Messages with these Message-IDs, with all else that a server tells of a message without its body.
select m.id, m.message_id, m.date_header, m.size_bytes, p.internal_date
from email_messages m
join email_placements p on p.tenant_id = m.tenant_id and p.message_id = m.id
where m.tenant_id = %(tenant_id)s
  and m.account_id = %(account_id)s
  and m.message_id = any (%(keys)s::varchar[])
  and p.internal_date is not null

-- name: by_message_id
select id
from email_messages
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and message_id = %(message_id)s

-- name: by_uid
select id
from email_messages
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and imap_uid = %(imap_uid)s
  and not is_deleted

-- name: make_way
-- In a folder that was numbered anew a new message may have the number that one of the old numbering still names.
update email_messages m
set imap_uid = null
from unnest(%(folder_id)b::uuid[], %(imap_uid)b::text[]) as n (folder_id, imap_uid)
where m.tenant_id = %(tenant_id)s
  and m.folder_id = n.folder_id
  and m.imap_uid = n.imap_uid
  and not m.is_deleted

-- name: insert
insert into email_messages (
  tenant_id, account_id, created_at, updated_at,
  id, folder_id, message_id, message_id_header, imap_uid, in_reply_to, reference_ids, "from", "to", cc, bcc, reply_to,
  subject, text_body, html_body, preview, list_id, is_read, is_flagged, is_draft, has_attachments, thread_id,
  thread_family_id, sent_at, date_header, received_at, size_bytes, content_hash, raw_blob, raw_recipe, defects)
select
  %(tenant_id)s, %(account_id)s, %(at)s, %(at)s,
  n.id, n.folder_id, n.message_id, n.message_id_header, n.imap_uid, n.in_reply_to, n.reference_ids::text[],
  n.sender, n.recipients::jsonb, n.cc::jsonb, n.bcc::jsonb, n.reply_to,
  n.subject, n.text_body, n.html_body, n.preview, n.list_id, n.is_read, n.is_flagged, n.is_draft, n.has_attachments,
  n.thread_id, n.thread_family_id, n.sent_at, n.date_header, n.received_at, n.size_bytes, n.content_hash, n.raw_blob,
  n.raw_recipe::jsonb, n.defects::text[]
from unnest(
  %(id)b::uuid[], %(folder_id)b::uuid[], %(message_id)b::text[], %(message_id_header)b::text[], %(imap_uid)b::text[],
  %(in_reply_to)b::text[], %(reference_ids)b::text[], %(sender)b::text[], %(recipients)b::text[], %(cc)b::text[],
  %(bcc)b::text[], %(reply_to)b::text[], %(subject)b::text[], %(text_body)b::text[], %(html_body)b::text[],
  %(preview)b::text[], %(list_id)b::text[], %(is_read)b::boolean[], %(is_flagged)b::boolean[], %(is_draft)b::boolean[],
  %(has_attachments)b::boolean[], %(thread_id)b::uuid[], %(thread_family_id)b::uuid[], %(sent_at)b::bigint[],
  %(date_header)b::text[], %(received_at)b::bigint[], %(size_bytes)b::bigint[], %(content_hash)b::bytea[],
  %(raw_blob)b::bytea[], %(raw_recipe)b::text[], %(defects)b::text[]
) as n (
  id, folder_id, message_id, message_id_header, imap_uid, in_reply_to, reference_ids, sender, recipients, cc, bcc,
  reply_to, subject, text_body, html_body, preview, list_id, is_read, is_flagged, is_draft, has_attachments, thread_id,
  thread_family_id, sent_at, date_header, received_at, size_bytes, content_hash, raw_blob, raw_recipe, defects)

-- name: insert_addresses
insert into email_addresses (tenant_id, account_id, message_id, role, position, name, address, domain)
select %(tenant_id)s, %(account_id)s, n.*
from unnest(
  %(message_id)b::uuid[], %(role)b::text[], %(position)b::integer[], %(name)b::text[], %(address)b::text[],
  %(domain)b::text[]) as n

-- name: get
select *
from email_messages
where tenant_id = %(tenant_id)s
  and id = %(message_id)s

-- name: view
-- A message as it is shown, with where it lies, who is named in its header, and what is attached, in one answer.
select m.id, m.thread_id, m.account_id, m.folder_id, m.message_id_header, m.in_reply_to, m.reference_ids, m.subject, m."from",
  m.sent_at, m.received_at, m.preview, m.list_id, m.is_read, m.is_flagged, m.is_draft, m.is_deleted, m.has_attachments,
  m.size_bytes, m.text_body, m.html_body, m.defects, m.updated_at, m.content_hash, m.raw_blob, m.raw_recipe,
  (select json_agg(json_build_object('id', f.id, 'name', f.name, 'type', f.type, 'flags', p.flags, 'keywords', p.keywords)
      order by f.name, p.uid)
    from email_placements p
    join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id
    where p.tenant_id = m.tenant_id and p.message_id = m.id and p.vanished_at is null and not p.is_hidden) as folders,
  (select json_agg(json_build_object('role', a.role, 'name', a.name, 'address', a.address) order by a.role, a.position)
    from email_addresses a where a.tenant_id = m.tenant_id and a.message_id = m.id) as addresses,
  (select json_agg(json_build_object('id', t.id, 'filename', t.filename, 'mime_type', t.mime_type, 'size_bytes', t.size_bytes,
      'sha256', t.content_hash, 'content_id', t.content_id, 'is_inline', t.is_inline) order by t.position)
    from email_attachments t
    where t.tenant_id = m.tenant_id and t.message_id = m.id and not t.is_deleted) as attachments
from email_messages m
where m.tenant_id = %(tenant_id)s
  and m.id = %(message_id)s

-- name: starting_with
-- Messages whose id starts so: what a person copied from a list.
select id
from email_messages
where tenant_id = %(tenant_id)s
  and id between %(lowest)s and %(highest)s
  and is_deleted = %(is_deleted)s
limit 2

-- name: addresses_of
select role, position, name, address
from email_addresses
where tenant_id = %(tenant_id)s
  and message_id = %(message_id)s
order by role, position

-- name: summaries
select id, thread_id, account_id, folder_id, subject, "from", sent_at, received_at, preview, is_read, is_flagged, is_draft,
  has_attachments, size_bytes
from email_messages
where tenant_id = %(tenant_id)s
  and id = any (%(message_ids)s::uuid[])
  and not is_deleted

-- name: texts
-- What a snippet is cut from.
select id, left(text_body, 200000) as text, case when text_body is null then left(html_body, 200000) end as html
from email_messages
where tenant_id = %(tenant_id)s
  and id = any (%(message_ids)s::uuid[])
  and not is_deleted

-- name: list_folder
-- A folder, newest first.
select id, thread_id, account_id, folder_id, subject, "from", sent_at, received_at, preview, is_read, is_flagged, is_draft,
  has_attachments, size_bytes
from email_messages
where tenant_id = %(tenant_id)s
  and folder_id = %(folder_id)s
  and not is_deleted
  and (received_at, id) < (%(before_at)s, %(before_id)s)
order by received_at desc, id desc
limit %(limit)s

-- name: list_tenant
-- All mail of the tenant, newest first.
select id, thread_id, account_id, folder_id, subject, "from", sent_at, received_at, preview, is_read, is_flagged, is_draft,
  has_attachments, size_bytes
from email_messages
where tenant_id = %(tenant_id)s
  and not is_deleted
  and (received_at, id) < (%(before_at)s, %(before_id)s)
order by received_at desc, id desc
limit %(limit)s

-- name: list_thread
-- A conversation in its order.
select id, thread_id, account_id, folder_id, subject, "from", sent_at, received_at, preview, is_read, is_flagged, is_draft,
  has_attachments, size_bytes
from email_messages
where tenant_id = %(tenant_id)s
  and thread_id = %(thread_id)s
  and not is_deleted
  and (received_at, id) > (%(after_at)s, %(after_id)s)
order by received_at, id
limit %(limit)s

-- name: list_threads
-- Conversations by their newest message, newest first, each with what it is made of.
select m.id, m.thread_id, m.account_id, m.folder_id, m.subject, m."from", m.sent_at, m.received_at, m.preview, m.is_read,
  m.is_flagged, m.is_draft, m.has_attachments, m.size_bytes, t.messages, t.unread, t.flagged
from email_messages m
cross join lateral (
  select count(*) as messages, count(*) filter (where not o.is_read) as unread,
    count(*) filter (where o.is_flagged) as flagged
  from email_messages o
  where o.tenant_id = %(tenant_id)s
    and o.thread_id = m.thread_id
    and not o.is_deleted
) t
where m.tenant_id = %(tenant_id)s
  and not m.is_deleted
  and (m.received_at, m.id) < (%(before_at)s, %(before_id)s)
  and m.id = (
    select o.id
    from email_messages o
    where o.tenant_id = %(tenant_id)s
      and o.thread_id = m.thread_id
      and not o.is_deleted
    order by o.received_at desc, o.id desc
    limit 1
  )
order by m.received_at desc, m.id desc
limit %(limit)s

-- name: list_threads_of_folder
-- The same of a folder: by the newest message that lies there.
select m.id, m.thread_id, m.account_id, m.folder_id, m.subject, m."from", m.sent_at, m.received_at, m.preview, m.is_read,
  m.is_flagged, m.is_draft, m.has_attachments, m.size_bytes, t.messages, t.unread, t.flagged
from email_messages m
cross join lateral (
  select count(*) as messages, count(*) filter (where not o.is_read) as unread,
    count(*) filter (where o.is_flagged) as flagged
  from email_messages o
  where o.tenant_id = %(tenant_id)s
    and o.thread_id = m.thread_id
    and not o.is_deleted
) t
where m.tenant_id = %(tenant_id)s
  and m.folder_id = %(folder_id)s
  and not m.is_deleted
  and (m.received_at, m.id) < (%(before_at)s, %(before_id)s)
  and m.id = (
    select o.id
    from email_messages o
    where o.tenant_id = %(tenant_id)s
      and o.thread_id = m.thread_id
      and o.folder_id = %(folder_id)s
      and not o.is_deleted
    order by o.received_at desc, o.id desc
    limit 1
  )
order by m.received_at desc, m.id desc
limit %(limit)s

-- name: list_unread
-- What is unread in an account, newest first.
select id, thread_id, account_id, folder_id, subject, "from", sent_at, received_at, preview, is_read, is_flagged, is_draft,
  has_attachments, size_bytes
from email_messages
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and not is_read
  and not is_deleted
  and (received_at, id) < (%(before_at)s, %(before_id)s)
order by received_at desc, id desc
limit %(limit)s

-- name: flagged
-- The flagged messages of an account, newest first.
select id, thread_id, account_id, folder_id, subject, "from", sent_at, received_at, preview, is_read, is_flagged, is_draft,
  has_attachments, size_bytes
from email_messages
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and is_flagged
  and not is_deleted
  and (received_at, id) < (%(before_at)s, %(before_id)s)
order by received_at desc, id desc
limit %(limit)s

-- name: drafts
-- The drafts of an account, newest first.
select id, thread_id, account_id, folder_id, subject, "from", sent_at, received_at, preview, is_read, is_flagged, is_draft,
  has_attachments, size_bytes
from email_messages
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and is_draft
  and not is_deleted
  and (received_at, id) < (%(before_at)s, %(before_id)s)
order by received_at desc, id desc
limit %(limit)s

-- name: of_list
-- The mail of a mailing list or newsletter, newest first.
select id, thread_id, account_id, folder_id, subject, "from", sent_at, received_at, preview, is_read, is_flagged, is_draft,
  has_attachments, size_bytes
from email_messages
where tenant_id = %(tenant_id)s
  and list_id = %(list_id)s
  and not is_deleted
  and (received_at, id) < (%(before_at)s, %(before_id)s)
order by received_at desc, id desc
limit %(limit)s

-- name: purgeable
-- What was deleted before a time and its server was told of, the longest gone first, a page at a time. It may be held.
select id, account_id, deleted_at
from email_messages
where tenant_id = %(tenant_id)s
  and is_deleted
  and deleted_at < %(before)s
  and not exists (
    select from email_intents i
    where i.tenant_id = %(tenant_id)s and i.message_id = email_messages.id and i.state <> 'refused')
  and (deleted_at, id) > (%(after_at)s, %(after_id)s)
order by deleted_at, id
limit %(limit)s

-- name: count_purgeable
select count(*) as messages
from email_messages
where tenant_id = %(tenant_id)s
  and is_deleted
  and deleted_at < %(before)s
  and not exists (
    select from email_intents i
    where i.tenant_id = %(tenant_id)s and i.message_id = email_messages.id and i.state <> 'refused')

-- name: deleted
-- What was deleted since a time, the latest first, a page at a time.
select id, account_id, subject, "from", received_at, deleted_at, removed_at
from email_messages
where tenant_id = %(tenant_id)s
  and is_deleted
  and deleted_at >= %(since)s
  and (deleted_at, id) < (%(before_at)s, %(before_id)s)
order by deleted_at desc, id desc
limit %(limit)s

-- name: remove
-- Somebody deletes these. What is gone already stays as it is.
update email_messages
set removed_at = %(at)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and id = any (%(message_ids)s::uuid[])
  and not is_deleted
  and removed_at is null
returning id

-- name: bring_back
update email_messages
set removed_at = null
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and id = any (%(message_ids)s::uuid[])
  and is_deleted
returning id

-- name: accounts_of
-- Which account each of these messages is of.
select id, account_id
from email_messages
where tenant_id = %(tenant_id)s
  and id = any (%(message_ids)s::uuid[])

-- name: homes_of
-- The folder that each of these messages says it lies in, or lay in last.
select id, folder_id
from email_messages
where tenant_id = %(tenant_id)s
  and id = any (%(message_ids)s::uuid[])

-- name: blobs_of
-- The blobs that these messages need, and perhaps others too.
select raw_blob as sha256
from email_messages
where tenant_id = %(tenant_id)s
  and id = any (%(message_ids)s::uuid[])
union
select blob_hash
from email_attachments
where tenant_id = %(tenant_id)s
  and message_id = any (%(message_ids)s::uuid[])

-- name: purge
-- Addresses, attachments and words go with them.
delete from email_messages
where tenant_id = %(tenant_id)s
  and id = any (%(message_ids)s::uuid[])
returning thread_family_id

-- name: to_export
-- The messages of an account in the order of their ids, a page at a time, with the folders that they lie in.
select m.id, m.content_hash, m.raw_blob, m.raw_recipe, m.received_at, m.is_read, m.is_flagged, m.is_draft, m."from",
  coalesce((select array_agg(distinct f.name order by f.name) from email_placements p
    join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id
    where p.tenant_id = m.tenant_id and p.message_id = m.id and p.vanished_at is null and not p.is_hidden), '{}') as folders,
  coalesce((select array_agg(distinct flag) from email_placements p, unnest(p.flags) flag
    where p.tenant_id = m.tenant_id and p.message_id = m.id and p.vanished_at is null and not p.is_hidden), '{}') as flags
from email_messages m
where m.tenant_id = %(tenant_id)s
  and m.account_id = %(account_id)s
  and m.id > %(after)s
  and not m.is_deleted
order by m.id
limit %(limit)s

-- name: count_of
select count(*) as messages, coalesce(sum(size_bytes), 0)::bigint as size_bytes
from email_messages
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and not is_deleted
