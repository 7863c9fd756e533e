-- Ten tenants of very different size, for the planner to look at. Run by a superuser on a fresh schema; every value
-- follows from its number, so two runs give the same rows. Triggers and foreign keys rest: the counters do not matter.
set session_replication_role = replica;

-- Ids in the order of their number, as UUIDv7 are.
create function pg_temp.id(kind text, tenant integer, number bigint) returns uuid language sql immutable as $$
  select (lpad(to_hex(number), 12, '0') || substr(md5(kind || tenant || '/' || number), 1, 20))::uuid
$$;
create function pg_temp.hash(kind text, tenant integer, number bigint) returns bytea language sql immutable as $$
  select sha256(convert_to(kind || tenant || '/' || number, 'UTF8'))
$$;

create temp table crowd (tenant integer, tenant_id uuid, messages integer, accounts integer);
insert into crowd
select number, pg_temp.id('tenant', 0, number), size, greatest(2, size / 60)
from unnest(array[60000, 20000, 8000, 3000, 1200, 600, 300, 120, 60, 30]) with ordinality as s (size, number);

insert into email_tenants (tenant_id, name, default_user_id, created_at, updated_at)
select tenant_id, 'crowd-' || tenant, pg_temp.id('user', tenant, 0), 0, 0 from crowd
union all
select gen_random_uuid(), 'empty-' || number, gen_random_uuid(), 0, 0 from generate_series(1, 2000) number;

insert into email_credentials (tenant_id, id, account_id, kind, key_id, wrapped_key, ciphertext, created_at, updated_at)
select tenant_id, pg_temp.id('credential', tenant, a), pg_temp.id('account', tenant, a), 'password', 'k', '', '', 0, 0
from crowd, generate_series(0, accounts - 1) a where a % 2 = 0;

insert into email_accounts (id, tenant_id, user_id, email_address, credential_id, is_sync_enabled, last_sync_at,
  created_at, updated_at)
select pg_temp.id('account', tenant, a), tenant_id, pg_temp.id('user', tenant, a / 3), 'a' || a || '@example.com',
  case when a % 2 = 0 then pg_temp.id('credential', tenant, a) end, a % 4 <> 0, case when a % 9 <> 0 then a * 1000 end,
  0, 0
from crowd, generate_series(0, accounts - 1) a;

insert into email_account_shares (tenant_id, user_id, account_id, owner_id, access, created_at, updated_at)
select tenant_id, user_id, id, user_id, 'owner', 0, 0 from email_accounts
union all
select tenant_id, pg_temp.id('user', tenant, a / 3 + 1), pg_temp.id('account', tenant, a), pg_temp.id('user', tenant, a / 3),
  'read', 0, 0
from crowd, generate_series(0, accounts - 1) a where a % 5 = 0;

insert into email_sync_jobs (tenant_id, account_id, host, due_at, send_due_at, worker_id, lease_until)
select tenant_id, pg_temp.id('account', tenant, a), 'imap' || a % 7 || '.example', case when a % 4 <> 0 then a * 1000 end,
  case when a % 9 = 0 then a * 1000 end,
  case when a % 50 = 0 then pg_temp.id('worker', 0, 1) end, case when a % 50 = 0 then 9000000000000 end
from crowd, generate_series(0, accounts - 1) a;

insert into email_folders (id, tenant_id, account_id, name, type, uidvalidity, created_at, updated_at)
select pg_temp.id('folder', tenant, a * 30 + f), tenant_id, pg_temp.id('account', tenant, a), 'Folder ' || f,
  coalesce((array['inbox', 'sent', 'drafts', 'trash', 'spam', 'archive'])[f + 1], 'custom'), 1, 0, 0
from crowd, generate_series(0, accounts - 1) a, generate_series(0, 29) f;

-- Every message, with its account and folder: few accounts and the inboxes have most of the mail.
create temp table mail as
select tenant, tenant_id, n, pg_temp.id('message', tenant, n) as id, a,
  pg_temp.id('account', tenant, a) as account_id,
  pg_temp.id('folder', tenant, a * 30 + (array[0, 0, 0, 0, 0, 0, 1, 5, 6, 7 + n % 23])[n % 10 + 1]) as folder_id,
  1600000000000 + n * (100000000000 / messages) as at
