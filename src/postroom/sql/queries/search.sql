-- Search: words in, message ids out.

-- name: insert_entries
insert into email_search_entries (tenant_id, account_id, message_id, received_at, size_bytes, is_capped, words)
select %(tenant_id)s, %(account_id)s, n.message_id, n.received_at, n.size_bytes, n.is_capped, n.words::tsvector
from unnest(
  %(message_ids)b::uuid[], %(received_ats)b::bigint[], %(sizes)b::bigint[], %(capped)b::boolean[], %(words)b::text[]
) as n (message_id, received_at, size_bytes, is_capped, words)

-- name: matches
-- The ids of the matches, newest first or by rank. The function filters the tenant first and uses the GIN index.
select message_id, received_at, rank
from email_search_messages(%(tenant_id)s, %(query)s::jsonb, %(ranked_by)s, %(limit)s, %(before_at)s, %(before_id)s)

-- name: facets
-- Of what a query finds, at most the newest 10,000: how much lies in which folder, is from whom, came in which year (the
-- years by their first milliseconds). Only what is asked for is counted.
with found as materialized (
  select message_id, received_at
  from email_search_messages(%(tenant_id)s, %(query)s::jsonb, null, 10000, null, null)
)
select 'total' as facet, null::uuid as id, null::uuid as account_id, null::text as name, null::integer as place,
  count(*) as count
from found
union all
(select 'folder', o.id, o.account_id, o.name, null, count(distinct p.message_id)
from found f
join email_placements p on p.tenant_id = %(tenant_id)s and p.message_id = f.message_id and p.vanished_at is null
  and not p.is_hidden
join email_folders o on o.tenant_id = %(tenant_id)s and o.id = p.folder_id
where 'folder' = any (%(facets)s::text[])
group by o.id, o.account_id, o.name
order by 6 desc, o.name
limit 100)
union all
(select 'sender', null, null, a.address, null, count(*)
from found f
join email_addresses a on a.tenant_id = %(tenant_id)s and a.message_id = f.message_id and a.role = 'from'
where 'sender' = any (%(facets)s::text[])
group by a.address
order by 6 desc, a.address
limit 20)
union all
(select 'year', null, null, null, width_bucket(f.received_at, %(years)s::bigint[]), count(*)
from found f
where 'year' = any (%(facets)s::text[])
group by 5
order by 5 desc)
