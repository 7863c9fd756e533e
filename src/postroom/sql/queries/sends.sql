-- Sends: the messages of the outbox, and what became of them.
-- A row is pending until the moment before DATA, running from there to the server's answer, and then done or failed.
-- Only a row that was running can have been sent without our knowing; it becomes unknown, and is never sent again
-- unless somebody says that it was not.

-- name: insert
insert into email_sends (tenant_id, outbox_id, account_id, message_id, sender, subject, raw_blob, size_bytes,
  needs_smtputf8, needs_8bitmime)
values (%(tenant_id)s, %(outbox_id)s, %(account_id)s, %(message_id)s, %(sender)s, %(subject)s, %(raw_blob)s,
  %(size_bytes)s, %(needs_smtputf8)s, %(needs_8bitmime)s)

-- name: insert_recipients
insert into email_recipients (tenant_id, outbox_id, position, address)
select %(tenant_id)s, %(outbox_id)s, n.position, n.address
from unnest(%(addresses)s::text[]) with ordinality as n (address, position)

-- name: claim
-- The message that waits longest, for one worker: whoever else looks now passes it over, and it is due again only when
-- the lease has run out. Until `start` nothing of it has been sent.
with due as (
  select d.id
  from email_outbox d
  where d.tenant_id = %(tenant_id)s
    and d.account_id = %(account_id)s
    and d.state = 'pending'
    and d.kind = 'send'
    and d.not_before <= %(at)s
    and exists (select from email_sends e where e.tenant_id = d.tenant_id and e.outbox_id = d.id)
  order by d.not_before, d.id
  limit 1
  for update skip locked
)
update email_outbox o
set attempts = o.attempts + 1, not_before = %(lease_until)s, updated_at = %(now)s
from due, email_sends s
where o.tenant_id = %(tenant_id)s
  and o.id = due.id
  and s.tenant_id = o.tenant_id
  and s.outbox_id = o.id
returning o.id, o.attempts, o.created_at, s.message_id, s.sender, s.raw_blob, s.size_bytes, s.needs_smtputf8,
  s.needs_8bitmime

-- name: start
-- The moment before DATA. No row: it was cancelled, or the lease ran out and another worker has it.
update email_outbox
set state = 'running', updated_at = %(now)s
where tenant_id = %(tenant_id)s
  and id = %(outbox_id)s
  and state = 'pending'
  and attempts = %(attempts)s

-- name: goes_on
-- Its worker is alive and still at it.
update email_outbox
set updated_at = %(now)s
where tenant_id = %(tenant_id)s
  and id = %(outbox_id)s
  and state = 'running'

-- name: conclude
-- What came of an attempt. It counts also when somebody thought meanwhile that the worker was gone, but not when the
-- question has been settled by hand or another attempt was begun.
update email_outbox
set state = %(state)s, last_error = %(last_error)s, not_before = %(not_before)s,
  updated_at = %(now)s
where tenant_id = %(tenant_id)s
  and id = %(outbox_id)s
  and state in ('pending', 'running', 'unknown')
  and attempts = %(attempts)s

-- name: answered
-- What the server said to each recipient. Between DATA and its answer they are unknown.
update email_recipients r
set state = n.state, code = n.code, reply = n.reply
from unnest(%(addresses)s::text[], %(states)s::text[], %(codes)s::integer[], %(replies)s::text[])
  as n (address, state, code, reply)
where r.tenant_id = %(tenant_id)s
  and r.outbox_id = %(outbox_id)s
  and r.address = n.address

-- name: accepted
-- The server has taken it.
update email_sends
set server_reply = %(server_reply)s, sent_at = %(now)s, copy_state = %(copy_state)s, copy_not_before = %(now)s
where tenant_id = %(tenant_id)s
  and outbox_id = %(outbox_id)s
  and sent_at is null

-- name: lost
-- Nothing was heard of their workers since DATA: whether these were sent is not known.
update email_outbox
set state = 'unknown', last_error = %(last_error)s, updated_at = %(now)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and state = 'running'
  and kind = 'send'
  and updated_at < %(before)s
returning id

-- name: open_questions
-- Of what nobody knows the end of: whether the mailbox holds it, outside Drafts, which only what was sent can explain.
select o.id, exists (
  select
  from email_messages m
  join email_placements p on p.tenant_id = m.tenant_id and p.message_id = m.id and p.vanished_at is null
  join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id
  where m.tenant_id = s.tenant_id
    and m.account_id = s.account_id
    and m.message_id = s.message_id
    and f.type <> 'drafts') as is_found
from email_outbox o
join email_sends s on s.tenant_id = o.tenant_id and s.outbox_id = o.id
where o.tenant_id = %(tenant_id)s
  and o.account_id = %(account_id)s
  and o.state = 'unknown'
  and o.kind = 'send'