from crowd, generate_series(1, messages) n,
  cast(floor(accounts * power((n % 997) / 997.0, 4)) as integer) as found (a);

insert into email_blobs (tenant_id, sha256, size_bytes, stored_bytes, storage_type, storage_path, data, created_at)
select tenant_id, pg_temp.hash('raw', tenant, n), 4000, 100, 'blob', null, decode(repeat('61', 100), 'hex'), at
from mail
union all
select tenant_id, pg_temp.hash('part', tenant, n), 90000, 90000, 's3', 'parts/' || n, null, 0
from crowd, generate_series(0, messages / 12) n;

insert into email_blob_pieces (tenant_id, sha256, piece, data)
select tenant_id, pg_temp.hash('part', tenant, n), 1, '' from crowd, generate_series(0, messages / 12) n;

insert into email_messages (tenant_id, account_id, id, folder_id, message_id, imap_uid, "from", subject, text_body,
  list_id, is_read, is_flagged, is_draft, has_attachments, thread_id, thread_family_id, sent_at, received_at, size_bytes,
  content_hash, raw_blob, is_deleted, deleted_at, created_at, updated_at)
select tenant_id, account_id, id, folder_id, n || '@example.com', n, 'p' || n % 400 || '@example.com', 'Subject ' || n,
  repeat('word ', 40), case when n % 4 = 1 then 'list-' || n % 37 end, n % 10 <> 3, n % 50 = 7, n % 100 = 9, n % 5 = 0,
  pg_temp.id('thread', tenant, n / 4), pg_temp.id('family', tenant, n / 5), at, at, 4000,
  pg_temp.hash('message', tenant, n), pg_temp.hash('raw', tenant, n), n % 40 = 11, case when n % 40 = 11 then at end,
  at, at
from mail;

insert into email_placements (tenant_id, folder_id, uidvalidity, uid, message_id, flags, vanished_at, created_at,
  updated_at)
select tenant_id, folder_id, 1, n, id, case when n % 10 <> 3 then '{"\\Seen"}'::text[] else '{}' end,
  case when n % 40 = 11 then at end, at, at
from mail;

insert into email_purged_uids (tenant_id, folder_id, uidvalidity, uid, at)
select tenant_id, folder_id, 1, 1000000 + n, at from mail where n % 5 = 0;

insert into email_holds (tenant_id, id, name, scope, account_id, created_at, released_at)
select tenant_id, pg_temp.id('hold', tenant, n), 'hold-' || n, case when n % 2 = 0 then 'account' else 'messages' end,
  case when n % 2 = 0 then account_id end, at, case when n % 40 <> 12 then at end
from mail where n % 20 in (12, 13);

insert into email_held_messages (tenant_id, hold_id, message_id)
select tenant_id, pg_temp.id('hold', tenant, n / 20 * 20 + 13), id from mail where n % 3 = 0 and n / 20 * 20 + 13 <= (
  select messages from crowd c where c.tenant = mail.tenant);

insert into email_addresses (tenant_id, account_id, message_id, role, position, address, domain)
select tenant_id, account_id, id, role, 0, 'p' || p || '@company' || p % 60 || '.example', 'company' || p % 60 || '.example'
from mail, (values ('from', 1), ('to', 7), ('cc', 31)) as roles (role, step),
  cast(floor(3000 * power((n * step % 991) / 991.0, 2)) as integer) as person (p)
where role <> 'cc' or n % 3 = 0;

insert into email_attachments (id, tenant_id, account_id, message_id, position, filename, mime_type, size_bytes, storage_path,
  storage_type, blob_hash, content_hash, created_at)
select pg_temp.id('part', tenant, n), tenant_id, account_id, id, 0, 'a.pdf', 'application/pdf', 90000, 'parts/' || n / 12, 's3',
  pg_temp.hash('part', tenant, n / 12), encode(pg_temp.hash('part', tenant, n / 12), 'hex'), at
from mail where n % 5 = 0;

