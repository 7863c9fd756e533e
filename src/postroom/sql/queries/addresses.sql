-- Addresses: who wrote, and to whom.

-- name: correspondence
-- The messages that an address has one of these roles in, newest first, a page at a time.
select id, thread_id, account_id, subject, "from", received_at, preview, is_read, is_flagged
from email_messages m
where m.tenant_id = %(tenant_id)s
  and not m.is_deleted
  and (m.received_at, m.id) < (%(before_at)s, %(before_id)s)
  and m.id in (
    select a.message_id
    from email_addresses a
    where a.tenant_id = %(tenant_id)s
      and a.address = %(address)s
      and a.role = any (%(roles)s::text[]))
order by m.received_at desc, m.id desc
limit %(limit)s

-- name: of_domain
-- Who of a company wrote, the busiest first.
select address, max(name) as name, count(*) as messages
from email_addresses
where tenant_id = %(tenant_id)s
  and role = 'from'
  and domain = %(domain)s
group by address
order by messages desc, address
limit %(limit)s
