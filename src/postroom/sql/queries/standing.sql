-- Standing searches: what every message is asked when it comes in, and what matched.

-- name: insert
insert into email_standing_searches (tenant_id, id, user_id, name, query, timezone, account_id, created_at, updated_at)
values (%(tenant_id)s, %(search_id)s, %(user_id)s, %(name)s, %(query)s, %(timezone)s, %(account_id)s, %(at)s, %(at)s)

-- name: all_of
-- The standing searches of the tenant, the oldest first.
select id, user_id, name, query, timezone, account_id, created_at, updated_at
from email_standing_searches
where tenant_id = %(tenant_id)s
order by id

-- name: get
select id, user_id, name, query, timezone, account_id, created_at, updated_at
from email_standing_searches
where tenant_id = %(tenant_id)s
  and id = %(search_id)s

-- name: change
update email_standing_searches
set name = %(name)s, query = %(query)s, timezone = %(timezone)s, account_id = %(account_id)s, updated_at = %(at)s
where tenant_id = %(tenant_id)s
  and id = %(search_id)s

-- name: remove
delete from email_standing_searches
where tenant_id = %(tenant_id)s
  and id = %(search_id)s

-- name: asked_of
-- What is asked of the mail that comes into an account: of a user's searches those of users who see it.
select s.id, s.query, s.timezone
from email_standing_searches s
where s.tenant_id = %(tenant_id)s
  and (s.account_id is null or s.account_id = %(account_id)s)
  and (s.user_id is null
    or exists (
      select from email_account_shares h
      where h.tenant_id = s.tenant_id
        and h.user_id = s.user_id
        and h.account_id = %(account_id)s
    ))
order by s.id

-- name: find
-- Which of these messages match which of these queries, by their places from 1.
select place, message_id
from email_search_new(%(tenant_id)s, %(queries)s::jsonb, %(message_ids)s::uuid[])

-- name: keep
insert into email_standing_matches (tenant_id, id, search_id, message_id, account_id, matched_at)
select %(tenant_id)s, n.id, n.search_id, n.message_id, %(account_id)s, %(at)s
from unnest(%(ids)s::uuid[], %(search_ids)s::uuid[], %(message_ids)s::uuid[]) as n (id, search_id, message_id)
on conflict (tenant_id, search_id, message_id) do nothing
returning id

-- name: matches
-- What these matches are.
select id, search_id, message_id
from email_standing_matches
where tenant_id = %(tenant_id)s
  and id = any (%(match_ids)s::uuid[])

-- name: matches_of
-- What a search matched, by the messages from the newest that came in on, a page at a time.
select id, message_id, account_id, matched_at
from email_standing_matches
where tenant_id = %(tenant_id)s
  and search_id = %(search_id)s
  and message_id < %(before_id)s
order by message_id desc
limit %(limit)s
