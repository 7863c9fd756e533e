-- Outbox: what people want done on the server, written in the transaction that shows it as done.

-- name: enqueue
-- The same request twice is done once: gives the row that is there. Nothing when another transaction just wrote it;
-- then ask again.
with made as (
  insert into email_outbox (tenant_id, id, account_id, kind, payload, idempotency_key, not_before, created_at, updated_at)
  values (%(tenant_id)s, %(id)s, %(account_id)s, %(kind)s, %(payload)s, %(idempotency_key)s, %(not_before)s, %(at)s,
    %(at)s)
  on conflict (tenant_id, account_id, idempotency_key) where idempotency_key is not null do nothing
  returning id, state
)
select id, state from made
union all
select o.id, o.state
from email_outbox o
where o.tenant_id = %(tenant_id)s
  and o.account_id = %(account_id)s
  and o.idempotency_key = %(idempotency_key)s
  and not exists (select from made)

-- name: due
-- What is to be done for an account by now, the longest waiting first. Held until the transaction ends; what another
-- worker holds is passed over.
select id, kind, payload, attempts
from email_outbox
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and state = 'pending'
  and not_before <= %(at)s
order by not_before, id
limit %(limit)s
for update skip locked
