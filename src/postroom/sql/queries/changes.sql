-- Changes: the feed that every client lives from.

-- name: next_modseq
-- Also the lock that puts the writers of one account in a row: the feed is in the order of commits.
update email_accounts
set modseq = modseq + 1
where tenant_id = %(tenant_id)s
  and id = %(account_id)s
returning modseq

-- name: append
insert into email_changes (tenant_id, account_id, modseq, kind, object_type, object_ids, at)
values (%(tenant_id)s, %(account_id)s, %(modseq)s, %(kind)s, %(object_type)s, %(object_ids)s, %(at)s)

-- name: since
select modseq, kind, object_type, object_ids, at
from email_changes
where tenant_id = %(tenant_id)s
  and account_id = %(account_id)s
  and modseq > %(modseq)s
order by modseq, kind, object_type
limit %(limit)s

-- name: between
-- What happened between two times, in all accounts.
select account_id, modseq, kind, object_type, object_ids, at
from email_changes
where tenant_id = %(tenant_id)s
  and at >= %(since)s
  and at < %(before)s
order by at, account_id, modseq

-- name: heads
-- How far the feed of each account has come.
select id, modseq
from email_accounts
where tenant_id = %(tenant_id)s
order by id

-- name: hold
-- Nobody writes in the account until the transaction ends; its feed does not go on by it.
select modseq
from email_accounts
where tenant_id = %(tenant_id)s
  and id = %(account_id)s
for update
