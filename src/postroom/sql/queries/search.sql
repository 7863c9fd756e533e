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
