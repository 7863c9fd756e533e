-- Sync jobs: when an account is looked at next, and who does it now. The clock is the database's.

-- name: acquire
-- One account for one process, unless another has it.
update email_sync_jobs
set worker_id = %(worker_id)s, token = token + 1, claimed_at = (extract(epoch from statement_timestamp()) * 1000)::bigint,
  lease_until = (extract(epoch from statement_timestamp()) * 1000)::bigint + %(lease_ms)s, done = 0, expected = null,
  left_ms = null
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and (worker_id is null or lease_until <= (extract(epoch from statement_timestamp()) * 1000)::bigint)
returning token

-- name: hold
-- Whether the account is still ours; if so nobody takes it over before this transaction has ended.
select token
from email_sync_jobs
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and worker_id = %(worker_id)s
  and token = %(token)s
for share

-- name: extend
-- We live, and this is how far we have come. A lease that ran out unnoticed is taken up again.
update email_sync_jobs
set lease_until = (extract(epoch from statement_timestamp()) * 1000)::bigint + %(lease_ms)s, done = %(done)s,
  expected = %(expected)s, left_ms = %(left_ms)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and worker_id = %(worker_id)s
  and token = %(token)s

-- name: release
-- Free for all again, and due after so long; at once where somebody asked for it meanwhile.
update email_sync_jobs
set worker_id = null, lease_until = null, claimed_at = null, left_ms = null, failures = %(failures)s,
  trouble = %(trouble)s,
  due_at = case
    when due_at is null then null
    when woken_at > claimed_at then least(due_at, (extract(epoch from statement_timestamp()) * 1000)::bigint)
    else (extract(epoch from statement_timestamp()) * 1000)::bigint + %(due_in_ms)s
  end
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and worker_id = %(worker_id)s
  and token = %(token)s

-- name: failures
-- How often in a row it has failed.
select failures
from email_sync_jobs
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s

-- name: wake
-- There is news: before all others of the tenant.
update email_sync_jobs
set due_at = 0, woken_at = (extract(epoch from statement_timestamp()) * 1000)::bigint
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and due_at is not null

-- name: hasten
-- To be looked at after so long, if not before.
update email_sync_jobs
set due_at = least(due_at, (extract(epoch from statement_timestamp()) * 1000)::bigint + %(due_in_ms)s), watcher_id = null
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and due_at is not null

-- name: watch
-- Nothing where another worker waits for news of it. What a dead one waited for is free: email_worker_beat().
update email_sync_jobs
set watcher_id = %(worker_id)s
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and (watcher_id is null or watcher_id = %(worker_id)s)

-- name: unwatch
update email_sync_jobs
set watcher_id = null
where tenant_id = %(tenant_id)s
  and account_id = any (%(account_ids)s::uuid[])
  and watcher_id = %(worker_id)s

-- name: unwanted
-- Of these accounts those that are no more to be synced.
select account_id
from email_sync_jobs
where tenant_id = %(tenant_id)s
  and account_id = any (%(account_ids)s::uuid[])
  and due_at is null

-- name: due
-- The accounts that want a sync by now, the longest waiting first.
select account_id, due_at
from email_sync_jobs
where tenant_id = %(tenant_id)s
  and due_at <= (extract(epoch from statement_timestamp()) * 1000)::bigint
  and (worker_id is null or lease_until <= (extract(epoch from statement_timestamp()) * 1000)::bigint)
order by due_at
limit %(limit)s

-- name: running
-- What is being synced now, and how far it has come.
select account_id, worker_id, claimed_at, done, expected, left_ms
from email_sync_jobs
where tenant_id = %(tenant_id)s
  and worker_id is not null
  and lease_until > (extract(epoch from statement_timestamp()) * 1000)::bigint

-- name: of_tenant
-- Every account's state: when it is due (in milliseconds from now), whether it is at work, what troubles it.
select account_id, due_at - (extract(epoch from statement_timestamp()) * 1000)::bigint as due_in_ms,
  worker_id is not null and lease_until > (extract(epoch from statement_timestamp()) * 1000)::bigint as is_running,
  watcher_id is not null as is_watched, failures, trouble, done, expected, left_ms
from email_sync_jobs
where tenant_id = %(tenant_id)s

-- name: sends_due
-- The accounts whose outbox has something to do by now, the longest waiting first.
select account_id, send_due_at
from email_sync_jobs
where tenant_id = %(tenant_id)s
  and send_due_at <= (extract(epoch from statement_timestamp()) * 1000)::bigint
  and not is_paused
order by send_due_at
limit %(limit)s

-- name: hold_sends
-- Before `sends_next`, which looks after this has been granted: what was posted until then is seen, and what comes later waits.
select account_id
from email_sync_jobs
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
for update

-- name: sends_next
-- When the account's outbox has something to do again: a message, a copy for the Sent folder, one that was on its way when
-- its worker was lost, or one of the last day of which nobody knows, as the mailbox may tell meanwhile.
update email_sync_jobs
set send_due_at = least(
  (
    select min(o.not_before)
    from email_outbox o
    where o.tenant_id = %(tenant_id)s
      and o.account_id = %(account_id)s
      and o.state = 'pending'
      and o.kind = 'send'
  ),
  (
    select min(s.copy_not_before)
    from email_sends s
    where s.tenant_id = %(tenant_id)s
      and s.account_id = %(account_id)s
      and s.copy_state = 'wanted'
  ),
  (
    select min(case o.state when 'running' then o.updated_at + %(lost_after_ms)s else %(look_again_at)s end)
    from email_outbox o
    where o.tenant_id = %(tenant_id)s
      and o.account_id = %(account_id)s
      and o.state in ('running', 'unknown')
      and o.kind = 'send'
      and (o.state = 'running' or o.updated_at > %(look_again_at)s - 86400000)
  )
)
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