-- name: settle
-- Somebody knows how it ended. No row: it was no open question (any more).
update email_outbox
set state = %(state)s, last_error = %(last_error)s, not_before = %(now)s, updated_at = %(now)s
where tenant_id = %(tenant_id)s
  and id = %(outbox_id)s
  and state = 'unknown'

-- name: settle_recipients
update email_recipients
set state = %(state)s
where tenant_id = %(tenant_id)s
  and outbox_id = %(outbox_id)s
  and state = 'unknown'

-- name: cancel
-- No row: it is too late.
update email_outbox
set state = 'cancelled', updated_at = %(now)s
where tenant_id = %(tenant_id)s
  and id = %(outbox_id)s
  and state = 'pending'

-- name: waiting_recipients
select address
from email_recipients
where tenant_id = %(tenant_id)s
  and outbox_id = %(outbox_id)s
  and state = 'waiting'
order by position

-- name: accepted_count
select count(*) as accepted
from email_recipients
where tenant_id = %(tenant_id)s
  and outbox_id = %(outbox_id)s
  and state = 'accepted'

-- name: get
select o.id, o.account_id, o.state, o.not_before, o.attempts, o.last_error, o.created_at, o.updated_at, s.message_id,
  s.sender, s.subject, s.raw_blob, s.size_bytes, s.server_reply, s.sent_at, s.copy_state, s.copy_error,
  s.copy_uidvalidity, s.copy_uid
from email_outbox o
join email_sends s on s.tenant_id = o.tenant_id and s.outbox_id = o.id
where o.tenant_id = %(tenant_id)s
  and o.id = %(outbox_id)s

-- name: recipients_of
select address, state, code, reply, report, report_status, report_text, reported_at
from email_recipients
where tenant_id = %(tenant_id)s
  and outbox_id = %(outbox_id)s
order by position

-- name: of_account
-- What an account sent and is to send, newest first, a page at a time.
select o.id, o.state, o.not_before, o.attempts, o.last_error, o.created_at, s.subject, s.sent_at, s.copy_state,
  (select array_agg(r.address order by r.position) from email_recipients r
    where r.tenant_id = s.tenant_id and r.outbox_id = s.outbox_id) as recipients,
  (select count(*) from email_recipients r
    where r.tenant_id = s.tenant_id and r.outbox_id = s.outbox_id and (r.state = 'refused' or r.report = 'failed'))
    as failed_recipients
from email_sends s
join email_outbox o on o.tenant_id = s.tenant_id and o.id = s.outbox_id
where s.tenant_id = %(tenant_id)s
  and s.account_id = %(account_id)s
  and s.outbox_id < %(before_id)s
order by s.outbox_id desc
limit %(limit)s

-- name: starting_with
-- Messages of the outbox whose id starts so: what a person copied from a list.
select outbox_id
from email_sends
where tenant_id = %(tenant_id)s
  and outbox_id between %(lowest)s and %(highest)s
limit 2

-- name: copies
-- What is to be put into the Sent folder by now. Claimed by counting the attempt and pushing the next one away.
with due as (
  select outbox_id
  from email_sends
  where tenant_id = %(tenant_id)s
    and account_id = %(account_id)s
    and copy_state = 'wanted'
    and copy_not_before <= %(at)s
  order by outbox_id
  limit 1
  for update skip locked
)
update email_sends s
set copy_attempts = s.copy_attempts + 1, copy_not_before = %(lease_until)s
from due
where s.tenant_id = %(tenant_id)s
  and s.outbox_id = due.outbox_id
returning s.outbox_id, s.message_id, s.raw_blob, s.sent_at, s.copy_attempts

-- name: copied
update email_sends
set copy_state = %(copy_state)s, copy_error = %(copy_error)s, copy_uidvalidity = %(uidvalidity)s, copy_uid = %(uid)s,
  copy_not_before = coalesce(%(not_before)s, copy_not_before)
where tenant_id = %(tenant_id)s
  and outbox_id = %(outbox_id)s
  and copy_state = 'wanted'

-- name: by_message_id
select outbox_id
from email_sends
where tenant_id = %(tenant_id)s
  and message_id = any (%(message_ids)s::text[])

-- name: exists
select outbox_id
from email_sends
where tenant_id = %(tenant_id)s
  and outbox_id = any (%(outbox_ids)s::uuid[])

-- name: reported
-- What became of it after the server had taken it. A failure stands; news after a delay replaces it.
update email_recipients
set report = %(report)s, report_status = %(report_status)s, report_text = %(report_text)s, reported_at = %(now)s
where tenant_id = %(tenant_id)s
  and outbox_id = %(outbox_id)s
  and (lower(address) = any (%(addresses)s::text[]) or (%(is_only)s and position = 1))
  and (report is null or report <> 'failed')