-- w1 is in every message, w40 in one of forty; `medium` in one of fifty, each `rareN` in one of five thousand.
insert into email_search_entries (tenant_id, message_id, account_id, received_at, size_bytes, words)
select tenant_id, id, account_id, at, 4000,
  array_to_tsvector(array['rare' || n % 5000] || case when n % 50 = 0 then array['medium'] else '{}' end
    || array(select 'w' || k from generate_series(1, 40) k where n % k = 0))
from mail;

insert into email_thread_links (tenant_id, account_id, link, family_id)
select tenant_id, account_id, id, pg_temp.id('family', tenant, n / 5) from mail;

insert into email_changes (tenant_id, account_id, modseq, kind, object_type, object_ids, at)
select tenant_id, account_id, n, 'created', 'message', array[id], at from mail order by at;

-- All in one month: three years pass in it. The empty ones ahead would be read whole, there being nothing to read.
do $$ begin
  execute (select 'drop table ' || string_agg(inhrelid::regclass::text, ', ') from pg_inherits
    where inhparent = 'email_audit_log'::regclass); end $$;
select email_audit_month('2022-04-01');
insert into email_audit_log (tenant_id, id, at, actor_role, action, object_type, object_id, after, place, previous_hash,
  hash)
select tenant_id, id, 1648771200000 + (at - 1600000000000) * 2591 / 100000, 'email_worker', action, 'account', object_id,
  '{"stored": 1}'::jsonb, n, '', ''
from (
  select tenant_id, pg_temp.id('audit', tenant, n) as id, at, 'account.sync' as action, account_id as object_id, n from mail
  union all
  select tenant_id, tenant_id, 1600000000000 + 50000000 * row_number() over (), 'tenant.create', tenant_id, 1
  from email_tenants where name like 'empty%') said
order by at;

insert into email_audit_heads (tenant_id, month, place, hash)
select tenant_id, '2022-04-01', 1, '' from email_tenants;

insert into email_outbox (tenant_id, id, account_id, kind, payload, idempotency_key, state, not_before, created_at,
  updated_at)
select tenant_id, pg_temp.id('outbox', tenant, n), account_id, 'flags', '{}', case when n % 6 = 0 then 'key-' || n end,
  case when n % 60 = 0 then 'pending' else 'done' end, at, at, at
from mail where n % 3 = 0;

-- What servers are yet to be told: far more than there ever is, so that the planner has to look for it.
insert into email_intents (tenant_id, id, account_id, sequence, kind, message_id, folder_id, uidvalidity, uid,
  to_folder_id, to_uid, added, name, state, created_at, updated_at)
select tenant_id, pg_temp.id('intent', tenant, n), account_id, n,
  case when n % 16 = 2 then 'rename_folder' when n % 8 = 2 then 'move' else 'mark' end,
  case when n % 16 <> 2 then id end, folder_id, 1, case when n % 16 <> 2 then n end,
  case when n % 16 = 10 then pg_temp.id('folder', tenant, a * 30 + 5) end, case when n % 16 = 10 then -n end,
  case when n % 8 = 6 then '{"$Work"}'::text[] else '{}' end, case when n % 16 = 2 then 'Work' end,
  case when n % 24 = 2 then 'refused' else 'pending' end, at, at
from mail where n % 4 = 2;

-- Of what was sent the newest waits, something is always on its way, and of some nobody knows the end.
create temp table sent as
select *, pg_temp.id('send', tenant, n) as outbox_id,
  case when n % 210 = 0 then 'pending' when n % 707 = 0 then 'unknown' when n % 1001 = 0 then 'running' else 'done' end as state
from mail where n % 7 = 0;

insert into email_senders (tenant_id, account_id, hostname, port, encryption, created_at, updated_at)
select tenant_id, id, 'smtp.example.com', 465, 'tls', 0, 0 from email_accounts;

insert into email_outbox (tenant_id, id, account_id, kind, payload, state, not_before, created_at, updated_at)
select tenant_id, outbox_id, account_id, 'send', '{}', state, at, at, at from sent;

insert into email_sends (tenant_id, outbox_id, account_id, message_id, sender, subject, raw_blob, size_bytes, sent_at,
  copy_state)
