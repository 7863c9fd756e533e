-- Deliveries: what webhooks are to be told.

-- name: insert
-- What waits already waits once; what had been given up is tried again.
insert into email_webhook_deliveries (tenant_id, webhook_id, id, position, account_id, event, body, not_before, created_at)
select %(tenant_id)s, %(webhook_id)s, n.id, n.position, n.account_id, n.event, n.body, %(at)s, %(at)s
from unnest(%(ids)s::uuid[], %(positions)s::bigint[], %(account_ids)s::uuid[], %(events)s::text[], %(bodies)s::text[])
  as n (id, position, account_id, event, body)
on conflict (tenant_id, webhook_id, id) do update
set state = 'pending', attempts = 0, not_before = excluded.not_before, created_at = excluded.created_at
where email_webhook_deliveries.state = 'dead'

-- name: due
-- What is to be told now, in its order.
select id, account_id, event, body, attempts, created_at
from email_webhook_deliveries
where tenant_id = %(tenant_id)s
  and webhook_id = %(webhook_id)s
  and state = 'pending'
  and not_before <= %(at)s
order by position
limit %(limit)s

-- name: waiting
-- How much waits, and when the first of it is due.
select count(*) as waiting, min(not_before) as not_before
from email_webhook_deliveries
where tenant_id = %(tenant_id)s
  and webhook_id = %(webhook_id)s
  and state = 'pending'

-- name: arrived
delete from email_webhook_deliveries
where tenant_id = %(tenant_id)s
  and webhook_id = %(webhook_id)s
  and id = %(delivery_id)s

-- name: failed
update email_webhook_deliveries
set state = %(state)s, attempts = attempts + 1, not_before = %(not_before)s, last_error = %(error)s
where tenant_id = %(tenant_id)s
  and webhook_id = %(webhook_id)s
  and id = %(delivery_id)s

-- name: list_of
-- A page of what waits, or of what was given up, in its order.
select id, position, account_id, event, state, attempts, not_before, last_error, created_at, body
from email_webhook_deliveries
where tenant_id = %(tenant_id)s
  and webhook_id = %(webhook_id)s
  and state = %(state)s
  and position > %(after_position)s
order by position
limit %(limit)s

-- name: counts
select webhook_id, count(*) filter (where state = 'pending') as pending, count(*) filter (where state = 'dead') as dead
from email_webhook_deliveries
where tenant_id = %(tenant_id)s
  and webhook_id = any (%(webhook_ids)s::uuid[])
group by webhook_id

-- name: renew
-- What was given up, or waits, is tried anew from now on.
update email_webhook_deliveries
set state = 'pending', attempts = 0, not_before = %(at)s, created_at = %(at)s
where tenant_id = %(tenant_id)s
  and webhook_id = %(webhook_id)s
  and state = any (%(states)s::text[])

-- name: expire
-- What was given up so long ago that nobody will ask for it.
delete from email_webhook_deliveries
where tenant_id = %(tenant_id)s
  and webhook_id = %(webhook_id)s
  and state = 'dead'
  and created_at < %(before)s