select tenant_id, outbox_id, account_id, n || '@example.com', 'a@example.com', 'Subject ' || n,
  pg_temp.hash('raw', tenant, n), 4000, case when state = 'done' then at end,
  case when state <> 'done' then 'none' when n % 420 = 7 then 'wanted' else 'made' end
from sent;

insert into email_recipients (tenant_id, outbox_id, position, address, state)
select tenant_id, outbox_id, position, 'p' || position || '@example.com', case state when 'done' then 'accepted' else 'waiting' end
from sent, generate_series(1, 3) position;

insert into email_drafts (tenant_id, id, account_id, subject, raw_blob, size_bytes, outbox_id, created_at, updated_at,
  copy_version, copy_message_id, copy_folder_id, copy_uidvalidity, copy_uid)
select tenant_id, pg_temp.id('draft', tenant, n), account_id, 'Draft ' || n, pg_temp.hash('raw', tenant, n), 4000,
  case when n % 28 = 0 then outbox_id end, at, at, case when n % 28 <> 0 then 1 end,
  case when n % 28 <> 0 then n || '@example.com' end, case when n % 28 <> 0 then folder_id end,
  case when n % 28 <> 0 then 1 end, case when n % 28 <> 0 then n end
from sent;

insert into email_quarantine (tenant_id, id, account_id, folder_name, origin, reason, raw_blob, created_at, updated_at,
  resolved_at)
select tenant_id, pg_temp.id('trouble', tenant, n), account_id, 'Folder ' || n % 30, n, 'not a message',
  case when n % 2 = 0 then pg_temp.hash('raw', tenant, n) end, at, at, case when n % 200 <> 0 then at end
from mail where n % 10 = 0;

insert into email_api_keys (tenant_id, id, name, prefix, secret_hash, account_id, can_read, created_at, updated_at)
select tenant_id, pg_temp.id('key', tenant, n), 'Key ' || n, 'prk_' || n, pg_temp.hash('key', tenant, n),
  case when n % 2 = 0 then account_id end, true, at, at
from mail where n % 500 = 0;

insert into email_webhooks (tenant_id, id, url, created_at, updated_at)
select tenant_id, pg_temp.id('webhook', tenant, n), 'https://example.com/', at, at from mail where n % 2000 = 12
union all
select tenant_id, gen_random_uuid(), 'https://example.com/', 0, 0 from email_tenants where name like 'empty%';

insert into email_webhook_cursors (tenant_id, webhook_id, account_id, modseq)
select w.tenant_id, w.id, a.id, 0 from email_webhooks w join email_accounts a on a.tenant_id = w.tenant_id;

insert into email_webhook_deliveries (tenant_id, webhook_id, id, position, account_id, event, body, state, not_before,
  created_at)
select tenant_id, pg_temp.id('webhook', tenant, 12), pg_temp.id('delivery', tenant, n), n, account_id, 'message.created', '{}',
  case when n % 9 = 0 then 'pending' else 'dead' end, at, at
from mail where n % 3 = 0;

insert into email_credentials (tenant_id, id, account_id, kind, key_id, wrapped_key, ciphertext, created_at, updated_at)
select tenant_id, id, id, 'webhook', 'k', '', '', 0, 0 from email_webhooks;

insert into email_standing_searches (tenant_id, id, name, query, created_at, updated_at)
select tenant_id, pg_temp.id('search', tenant, n), 'Search', 'invoice', at, at from mail where n % 2000 = 12
union all
select tenant_id, gen_random_uuid(), 'Search', 'invoice', 0, 0 from email_tenants where name like 'empty%';

insert into email_standing_matches (tenant_id, id, search_id, message_id, account_id, matched_at)
select tenant_id, pg_temp.id('match', tenant, n), pg_temp.id('search', tenant, 12), id, account_id, at from mail where n % 3 = 0;

set session_replication_role = origin;

insert into email_moves (tenant_key, kind, begun_at)
select sha256(n::text::bytea), (array['export', 'import', 'erase'])[1 + n % 3], n
from generate_series(1, 5000) n;
vacuum analyze;
