-- Postroom: extensions, roles, tables, constraints, row security, audit.
-- Runs unchanged through psql and through a driver, as a superuser or as an administrator who may create roles.
-- Rules of the schema: tenant_id leads every key and every foreign key; ids are UUIDs made by the program;
-- times are BIGINT milliseconds since 1970 (UTC); every tenant table has ENABLE and FORCE ROW LEVEL SECURITY.

-- Extensions -------------------------------------------------------------------------------------------------------

create extension if not exists btree_gin;   -- GIN over (tenant_id, lexemes)

do $$
declare
  wanted text;
begin
  -- Offered where the server has them; no table needs them.
  foreach wanted in array array['pg_trgm', 'uuid-ossp', 'pgcrypto', 'pg_stat_statements'] loop
    begin
      if exists (select from pg_available_extensions where name = wanted) then
        execute format('create extension if not exists %I', wanted);
      end if;
    exception when insufficient_privilege or object_not_in_prerequisite_state then
      raise notice 'extension % is left out: %', wanted, sqlerrm;
    end;
  end loop;
end $$;

-- Roles: owner of the schema, the application, the workers, analysts, backup, monitoring, standbys; and email_search,
-- which may look at every search entry. ------------------------------------------------------------------------------

do $$
declare
  wanted text;
begin
  foreach wanted in array array['email_owner', 'email_service', 'email_worker', 'email_readonly', 'email_backup',
      'email_monitor', 'email_replication'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      execute format('create role %I login noinherit nosuperuser nocreatedb nocreaterole nobypassrls', wanted);
    end if;
    -- Names are looked for here and nowhere else; a temporary table never stands in for one of ours.
    execute format('alter role %I set search_path = public, pg_temp', wanted);
    execute format('grant connect on database %I to %I', current_database(), wanted);
  end loop;
  -- email_tenant_login: what the logins of single tenants have in common. postroom tenant login makes them.
  foreach wanted in array array['email_search', 'email_tenant_login'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      execute format('create role %I nologin noinherit nosuperuser nocreatedb nocreaterole nobypassrls', wanted);
    end if;
  end loop;
  execute format('grant connect on database %I to email_tenant_login', current_database());
  execute format('grant email_owner, email_search to %I', current_user);
  execute format('revoke all on database %I from public', current_database());
  -- What a managed server keeps for itself: the login is there without it, and an administrator may give it later.
  begin
    alter role email_replication replication;
  exception when insufficient_privilege then
    raise notice 'email_replication may not replicate: %', sqlerrm;
  end;
  begin
    grant pg_monitor to email_monitor with inherit true, set false;
  exception when insufficient_privilege then
    raise notice 'email_monitor sees no statements of others: %', sqlerrm;
  end;
end $$;

-- How long each may work, wait for a lock, and sit in an open transaction. pg_dump sets its own.
alter role email_owner set lock_timeout = '10s';
alter role email_owner set idle_in_transaction_session_timeout = '5min';
alter role email_service set statement_timeout = '30s';
alter role email_service set lock_timeout = '5s';
alter role email_service set idle_in_transaction_session_timeout = '60s';
alter role email_worker set statement_timeout = '10min';
alter role email_worker set lock_timeout = '10s';
alter role email_worker set idle_in_transaction_session_timeout = '5min';
-- A worker whose machine is gone without a word must not hold its account until the kernel's two hours are over.
alter role email_worker set tcp_keepalives_idle = '30s';
alter role email_worker set tcp_keepalives_interval = '10s';
alter role email_worker set tcp_keepalives_count = 3;
-- The pending list of the words' index is sorted in it: with less the index is written in several rounds.
alter role email_worker set work_mem = '8MB';
alter role email_readonly set statement_timeout = '5min';
alter role email_readonly set lock_timeout = '5s';
alter role email_readonly set idle_in_transaction_session_timeout = '60s';
alter role email_readonly set default_transaction_read_only = on;
alter role email_backup set lock_timeout = '60s';
alter role email_backup set idle_in_transaction_session_timeout = '60s';
alter role email_backup set default_transaction_read_only = on;
alter role email_monitor set statement_timeout = '15s';
alter role email_monitor set lock_timeout = '2s';
alter role email_monitor set idle_in_transaction_session_timeout = '15s';
alter role email_monitor set default_transaction_read_only = on;

revoke all on schema public from public;
grant usage on schema public to email_service, email_worker, email_search, email_readonly, email_backup, email_monitor,
  email_tenant_login;
grant usage, create on schema public to email_owner;
grant create on schema public to email_search;

-- What the server tells everybody: the statements of other sessions of the same login, how many rows all tenants have
-- together, who holds which lock. Only a superuser can take it away; see docs/explain/row-security-limits.md.

do $$
declare
  what text;
begin
  if not (select rolsuper from pg_roles where rolname = current_user) then
    raise notice 'the statistics of the server stay readable by every login: only a superuser can change that';
    return;
  end if;
  for what in
    select oid::regprocedure
      from pg_proc
     where pronamespace = 'pg_catalog'::regnamespace
       and (proname in ('pg_lock_status', 'pg_relation_size', 'pg_table_size', 'pg_indexes_size',
              'pg_total_relation_size', 'pg_database_size', 'pg_stat_get_activity', 'pg_stat_get_backend_activity',
              'pg_stat_get_live_tuples', 'pg_stat_get_dead_tuples', 'pg_stat_get_mod_since_analyze',
              'pg_stat_get_ins_since_vacuum', 'pg_stat_get_numscans', 'pg_stat_get_blocks_fetched',
              'pg_stat_get_blocks_hit')
         or proname ~ '^pg_stat_get_(db_)?tuples_(returned|fetched|inserted|updated|deleted|hot_updated|newpage_updated)$')
  loop
    execute format('revoke all on function %s from public', what);
    execute format('grant execute on function %s to pg_monitor', what);
  end loop;
  -- A login may end its own sessions, and all tenants share one login. Locks by number can be taken in another's name,
  -- and large objects know no tenants.
  for what in
    select oid::regprocedure
      from pg_proc
     where pronamespace = 'pg_catalog'::regnamespace
       and (proname in ('pg_cancel_backend', 'pg_terminate_backend', 'lo_creat', 'lo_create', 'lo_from_bytea')
         or proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$')
  loop
    execute format('revoke all on function %s from public', what);
    if what not like 'lo%' then
      execute format('grant execute on function %s to %s', what,
        case when what like '%backend%' then 'pg_signal_backend' else 'email_owner, email_worker' end);
    end if;
  end loop;
end $$;

do $$
declare
  wanted text;
begin
  -- How often others ask, and how long it takes, is for the operator alone; the extension shows it to everybody.
  foreach wanted in array array['pg_stat_statements', 'pg_stat_statements_info'] loop
    if to_regclass('public.' || wanted) is not null then
      execute format('revoke all on public.%I from public', wanted);
      execute format('grant select on public.%I to email_monitor', wanted);
    end if;
  end loop;
  for wanted in
    select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proname like 'pg\_stat\_statements%'
  loop
    execute format('revoke all on function %s from public', wanted);
    if wanted not like '%reset%' then
      execute format('grant execute on function %s to email_monitor', wanted);
    end if;
  end loop;
exception when insufficient_privilege then
  raise notice 'pg_stat_statements is left as it is: %', sqlerrm;
end $$;

set role email_search;
alter default privileges revoke execute on functions from public;
reset role;

set role email_owner;

-- What a later migration makes is for nobody until it says so; a backup has all of it.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public grant select on tables to email_backup;

-- Tenants: who exists. No application login can list them. ----------------------------------------------------------

create table email_tenants (
  tenant_id        uuid primary key,
  name             text not null,
  default_user_id  uuid not null,
  created_at       bigint not null,
  updated_at       bigint not null,
  suspended_at     bigint,
  erasing_at       bigint,                                             -- since when it is being erased: it does not come back
  keep_deleted_days  integer default 30 check (keep_deleted_days between 0 and 36500),  -- null: what is deleted is kept
  constraint email_tenants_name_shape check (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$')
);

-- Credentials: an AES-256-GCM envelope; the key that opens it is not in the database. ---------------------------------

create table email_credentials (
  tenant_id    uuid not null references email_tenants (tenant_id),
  id           uuid not null,
  account_id   uuid not null,                                          -- or the webhook that signs with it
  kind         text not null check (kind in ('password', 'oauth2', 'webhook')),
  key_id       text not null,
  wrapped_key  bytea not null,
  ciphertext   bytea not null,
  created_at   bigint not null,
  updated_at   bigint not null,
  primary key (tenant_id, id)
);

-- Accounts: a mailbox somewhere. -------------------------------------------------------------------------------------

create table email_accounts (
  id               uuid not null,
  tenant_id        uuid not null references email_tenants (tenant_id),
  user_id          uuid not null,
  account_name     text,
  email_address    text not null,
  protocol         text check (protocol in ('imap', 'pop3')),          -- null: filled by import only
  hostname         text,
  port             integer check (port between 1 and 65535),
  encryption       text check (encryption in ('none', 'tls', 'starttls')),
  username         text,
  credential_id    uuid,
  ca_pem           text,                                               -- certificates to trust its server by
  server_keep_days integer check (server_keep_days >= 0),              -- POP3: deleted there so many days after it was
                                                                       -- stored here; null: never
  is_sync_enabled  boolean not null default true,
  sync_interval    integer not null default 300 check (sync_interval > 0),
  last_sync_at     bigint,
  is_syncing       boolean not null default false,
  is_enabled       boolean not null default true,
  last_error       text,
  push_folders     text[] not null default '{INBOX}',                  -- watched for news; all others are polled
  modseq           bigint not null default 0,                          -- the newest entry of the account's change feed
  is_deleted       boolean not null default false,
  deleted_at       bigint,
  created_at       bigint not null,
  updated_at       bigint not null,
  primary key (tenant_id, id),
  unique (tenant_id, id, user_id),                                     -- so that a share can name the owner
  foreign key (tenant_id, credential_id) references email_credentials (tenant_id, id)
);

-- Shares: who may see an account, and who may write in it. The owner's row is made with the account and stays with it.

create table email_account_shares (
  tenant_id   uuid not null,
  user_id     uuid not null,
  account_id  uuid not null,
  owner_id    uuid not null,                                           -- the account's user: nobody else may share it
  access      text not null check (access in ('read', 'write', 'owner')),
  created_at  bigint not null,
  updated_at  bigint not null,
  primary key (tenant_id, user_id, account_id),
  check ((access = 'owner') = (user_id = owner_id)),
  foreign key (tenant_id, account_id, owner_id) references email_accounts (tenant_id, id, user_id) on delete cascade
);

create function email_account_owned() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into public.email_account_shares (tenant_id, user_id, account_id, owner_id, access, created_at, updated_at)
  values (new.tenant_id, new.user_id, new.id, new.user_id, 'owner', new.created_at, new.updated_at);
  return null;
end $$;

-- A tenant that the owner brings in comes with its shares.
create trigger email_accounts_owned after insert on email_accounts
  for each row when (current_user <> 'email_owner') execute function email_account_owned();

-- Sync jobs: when an account is to be looked at next, and who does it now. One row for each account, made by a trigger.
-- All times are of this server's clock, so that workers on several machines agree.

create table email_sync_jobs (
  tenant_id    uuid not null,
  account_id   uuid not null,
  host         text,                                                   -- of the account, in lower case
  due_at       bigint,                                                 -- null: never by itself; 0: before all others
  woken_at     bigint not null default 0,                              -- when somebody asked for it besides its turn
  send_due_at  bigint,                                                 -- when its outbox has something to do; null: nothing
  is_paused    boolean not null default false,                         -- nothing of it is done by itself
  worker_id    uuid,                                                   -- who syncs it, as long as the lease lasts
  token        bigint not null default 0,                              -- who holds an older one has lost the account
  claimed_at   bigint,
  lease_until  bigint,
  watcher_id   uuid,                                                   -- the worker that waits for news of it
  failures     integer not null default 0,                             -- in a row
  trouble      text check (trouble in ('refused', 'throttled', 'unreachable', 'server', 'store', 'unexpected')),
  done         bigint not null default 0,                              -- messages brought in since the claim
  expected     bigint,                                                 -- of so many, where that is known
  left_ms      bigint,                                                 -- at the pace of late
  primary key (tenant_id, account_id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id)
) with (fillfactor = 60);

-- Workers: processes that keep accounts current. Not tenants' data; written and read by functions only.

create table email_workers (
  id           uuid primary key,
  host         text not null,
  pid          integer not null,
  concurrency  integer not null,
  running      integer not null,
  watching     integer not null,
  is_stopping  boolean not null,
  started_at   bigint not null,
  seen_at      bigint not null
);

-- Folders: where mail lies. The counters are kept by the triggers on email_placements and by nothing else. -------------

create table email_folders (
  id              uuid not null,
  tenant_id       uuid not null,
  account_id      uuid not null,
  name            text not null,                                       -- decoded, levels joined by /
  wire_name       text not null default '',                            -- as the server spells it
  type            text not null default 'custom'
                  check (type in ('inbox', 'sent', 'drafts', 'trash', 'spam', 'archive', 'custom')),
  unread_count    integer not null default 0,
  total_count     integer not null default 0,
  sync_token      text,                                                -- what the server said when we last agreed
  uidvalidity     bigint,
  uidnext         bigint,
  highestmodseq   bigint,
  mailbox_id      text,                                                -- what stays when it is renamed (RFC 8474 4)
  listed_count    integer,                                             -- messages the server listed at the last look
  pending         int8multirange not null default '{}',                -- UIDs listed, not here when the look began
  is_selectable   boolean not null default true,
  is_deleted      boolean not null default false,
  deleted_at      bigint,
  created_at      bigint not null,
  updated_at      bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id)
);

-- Blobs: bytes named by their SHA-256, once for each tenant. ------------------------------------------------------------

create table email_blobs (
  tenant_id     uuid not null references email_tenants (tenant_id),
  sha256        bytea not null check (octet_length(sha256) = 32),
  size_bytes    bigint not null,
  stored_bytes  bigint not null,
  pieces        integer not null default 1,
  codec         text not null default 'none',
  storage_type  text not null check (storage_type in ('blob', 'local', 's3')),
  storage_path  text,
  data          bytea,
  created_at    bigint not null,
  primary key (tenant_id, sha256),
  check ((storage_type = 'blob') = (storage_path is null))
);

create table email_blob_pieces (
  tenant_id  uuid not null,
  sha256     bytea not null,
  piece      integer not null check (piece > 0),
  data       bytea not null,
  primary key (tenant_id, sha256, piece),
  foreign key (tenant_id, sha256) references email_blobs (tenant_id, sha256) on delete cascade
);

-- Messages: one row for each different message of an account (its identity is the SHA-256 of its raw bytes). ------------

create table email_messages (
  id                 uuid not null,
  tenant_id          uuid not null,
  account_id         uuid not null,
  folder_id          uuid not null,                                    -- of its first living placement
  message_id         varchar(500) not null,                            -- a key: the Message-ID when usable and free
  message_id_header  text,                                             -- Message-ID as sent
  imap_uid           varchar(100),                                     -- of its first living placement
  in_reply_to        text,
  reference_ids      text[] not null default '{}',
  "from"             text not null default '',
  "to"               jsonb not null default '[]',
  cc                 jsonb not null default '[]',
  bcc                jsonb not null default '[]',
  reply_to           text,
  subject            text not null default '',
  text_body          text,
  html_body          text,
  preview            text not null default '',
  list_id            text,
  is_read            boolean not null default false,
  is_flagged         boolean not null default false,
  is_draft           boolean not null default false,
  has_attachments    boolean not null default false,
  thread_id          uuid,
  thread_family_id   uuid not null,
  sent_at            bigint,
  date_header        text,
  received_at        bigint not null,
  size_bytes         bigint not null,
  content_hash       bytea not null check (octet_length(content_hash) = 32),
  raw_blob           bytea not null,                                   -- the raw bytes, less what raw_recipe cut out
  raw_recipe         jsonb,                                            -- how to put the cut attachments back
  defects            text[] not null default '{}',
  is_deleted         boolean not null default false,                   -- it lies nowhere, or somebody removed it
  deleted_at         bigint,
  removed_at         bigint,                                           -- when somebody here deleted it
  created_at         bigint not null,
  updated_at         bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id),
  foreign key (tenant_id, folder_id) references email_folders (tenant_id, id),
  foreign key (tenant_id, raw_blob) references email_blobs (tenant_id, sha256)
) with (fillfactor = 90, toast_tuple_target = 512);

-- No query filters by these: ANALYZE need not unpack them.
alter table email_messages
  alter column message_id_header set statistics 0,
  alter column in_reply_to set statistics 0,
  alter column reference_ids set statistics 0,
  alter column "to" set statistics 0,
  alter column cc set statistics 0,
  alter column bcc set statistics 0,
  alter column reply_to set statistics 0,
  alter column subject set statistics 0,
  alter column text_body set statistics 0,
  alter column html_body set statistics 0,
  alter column preview set statistics 0,
  alter column raw_recipe set statistics 0,
  alter column date_header set statistics 0,
  alter column defects set statistics 0;

-- Placements: the message lies in this folder under this UID. A UID means nothing without its UIDVALIDITY (RFC 9051 2.3.1.1).

create table email_placements (
  tenant_id      uuid not null,
  folder_id      uuid not null,
  uidvalidity    bigint not null,
  uid            bigint not null,                                      -- below 0: the server is yet to give it one
  message_id     uuid not null,
  flags          text[] not null default '{}',
  keywords       text[] not null default '{}',
  is_read        boolean not null generated always as ('\Seen' = any (flags)) stored,
  internal_date  bigint,
  object_id      text collate "C",                                     -- the same in every folder: EMAILID, X-GM-MSGID
  vanished_at    bigint,                                               -- set when the server no longer has it here
  is_hidden      boolean not null default false,                       -- the server has it, but it was removed here
  created_at     bigint not null,
  updated_at     bigint not null,
  primary key (tenant_id, folder_id, uidvalidity, uid),
  foreign key (tenant_id, folder_id) references email_folders (tenant_id, id),
  foreign key (tenant_id, message_id) references email_messages (tenant_id, id) on delete cascade
) with (fillfactor = 90);

-- Purged UIDs: what a server still has of mail that was purged here. A sync does not fetch it again. ----------------------

create table email_purged_uids (
  tenant_id    uuid not null,
  folder_id    uuid not null,
  uidvalidity  bigint not null,
  uid          bigint not null,
  at           bigint not null,
  primary key (tenant_id, folder_id, uidvalidity, uid),
  foreign key (tenant_id, folder_id) references email_folders (tenant_id, id)
);

-- Addresses: who wrote, and to whom. -----------------------------------------------------------------------------------

create table email_addresses (
  tenant_id   uuid not null,
  message_id  uuid not null,
  account_id  uuid not null,                                           -- of the message: for row security
  role        text not null check (role in ('from', 'to', 'cc', 'bcc', 'reply_to')),
  position    integer not null,
  name        text,
  address     text not null,                                           -- in lower case
  domain      text,
  primary key (tenant_id, message_id, role, position),
  foreign key (tenant_id, message_id) references email_messages (tenant_id, id) on delete cascade
);

-- Attachments: parts of a message that are not its text. ---------------------------------------------------------------

create table email_attachments (
  id            uuid not null,
  tenant_id     uuid not null,
  message_id    uuid not null,
  account_id    uuid not null,                                         -- of the message: for row security
  position      integer not null,
  filename      text,
  mime_type     text not null,
  size_bytes    bigint not null,
  content_id    text,
  is_inline     boolean not null default false,
  storage_path  text,
  storage_type  text not null check (storage_type in ('blob', 's3', 'local')),
  blob_id       uuid,                                                  -- the first 16 bytes of the hash, where a UUID is wanted
  blob_hash     bytea not null,
  content_hash  varchar(64) not null,                                  -- SHA-256 of the decoded bytes, hexadecimal
  is_deleted    boolean not null default false,
  deleted_at    bigint,
  created_at    bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, message_id) references email_messages (tenant_id, id) on delete cascade,
  foreign key (tenant_id, blob_hash) references email_blobs (tenant_id, sha256)
);

-- Search entries: the words of a message. Apart from email_messages so that a new flag does not touch the GIN index. ----

create table email_search_entries (
  tenant_id    uuid not null,
  message_id   uuid not null,
  account_id   uuid not null,
  received_at  bigint not null,
  size_bytes   bigint not null,
  is_capped    boolean not null default false,                         -- there was more text than a tsvector holds
  words        tsvector not null,
  primary key (tenant_id, message_id),
  foreign key (tenant_id, message_id) references email_messages (tenant_id, id) on delete cascade
) with (toast_tuple_target = 1024);

-- ANALYZE would unpack 30,000 vectors to learn what the search below never asks the planner: 0.1 s without, 2.8 with.
alter table email_search_entries alter column words set statistics 0;

-- Thread links: which family of messages an id of RFC 5322 3.6.4 belongs to. --------------------------------------------

create table email_thread_links (
  tenant_id   uuid not null,
  account_id  uuid not null,
  link        uuid not null,                                           -- 128 bits of the id's hash
  family_id   uuid not null,
  primary key (tenant_id, account_id, link),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id)
);

-- Changes: the feed that every client lives from. One row for each kind of change of a transaction. ----------------------

create table email_changes (
  tenant_id    uuid not null,
  account_id   uuid not null,
  modseq       bigint not null,
  kind         text not null check (kind in ('created', 'updated', 'deleted')),
  object_type  text not null check (object_type in ('account', 'folder', 'message', 'thread', 'match', 'webhook')),
  object_ids   uuid[] not null,                                        -- of a deleted object: its tombstone
  at           bigint not null,
  primary key (tenant_id, account_id, modseq, kind, object_type),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id)
);

-- Outbox: what people want done on the server. --------------------------------------------------------------------------

create table email_outbox (
  tenant_id        uuid not null,
  id               uuid not null,
  account_id       uuid not null,
  kind             text not null check (kind in ('send', 'flags', 'move', 'copy', 'delete', 'folder')),
  payload          jsonb not null,
  idempotency_key  text,
  state            text not null default 'pending'
                   check (state in ('pending', 'running', 'done', 'failed', 'unknown', 'cancelled')),
  not_before       bigint not null,
  attempts         integer not null default 0,
  last_error       text,
  created_at       bigint not null,
  updated_at       bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id)
);

-- Drafts: messages that are still being written, as bytes, with Bcc. ------------------------------------------------------

create table email_drafts (
  tenant_id         uuid not null,
  id                uuid not null,
  account_id        uuid not null,
  subject           text not null default '',
  recipients        jsonb not null default '[]',                       -- the addresses, for lists
  raw_blob          bytea not null,
  size_bytes        bigint not null,
  version           integer not null default 1,
  outbox_id         uuid,                                              -- set when it was given to the outbox
  is_deleted        boolean not null default false,
  deleted_at        bigint,
  created_at        bigint not null,
  updated_at        bigint not null,
  copy_version      integer,                                           -- that the account's server has; null: none
  copy_message_id   text collate "C",
  copy_folder_id    uuid,                                              -- where
  copy_uidvalidity  bigint,
  copy_uid          bigint,
  stale_uids        bigint[] not null default '{}',                    -- earlier ones there, still to be taken out
  put_version       integer,                                           -- that it is just being given
  put_message_id    text collate "C",
  primary key (tenant_id, id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id),
  foreign key (tenant_id, copy_folder_id) references email_folders (tenant_id, id),
  foreign key (tenant_id, outbox_id) references email_outbox (tenant_id, id),
  foreign key (tenant_id, raw_blob) references email_blobs (tenant_id, sha256),
  check (num_nulls(copy_version, copy_message_id, copy_folder_id, copy_uidvalidity, copy_uid) in (0, 5)),
  check (num_nulls(put_version, put_message_id) in (0, 2))
);

-- Intents: what was changed here and its server is yet to be told, in the order of each account. One is written in the
-- transaction of the change and goes when the server has done it; what the server refused stays, with the reason. ----------

create table email_intents (
  tenant_id         uuid not null,
  id                uuid not null,
  account_id        uuid not null,
  sequence          bigint not null,                                   -- in which they are done
  kind              text collate "C" not null check (kind in ('move', 'copy', 'expunge', 'mark', 'create_folder',
                    'rename_folder', 'delete_folder', 'draft')),
  message_id        uuid,                                              -- null: it is about a folder or a draft
  draft_id          uuid,                                              -- of which the server is to have what it says now
  folder_id         uuid not null,                                     -- where the message lies, or what folder it is about
  uidvalidity       bigint,
  uid               bigint,                                            -- of the placement; below 0: as in to_uid
  to_folder_id      uuid,
  to_uid            bigint,                                            -- below 0: stands there until the server gives one
  added             text[] not null default '{}',                      -- flags and keywords
  removed           text[] not null default '{}',
  name              text,                                              -- that the folder is to have
  old_name          text,
  purpose           text collate "C" not null default 'change' check (purpose in ('change', 'delete', 'restore')),
  state             text collate "C" not null default 'pending' check (state in ('pending', 'sent', 'refused')),
  sent_uidvalidity  bigint,                                            -- of to_folder_id, before the command
  sent_uidnext      bigint,
  attempts          integer not null default 0,
  last_error        text,
  created_at        bigint not null,
  updated_at        bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id),
  foreign key (tenant_id, message_id) references email_messages (tenant_id, id) on delete cascade,
  foreign key (tenant_id, draft_id) references email_drafts (tenant_id, id),
  foreign key (tenant_id, folder_id) references email_folders (tenant_id, id),
  foreign key (tenant_id, to_folder_id) references email_folders (tenant_id, id),
  check ((message_id is null) = (uid is null)),
  check ((message_id is null) = (kind in ('create_folder', 'rename_folder', 'delete_folder', 'draft'))),
  check ((draft_id is not null) = (kind = 'draft')),
  check ((to_uid is not null) = (kind in ('move', 'copy')))
);

-- Senders: how the mail of an account goes out. A sender has a server of its own; the mailbox may be on another. ----------

create table email_senders (
  tenant_id      uuid not null,
  account_id     uuid not null,
  display_name   text,
  hostname       text not null,
  port           integer not null check (port between 1 and 65535),
  encryption     text not null check (encryption in ('none', 'tls', 'starttls')),
  username       text,                                                 -- null: the server wants no sign-in
  credential_id  uuid,
  sent_copy      text not null default 'append'
                 check (sent_copy in ('append', 'server', 'none')),    -- server: it keeps a copy by itself
  dkim_domain    text,                                                 -- null: messages are not signed by us
  dkim_selector  text,
  dkim_key_id    uuid,                                                 -- a sealed private key
  created_at     bigint not null,
  updated_at     bigint not null,
  primary key (tenant_id, account_id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id),
  foreign key (tenant_id, credential_id) references email_credentials (tenant_id, id),
  foreign key (tenant_id, dkim_key_id) references email_credentials (tenant_id, id),
  check (num_nulls(dkim_domain, dkim_selector, dkim_key_id) in (0, 3))
);

-- Sends: the message that an outbox row of kind send is about, and what became of it. --------------------------------------

create table email_sends (
  tenant_id          uuid not null,
  outbox_id          uuid not null,
  account_id         uuid not null,
  message_id         text collate "C" not null,                        -- Message-ID, ours, without angle brackets
  sender             text not null,                                    -- of the envelope
  subject            text not null default '',
  raw_blob           bytea not null,
  size_bytes         bigint not null,
  needs_smtputf8     boolean not null default false,
  needs_8bitmime     boolean not null default false,
  server_reply       text,                                             -- to the whole message
  sent_at            bigint,
  copy_state         text not null default 'none' check (copy_state in ('none', 'wanted', 'made', 'failed')),
  copy_not_before    bigint not null default 0,
  copy_attempts      integer not null default 0,
  copy_error         text,
  copy_uidvalidity   bigint,                                           -- where the server says so (RFC 4315)
  copy_uid           bigint,
  primary key (tenant_id, outbox_id),
  foreign key (tenant_id, outbox_id) references email_outbox (tenant_id, id) on delete cascade,
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id),
  foreign key (tenant_id, raw_blob) references email_blobs (tenant_id, sha256)
);

-- Recipients: what the server said to each address of the envelope, and what was reported of it later (RFC 3464). ----------

create table email_recipients (
  tenant_id      uuid not null,
  outbox_id      uuid not null,
  position       integer not null,
  address        text not null,
  state          text not null default 'waiting' check (state in ('waiting', 'accepted', 'refused', 'unknown')),
  code           integer,
  reply          text,
  report         text check (report in ('failed', 'delayed', 'delivered', 'relayed', 'expanded')),
  report_status  text,
  report_text    text,
  reported_at    bigint,
  primary key (tenant_id, outbox_id, position),
  foreign key (tenant_id, outbox_id) references email_sends (tenant_id, outbox_id) on delete cascade
);

-- Quarantine: mail that a source has and could not give, or that could not be stored. Never skipped in silence. -----------

create table email_quarantine (
  tenant_id    uuid not null,
  id           uuid not null,
  account_id   uuid not null,
  folder_name  text not null,
  origin       text not null,                                          -- for people: file and message, or server and UID
  uidvalidity  bigint,                                                 -- of a server's message: its number there
  uid          bigint,
  reason       text not null,
  raw_blob     bytea,                                                  -- what could be had of it
  created_at   bigint not null,
  updated_at   bigint not null,
  resolved_at  bigint,
  vanished_at  bigint,                                                 -- set when the server let it go unread
  primary key (tenant_id, id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id),
  foreign key (tenant_id, raw_blob) references email_blobs (tenant_id, sha256)
);

-- Holds: mail that nobody may remove, whatever its age: a whole tenant, an account, or messages that a search found. ------

create table email_holds (
  tenant_id    uuid not null references email_tenants (tenant_id),
  id           uuid not null,
  name         text not null check (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$'),
  scope        text not null check (scope in ('tenant', 'account', 'messages')),
  account_id   uuid,
  query        text,                                                   -- the search whose result is held
  reason       text,
  created_at   bigint not null,
  released_at  bigint,
  primary key (tenant_id, id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id),
  check ((scope = 'account') = (account_id is not null))
);

-- No cascade: a message cannot go while it is here. Released, a hold has none.
create table email_held_messages (
  tenant_id   uuid not null,
  hold_id     uuid not null,
  message_id  uuid not null,
  primary key (tenant_id, hold_id, message_id),
  foreign key (tenant_id, hold_id) references email_holds (tenant_id, id),
  foreign key (tenant_id, message_id) references email_messages (tenant_id, id)
);

-- Audit: who did what. Written in the same transaction; never holds the text of a mail. A partition for each month, made
-- ahead by email_audit_append. The entries of a tenant and a month are a chain: each holds the hash of the one before,
-- and the head says where the chain ends, so that an entry which is changed, missing or put in shows. --------------------

create table email_audit_log (
  tenant_id      uuid not null references email_tenants (tenant_id),
  id             uuid not null,
  at             bigint not null,
  actor_role     text not null,                                        -- the login
  user_id        uuid,
  api_key_id     uuid,
  action         text not null,
  object_type    text not null,
  object_id      uuid,
  before         jsonb,
  after          jsonb,
  place          bigint not null check (place > 0),                    -- in the chain, from 1
  previous_hash  bytea not null,                                       -- 32 zero bytes before the first
  hash           bytea not null,
  primary key (tenant_id, at, id)
) partition by range (at);

create table email_audit_heads (
  tenant_id  uuid not null references email_tenants (tenant_id),
  month      date not null,                                            -- its first day, UTC
  place      bigint not null,
  hash       bytea not null,
  primary key (tenant_id, month)
);

-- Moves: that a tenant came or went, for operators only. It outlives the tenant, so nothing in it names one: the key is a
-- hash of its id, the tally holds numbers. ------------------------------------------------------------------------------

create table email_moves (
  tenant_key   bytea not null check (octet_length(tenant_key) = 32),
  kind         text collate "C" not null check (kind in ('export', 'import', 'erase')),
  begun_at     bigint not null,
  finished_at  bigint,
  actor_role   text not null default current_user,
  tally        jsonb not null default '{}',
  primary key (tenant_key, kind, begun_at)
);

-- API keys: who may ask the service, and for what. Of a key there is the hash of its secret (256 bits), and its beginning,
-- by which people know it. A key of one account has a share in it as a user of its own, whose id is the key's. -------------

create table email_api_keys (
  tenant_id     uuid not null references email_tenants (tenant_id),
  id            uuid not null,
  name          text not null,
  prefix        text collate "C" not null,
  secret_hash   bytea not null check (octet_length(secret_hash) = 32),
  user_id       uuid,                                                  -- null: it is for the whole tenant
  account_id    uuid,                                                  -- it is for this account; user_id is the key's id
  can_read      boolean not null default false,
  can_write     boolean not null default false,
  can_send      boolean not null default false,
  can_admin     boolean not null default false,
  expires_at    bigint,
  last_used_at  bigint,                                                -- to five minutes
  revoked_at    bigint,
  created_at    bigint not null,
  updated_at    bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id)
);

-- Keys of the installation: they make tenants and their first keys, and open nobody's mail. Not tenants' data. What is kept
-- is the hash of a hash, so that neither a backup nor a log of statements has anything that opens a door.

create table email_admin_keys (
  id            uuid primary key,
  name          text not null,
  prefix        text collate "C" not null,
  proof_hash    bytea not null check (octet_length(proof_hash) = 32),
  expires_at    bigint,
  revoked_at    bigint,
  created_at    bigint not null
);

-- Standing searches: queries that every message is asked when it comes in, in the transaction that stores it. What matched is
-- kept, once, whatever becomes of the message or of the query later. -------------------------------------------------------

create table email_standing_searches (
  tenant_id   uuid not null references email_tenants (tenant_id),
  id          uuid not null,
  user_id     uuid,                                                    -- asked of what this user sees; null: of everything
  name        text not null,
  query       text not null,
  timezone    text not null default 'UTC',                             -- of the days in it
  account_id  uuid,                                                    -- only what comes into this account
  created_at  bigint not null,
  updated_at  bigint not null,
  primary key (tenant_id, id)
);

create table email_standing_matches (
  tenant_id   uuid not null,
  id          uuid not null,
  search_id   uuid not null,
  message_id  uuid not null,
  account_id  uuid not null,
  matched_at  bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, search_id) references email_standing_searches (tenant_id, id) on delete cascade,
  foreign key (tenant_id, message_id) references email_messages (tenant_id, id) on delete cascade
);

-- Webhooks: addresses that are told what happens, from the change feed. A worker has a webhook as long as its lease lasts;
-- whoever holds an older token has lost it. All times of due_at and lease_until are of this server's clock. -----------------

create table email_webhooks (
  tenant_id        uuid not null references email_tenants (tenant_id),
  id               uuid not null,
  user_id          uuid,                                               -- it is told what this user sees; null: everything
  url              text not null check (char_length(url) between 1 and 2000),
  description      text not null default '',
  events           text[] not null default '{}',                       -- 'message.created', …; none: all
  account_id       uuid,                                               -- only what happens in this account,
  folder_id        uuid,                                               -- to what lies or lay in this folder,
  search_id        uuid,                                               -- or what this standing search matched
  is_enabled       boolean not null default true,
  disabled_at      bigint,
  disabled_reason  text,                                               -- null: somebody switched it off
  failures         integer not null default 0,                         -- in a row
  failing_since    bigint,
  last_error       text,
  last_success_at  bigint,
  previous_until   bigint,                                             -- so long the secret before signs as well
  due_at           bigint not null default 0,
  lease_until      bigint not null default 0,
  token            bigint not null default 0,
  created_at       bigint not null,
  updated_at       bigint not null,
  primary key (tenant_id, id)
) with (fillfactor = 60);

-- How far a webhook has come in the feed of each account; 0 where there is no row.
create table email_webhook_cursors (
  tenant_id   uuid not null,
  webhook_id  uuid not null,
  account_id  uuid not null,
  modseq      bigint not null,
  primary key (tenant_id, webhook_id, account_id),
  foreign key (tenant_id, webhook_id) references email_webhooks (tenant_id, id) on delete cascade
) with (fillfactor = 60);

-- What is to be told: made of the feed in the transaction that moves the cursor, gone when it has arrived. The id is made
-- of webhook and place in the feed, so that it is the same whenever it is told.
create table email_webhook_deliveries (
  tenant_id   uuid not null,
  webhook_id  uuid not null,
  id          uuid not null,
  position    bigint not null,                                         -- in which they are told
  account_id  uuid,                                                    -- null: a test
  event       text collate "C" not null,
  body        text not null,
  state       text collate "C" not null default 'pending' check (state in ('pending', 'dead')),
  attempts    integer not null default 0,
  not_before  bigint not null,
  last_error  text,
  created_at  bigint not null,                                         -- since when it is tried
  primary key (tenant_id, webhook_id, id),
  foreign key (tenant_id, webhook_id) references email_webhooks (tenant_id, id) on delete cascade
);

-- That a feed went on which a webhook may want to hear of: written by a trigger, taken away by who claims webhooks.
create table email_webhook_wakes (
  tenant_id   uuid not null,
  account_id  uuid not null,
  modseq      bigint not null,
  primary key (tenant_id, account_id, modseq)
);

-- The migration ledger: not tenants' data. -----------------------------------------------------------------------------

create table email_schema_migrations (
  version     integer primary key,
  name        text not null,
  checksum    text not null,
  applied_at  timestamptz not null default now()
);

-- Row security: no tenant set means no rows; FORCE binds the owner too. -------------------------------------------------

alter table email_tenants enable row level security;
alter table email_tenants force row level security;

alter table email_credentials enable row level security;
alter table email_credentials force row level security;

alter table email_accounts enable row level security;
alter table email_accounts force row level security;

alter table email_account_shares enable row level security;
alter table email_account_shares force row level security;

alter table email_sync_jobs enable row level security;
alter table email_sync_jobs force row level security;

alter table email_folders enable row level security;
alter table email_folders force row level security;

alter table email_blobs enable row level security;
alter table email_blobs force row level security;

alter table email_blob_pieces enable row level security;
alter table email_blob_pieces force row level security;

alter table email_messages enable row level security;
alter table email_messages force row level security;

alter table email_placements enable row level security;
alter table email_placements force row level security;

alter table email_addresses enable row level security;
alter table email_addresses force row level security;

alter table email_attachments enable row level security;
alter table email_attachments force row level security;

alter table email_search_entries enable row level security;
alter table email_search_entries force row level security;

alter table email_thread_links enable row level security;
alter table email_thread_links force row level security;

alter table email_changes enable row level security;
alter table email_changes force row level security;

alter table email_outbox enable row level security;
alter table email_outbox force row level security;

alter table email_intents enable row level security;
alter table email_intents force row level security;

alter table email_senders enable row level security;
alter table email_senders force row level security;

alter table email_sends enable row level security;
alter table email_sends force row level security;

alter table email_recipients enable row level security;
alter table email_recipients force row level security;

alter table email_drafts enable row level security;
alter table email_drafts force row level security;

alter table email_quarantine enable row level security;
alter table email_quarantine force row level security;

alter table email_purged_uids enable row level security;
alter table email_purged_uids force row level security;

alter table email_holds enable row level security;
alter table email_holds force row level security;

alter table email_held_messages enable row level security;
alter table email_held_messages force row level security;

alter table email_api_keys enable row level security;
alter table email_api_keys force row level security;

alter table email_standing_searches enable row level security;
alter table email_standing_searches force row level security;

alter table email_standing_matches enable row level security;
alter table email_standing_matches force row level security;

alter table email_webhooks enable row level security;
alter table email_webhooks force row level security;

alter table email_webhook_cursors enable row level security;
alter table email_webhook_cursors force row level security;

alter table email_webhook_deliveries enable row level security;
alter table email_webhook_deliveries force row level security;

alter table email_webhook_wakes enable row level security;
alter table email_webhook_wakes force row level security;

alter table email_audit_log enable row level security;
alter table email_audit_log force row level security;

alter table email_audit_heads enable row level security;
alter table email_audit_heads force row level security;

-- Users inside a tenant: with app.current_user_id set, a row that belongs to an account is seen by those who have a share
-- in the account, and written by those whose share is no 'read'. Without it the whole tenant is there. What is asked
-- about the session is a subselect: it is answered once for a statement, not for each row. Every subselect is planned for
-- every statement, so that where a statement looks at few rows there is none, and `offset 0` keeps the planner from
-- planning an exists twice.
-- Every policy of the store is laid here and nowhere else. It lays them anew, too: postroom doctor prints it for a policy
-- that is missing or changed, and tells those by laying all of them on empty copies, which are in another schema.
create function email_lay_policies(p_schema text default 'public') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_tenant constant text := $q$nullif(current_setting('app.current_tenant_id', true), '')::uuid$q$;
  v_user constant text := $q$nullif(current_setting('app.current_user_id', true), '')::uuid$q$;
  v_no_user constant text := format('%s is null', v_user);
  v_shares constant text := format(
    'select s.account_id from public.email_account_shares s where s.tenant_id = %s and s.user_id = %s', v_tenant, v_user);
  v_seen constant text := format('any (array(%s))', v_shares);
  v_written constant text := format($q$any (array(%s and s.access <> 'read'))$q$, v_shares);
  v_sends constant text := 'exists (select from public.email_sends o where o.tenant_id = %s'
    || ' and o.outbox_id = email_recipients.outbox_id and o.account_id = %s offset 0)';
  v_standing constant text := 'exists (select from public.email_standing_searches o where o.tenant_id = %s'
    || ' and o.id = email_standing_matches.search_id and o.user_id = %s offset 0)';
  v_hooks constant text := 'exists (select from public.email_webhooks w where w.tenant_id = %s'
    || ' and w.id = %s.webhook_id and w.user_id = %s offset 0)';
  v_folders constant text :=
    'folder_id = any (array(select f.id from public.email_folders f where f.tenant_id = %s and f.account_id = %s))';
  laid record;
begin
  for laid in
    with listed (name, seen, made, changed) as (
      select each_one, 'account_id = ' || v_seen, 'account_id = ' || v_written, 'account_id = ' || v_written
        from unnest(array['email_folders', 'email_messages', 'email_addresses', 'email_attachments', 'email_search_entries',
          'email_thread_links', 'email_changes', 'email_outbox', 'email_intents', 'email_senders', 'email_sends',
          'email_drafts', 'email_quarantine', 'email_sync_jobs', 'email_api_keys', 'email_webhook_wakes']) each_one
      union all values
        ('email_accounts', format('(user_id = %s or id = %s)', v_user, v_seen),
          format('(user_id = %s or id = %s)', v_user, v_written), 'id = ' || v_written),
        -- A secret is nothing to read for who may not write.
        ('email_credentials', 'account_id = ' || v_written, 'account_id = ' || v_written, 'account_id = ' || v_written),
        -- A user knows the own shares, and the owner all of an account; what makes an owner stays.
        ('email_account_shares', format('(user_id = %1$s or owner_id = %1$s)', v_user), 'owner_id = ' || v_user,
          'owner_id = ' || v_user),
        ('email_placements', format(v_folders, v_tenant, v_seen), format(v_folders, v_tenant, v_written),
          format(v_folders, v_tenant, v_written)),
        ('email_purged_uids', format(v_folders, v_tenant, v_seen), format(v_folders, v_tenant, v_written),
          format(v_folders, v_tenant, v_written)),
        ('email_recipients', format(v_sends, v_tenant, v_seen), format(v_sends, v_tenant, v_written),
          format(v_sends, v_tenant, v_written)),
        -- A standing search is of one user, or of the tenant, with what it matched.
        ('email_standing_searches', 'user_id = ' || v_user, 'user_id = ' || v_user, 'user_id = ' || v_user),
        ('email_standing_matches', format(v_standing, v_tenant, v_user), format(v_standing, v_tenant, v_user),
          format(v_standing, v_tenant, v_user)),
        -- A webhook is of one user, or of the tenant; the owner asks whether there is any, whoever changes mail.
        ('email_webhooks', format('(user_id = %s or current_user = ''email_owner'')', v_user), 'user_id = ' || v_user,
          'user_id = ' || v_user),
        ('email_webhook_cursors', format(v_hooks, v_tenant, 'email_webhook_cursors', v_user),
          format(v_hooks, v_tenant, 'email_webhook_cursors', v_user),
          format(v_hooks, v_tenant, 'email_webhook_cursors', v_user)),
        ('email_webhook_deliveries', format(v_hooks, v_tenant, 'email_webhook_deliveries', v_user),
          format(v_hooks, v_tenant, 'email_webhook_deliveries', v_user),
          format(v_hooks, v_tenant, 'email_webhook_deliveries', v_user)),
        -- Holds are for the tenant to make and to release; the owner asks whether mail is held, whoever removes it.
        ('email_holds', format('(account_id = %s or current_user = ''email_owner'')', v_seen), 'false', 'false'),
        ('email_held_messages', format('exists (select from public.email_messages m where m.tenant_id = %s'
          || ' and m.id = email_held_messages.message_id offset 0)', v_tenant), 'false', 'false'),
        -- Bytes are a tenant's, once for all accounts: seen by who sees what is made of them, written by no user.
        ('email_blobs', (
            select string_agg(format('exists (select from public.%1$s o where o.tenant_id = %2$s and o.%3$I = sha256 offset 0)',
              owner.name, v_tenant, owner.hash), ' or ')
              from (values ('email_messages', 'raw_blob'), ('email_attachments', 'blob_hash'),
                ('email_quarantine', 'raw_blob'), ('email_drafts', 'raw_blob'), ('email_sends', 'raw_blob')) owner (name, hash)),
          'false', 'false'),
        ('email_blob_pieces', format('exists (select from public.email_blobs b where b.tenant_id = %s'
          || ' and b.sha256 = email_blob_pieces.sha256 offset 0)', v_tenant), 'false', 'false'),
        -- The trail: what the user did, and what was done to accounts that the user sees.
        ('email_audit_log', format('(user_id = %s or object_id = %s)', v_user, v_seen), 'user_id = ' || v_user, 'false'),
        -- How long the trail is tells what others did: only email_audit_append goes on with it, which runs as the owner.
        ('email_audit_heads', 'current_user = ''email_owner''', 'current_user = ''email_owner''',
          'current_user = ''email_owner''')
    ), of_users as (
      select l.*, case when name in ('email_accounts', 'email_account_shares', 'email_credentials', 'email_blobs',
        'email_blob_pieces') then v_no_user else format('(select %s)', v_no_user) end as no_user
        from listed l
    ), guarded as (
      select c.relname::text as name, c.relispartition as is_part
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname like 'email\_%'
    )
    select name, '_tenant_policy' as ending, format('using (tenant_id = %1$s and (%2$s or %3$s))'
        || ' with check (tenant_id = %1$s and (%2$s or %4$s))', v_tenant, no_user, seen, made) as definition
      from of_users
    union all
    select name, '_tenant_policy', format('using (tenant_id = %1$s) with check (tenant_id = %1$s)', v_tenant)
      from guarded
     where not is_part and name not in (select u.name from of_users u)
    -- Seeing is not changing: the row as it was must be one that the user may write, too.
    union all
    select name, '_update_policy', format('as restrictive for update using (%s or %s) with check (true)', no_user, changed)
      from of_users
    union all
    select name, '_delete_policy', format('as restrictive for delete using (%s or %s)', no_user, changed)
      from of_users
    union all values
      -- The functions at the end of this file, owned by email_owner, find a tenant by its name.
      ('email_tenants', '_owner_policy', 'to email_owner using (true) with check (true)'),
      -- And, where no tenant is set yet, whose key it is that somebody shows.
      ('email_api_keys', '_owner_policy', $q$to email_owner
        using (nullif(current_setting('app.current_tenant_id', true), '') is null)
        with check (nullif(current_setting('app.current_tenant_id', true), '') is null)$q$),
      -- … and what is due of all tenants; where one is set, the owner has that one's jobs only.
      ('email_sync_jobs', '_owner_policy', $q$to email_owner
        using ((select nullif(current_setting('app.current_tenant_id', true), '') is null))
        with check ((select nullif(current_setting('app.current_tenant_id', true), '') is null))$q$),
      ('email_webhooks', '_owner_policy', $q$to email_owner
        using ((select nullif(current_setting('app.current_tenant_id', true), '') is null))
        with check ((select nullif(current_setting('app.current_tenant_id', true), '') is null))$q$),
      ('email_webhook_wakes', '_owner_policy', $q$to email_owner
        using ((select nullif(current_setting('app.current_tenant_id', true), '') is null))
        with check ((select nullif(current_setting('app.current_tenant_id', true), '') is null))$q$),
      -- The owner's share is made and goes with the account, and not otherwise.
      ('email_account_shares', '_owner_update_policy', $q$as restrictive for update using (access <> 'owner')$q$),
      ('email_account_shares', '_owner_delete_policy', $q$as restrictive for delete using (access <> 'owner')$q$)
    union all
    select each_one, '_search_policy', 'for select to email_search using (true)'
      from unnest(array['email_folders', 'email_messages', 'email_placements', 'email_search_entries']) each_one
    -- A backup reads the rows of all tenants, and each month of the trail by itself. It has policies instead of BYPASSRLS,
    -- which a managed server gives to nobody.
    union all
    select name, '_backup_policy', 'for select to email_backup using (true)' from guarded
    -- The login of a single tenant is named after a hash of the tenant's id (others can read the names of roles), and its
    -- session cannot be another's, whatever it sets. Of the two conditions the first holds for the row, as a statement may
    -- change the setting in its midst; coalesce keeps the planner from making it one of settings alone. The second goes to
    -- the index: with another tenant set nothing is read, so there is nothing to be counted or timed.
    union all
    select name, '_login_policy', $q$as restrictive to email_tenant_login
        using (coalesce(session_user = 'email_tenant_' || substr(encode(sha256(uuid_send(tenant_id)), 'hex'), 1, 32), false)
          and tenant_id = case when session_user = 'email_tenant_' || substr(encode(sha256(uuid_send(
              nullif(current_setting('app.current_tenant_id', true), '')::uuid)), 'hex'), 1, 32)
            then nullif(current_setting('app.current_tenant_id', true), '')::uuid end)$q$
      from guarded
     where not is_part
  loop
    execute format('drop policy if exists %I on %I.%I', laid.name || laid.ending, p_schema, laid.name);
    execute format('create policy %I on %I.%I %s', laid.name || laid.ending, p_schema, laid.name, laid.definition);
  end loop;
end $$;

revoke all on function email_lay_policies(text) from public;
select email_lay_policies();

-- Folder counters: statement-level triggers (a per-row trigger costs 47 times as much). They run as the owner, so that
-- no login may write the counters by hand; row security of the tenant that is set binds the owner as well.

create function email_count_placed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.email_folders f
     set total_count = f.total_count + d.total, unread_count = f.unread_count + d.unread
    from (select tenant_id, folder_id, count(*) as total, count(*) filter (where not is_read) as unread
            from now_placed where vanished_at is null and not is_hidden group by tenant_id, folder_id) d
   where f.tenant_id = d.tenant_id and f.id = d.folder_id;
  return null;
end $$;

create function email_count_removed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.email_folders f
     set total_count = f.total_count - d.total, unread_count = f.unread_count - d.unread
    from (select tenant_id, folder_id, count(*) as total, count(*) filter (where not is_read) as unread
            from once_placed where vanished_at is null and not is_hidden group by tenant_id, folder_id) d
   where f.tenant_id = d.tenant_id and f.id = d.folder_id;
  return null;
end $$;

create function email_count_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.email_folders f
     set total_count = f.total_count + d.total, unread_count = f.unread_count + d.unread
    from (select tenant_id, folder_id, sum(total) as total, sum(unread) as unread
            from (select tenant_id, folder_id, 1 as total, case when is_read then 0 else 1 end as unread
                    from now_placed where vanished_at is null and not is_hidden
                  union all
                  select tenant_id, folder_id, -1, case when is_read then 0 else -1 end
                    from once_placed where vanished_at is null and not is_hidden) each_one
           group by tenant_id, folder_id
          having sum(total) <> 0 or sum(unread) <> 0) d
   where f.tenant_id = d.tenant_id and f.id = d.folder_id;
  return null;
end $$;

-- Where the triggers could not see it: rows changed by a superuser, no tenant being set.
create function email_recount_folders(p_tenant_id uuid, p_account_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_tenant_id is distinct from nullif(current_setting('app.current_tenant_id', true), '')::uuid then
    raise exception 'folders are counted for the tenant that is set' using errcode = 'insufficient_privilege';
  end if;
  update public.email_folders f
     set total_count = c.total, unread_count = c.unread
    from (select o.id, count(p.uid) as total, count(p.uid) filter (where not p.is_read) as unread
            from public.email_folders o
            left join public.email_placements p
              on p.tenant_id = o.tenant_id and p.folder_id = o.id and p.vanished_at is null and not p.is_hidden
           where o.tenant_id = p_tenant_id and o.account_id = p_account_id
           group by o.id) c
   where f.tenant_id = p_tenant_id and f.id = c.id and (f.total_count, f.unread_count) is distinct from (c.total, c.unread);
end $$;

create trigger email_placements_counted_in after insert on email_placements
  referencing new table as now_placed for each statement execute function email_count_placed();
create trigger email_placements_counted_out after delete on email_placements
  referencing old table as once_placed for each statement execute function email_count_removed();
create trigger email_placements_counted_again after update on email_placements
  referencing old table as once_placed new table as now_placed
  for each statement execute function email_count_changed();

-- Holds win over every removal, whoever removes: what a search found is held by its foreign key, the rest by this. --------

create function email_refuse_held() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (
    select from once_there o
      join public.email_holds h on h.tenant_id = o.tenant_id and h.released_at is null
        and (h.scope = 'tenant' or h.account_id = o.account_id)) then
    raise exception 'the mail is held' using errcode = 'restrict_violation';
  end if;
  return null;
end $$;

create trigger email_messages_held after delete on email_messages
  referencing old table as once_there for each statement execute function email_refuse_held();

-- A suspended tenant is written nothing by the application, nor is one that is being erased. The door of the program
-- refuses it altogether; what operators do for it, such as a purge, goes through email_worker and email_owner. ----------

create function email_refuse_suspended() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_state text;
begin
  select case when t.erasing_at is not null then 'being erased' when t.suspended_at is not null then 'suspended' end
    into v_state
    from public.email_tenants t
   where t.tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid;
  if v_state is not null then
    raise exception 'the tenant is %', v_state using errcode = 'insufficient_privilege';
  end if;
  return null;
end $$;

do $$
declare
  written text;
begin
  foreach written in array array['email_accounts', 'email_account_shares', 'email_folders', 'email_credentials',
      'email_messages', 'email_placements', 'email_outbox', 'email_intents', 'email_changes', 'email_webhooks',
      'email_standing_searches'] loop
    execute format('create trigger %I before insert or update or delete on public.%I for each statement'
      || ' when (session_user = ''email_service'') execute function email_refuse_suspended()', written || '_suspended', written);
  end loop;
end $$;

-- Audit: nobody but the owner writes the trail by hand. These run as the owner, whom row security binds as well. ---------

create function email_audit_month(p_month date) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
-- The partition of a month, made where it is not there. It is attached, which lets others go on reading and writing.
-- Nobody comes to it but through the whole table, except for a backup.
declare
  v_name text := 'email_audit_log_' || to_char(p_month, 'YYYY_MM');
  v_begin timestamp := date_trunc('month', p_month::timestamp);
begin
  perform pg_advisory_xact_lock(hashtextextended('postroom.audit.month', 0));
  if to_regclass('public.' || v_name) is not null then
    return;
  end if;
  execute format('create table public.%I (like public.email_audit_log including defaults including constraints)', v_name);
  execute format('alter table public.%I enable row level security', v_name);
  execute format('alter table public.%I force row level security', v_name);
  execute format('create policy %I on public.%I for select to email_backup using (true)', v_name || '_backup_policy', v_name);
  execute format('alter table public.email_audit_log attach partition public.%I for values from (%s) to (%s)', v_name,
    (extract(epoch from v_begin at time zone 'UTC') * 1000)::bigint,
    (extract(epoch from (v_begin + interval '1 month') at time zone 'UTC') * 1000)::bigint);
end $$;

create function email_audit_append(p_tenant_id uuid, p_id uuid, p_action text, p_about jsonb) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
-- The next entry of the tenant's chain. p_about: object_type, object_id, user_id, api_key_id, before, after.
declare
  v_month date := date_trunc('month', clock_timestamp() at time zone 'UTC')::date;
  v_at bigint;
  v_place bigint;
  v_previous bytea;
  v_hash bytea;
  v_object_type text := p_about ->> 'object_type';
  v_object_id uuid := (p_about ->> 'object_id')::uuid;
  v_user_id uuid := coalesce(p_about ->> 'user_id', nullif(current_setting('app.current_user_id', true), ''))::uuid;
  v_api_key_id uuid := (p_about ->> 'api_key_id')::uuid;
  v_before jsonb := nullif(p_about -> 'before', 'null');
  v_after jsonb := nullif(p_about -> 'after', 'null');
begin
  if p_tenant_id is distinct from nullif(current_setting('app.current_tenant_id', true), '')::uuid then
    raise exception 'the trail is of the tenant that is set' using errcode = 'insufficient_privilege';
  end if;
  if p_id is null or p_action is null or v_object_type is null then
    raise exception 'an entry says what was done, and to what' using errcode = 'invalid_parameter_value';
  end if;
  if to_regclass('public.email_audit_log_' || to_char(v_month + interval '1 month', 'YYYY_MM')) is null then
    perform public.email_audit_month((v_month + make_interval(months => ahead))::date) from generate_series(0, 2) ahead;
  end if;
  insert into public.email_audit_heads (tenant_id, month, place, hash)
  values (p_tenant_id, v_month, 0, decode(repeat('00', 32), 'hex'))
  on conflict (tenant_id, month) do nothing;
  select h.place + 1, h.hash into v_place, v_previous
    from public.email_audit_heads h where h.tenant_id = p_tenant_id and h.month = v_month for update;
  -- Not before the head is ours, and in its month: so the times of a chain are in its order.
  v_at := least(extract(epoch from clock_timestamp()) * 1000,
    extract(epoch from (v_month + interval '1 month') at time zone 'UTC') * 1000 - 1)::bigint;
  -- Each value by its length in bytes, what is missing as '-': store/audit_chain.py writes the same.
  select sha256(v_previous || convert_to(string_agg(coalesce(octet_length(said) || ':' || said, '-'), '' order by n), 'UTF8'))
    into v_hash
    from unnest(array[p_tenant_id::text, v_place::text, p_id::text, v_at::text, session_user::text, v_user_id::text,
      v_api_key_id::text, p_action, v_object_type, v_object_id::text, v_before::text, v_after::text])
      with ordinality as told (said, n);
  insert into public.email_audit_log (tenant_id, id, at, actor_role, user_id, api_key_id, action, object_type, object_id,
    before, after, place, previous_hash, hash)
  values (p_tenant_id, p_id, v_at, session_user, v_user_id, v_api_key_id, p_action, v_object_type, v_object_id,
    v_before, v_after, v_place, v_previous, v_hash);
  update public.email_audit_heads h set place = v_place, hash = v_hash
   where h.tenant_id = p_tenant_id and h.month = v_month;
end $$;

create function email_audit_drop(p_month date) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
-- Drop a month of all tenants. Each tenant's trail says so, and how its chain of that month ended.
declare
  v_tenant record;
  v_head record;
  v_entries bigint := 0;
  v_before text := coalesce(current_setting('app.current_tenant_id', true), '');
begin
  if p_month >= date_trunc('month', clock_timestamp() at time zone 'UTC')::date then
    raise exception 'a month that is not over is not dropped' using errcode = 'invalid_parameter_value';
  end if;
  for v_tenant in select t.tenant_id from public.email_tenants t order by t.tenant_id loop
    perform set_config('app.current_tenant_id', v_tenant.tenant_id::text, true);
    delete from public.email_audit_heads h where h.tenant_id = v_tenant.tenant_id and h.month = p_month
      returning h.place, h.hash into v_head;
    continue when not found;
    v_entries := v_entries + v_head.place;
    perform public.email_audit_append(v_tenant.tenant_id, gen_random_uuid(), 'audit.drop', jsonb_build_object(
      'object_type', 'audit', 'before', jsonb_build_object('month', to_char(p_month, 'YYYY-MM'), 'entries', v_head.place,
        'hash', encode(v_head.hash, 'hex'))));
  end loop;
  perform set_config('app.current_tenant_id', v_before, true);
  execute format('drop table if exists public.%I', 'email_audit_log_' || to_char(p_month, 'YYYY_MM'));
  return v_entries;
end $$;

do $$ begin
  perform email_audit_month((current_date + make_interval(months => ahead))::date) from generate_series(0, 3) ahead;
end $$;

-- An account that is new, reached otherwise than before, or enabled again is due at once; one that is not to be synced, never.

create function email_sync_schedule() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
  insert into public.email_sync_jobs as j (tenant_id, account_id, host, due_at, woken_at, is_paused)
  values (new.tenant_id, new.id, lower(new.hostname),
    case when new.hostname is not null and new.credential_id is not null and new.is_enabled and new.is_sync_enabled
      and not new.is_deleted then v_now end, v_now, new.is_deleted or not (new.is_enabled and new.is_sync_enabled))
  on conflict (tenant_id, account_id) do update
    set host = excluded.host, due_at = excluded.due_at, woken_at = excluded.woken_at, is_paused = excluded.is_paused,
      failures = 0, trouble = null;
  return null;
end $$;

create trigger email_accounts_scheduled
  after insert or update of hostname, port, encryption, username, credential_id, is_enabled, is_sync_enabled,
    sync_interval, push_folders, is_deleted on email_accounts
  for each row execute function email_sync_schedule();

-- What is to be sent, and the copy of what was sent, tell their account when. At the end of the transaction, for a sync
-- locks the account first and its job last.

create function email_send_schedule() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_at bigint;
begin
  if tg_table_name = 'email_outbox' then
    v_at := new.not_before;
  else
    v_at := new.copy_not_before;
  end if;
  update public.email_sync_jobs j set send_due_at = least(j.send_due_at, v_at)
   where j.tenant_id = new.tenant_id and j.account_id = new.account_id
     and (j.send_due_at is null or j.send_due_at > v_at);
  return null;
end $$;

create constraint trigger email_outbox_scheduled after insert or update of state, not_before on email_outbox
  deferrable initially deferred for each row when (new.state = 'pending' and new.kind = 'send')
  execute function email_send_schedule();

create constraint trigger email_sends_scheduled after insert or update of copy_state, copy_not_before on email_sends
  deferrable initially deferred for each row when (new.copy_state = 'wanted')
  execute function email_send_schedule();

-- A feed goes on: whoever tells it to webhooks is woken, where the tenant has any. It is an insert of its own, seen when the
-- change is, so that nothing is woken too early. A tenant that the owner brings in is looked at when its webhooks are due.

create function email_webhook_wake() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into public.email_webhook_wakes (tenant_id, account_id, modseq)
  select n.tenant_id, n.account_id, n.modseq from now_told n
   where exists (select from public.email_webhooks w where w.tenant_id = n.tenant_id and w.is_enabled)
  on conflict do nothing;
  return null;
end $$;

create trigger email_changes_wake after insert on email_changes referencing new table as now_told
  for each statement when (current_user <> 'email_owner') execute function email_webhook_wake();

-- The secrets of a webhook go with it: the application may not read which they are.

create function email_webhook_gone() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from public.email_credentials c
   where c.tenant_id = old.tenant_id and c.account_id = old.id and c.kind = 'webhook';
  return null;
end $$;

create trigger email_webhooks_gone after delete on email_webhooks
  for each row when (current_user <> 'email_owner') execute function email_webhook_gone();

-- Passwords that nobody signs in with any more: the application may not read which they are. Those that the account or
-- its sender has now stay, so that whoever calls it can do no harm.

create function email_forget_secrets(p_tenant_id uuid, p_account_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_tenant_id is distinct from nullif(current_setting('app.current_tenant_id', true), '')::uuid then
    raise exception 'secrets are forgotten for the tenant that is set' using errcode = 'insufficient_privilege';
  end if;
  delete from public.email_credentials c
   where c.tenant_id = p_tenant_id and c.account_id = p_account_id and c.kind <> 'webhook'
     and not exists (select from public.email_accounts a
                      where a.tenant_id = p_tenant_id and a.credential_id = c.id)
     and not exists (select from public.email_senders s
                      where s.tenant_id = p_tenant_id and c.id in (s.credential_id, s.dkim_key_id));
end $$;

-- Statements that cross tenants: narrow functions for operators and workers, never for the application. ------------------

create function email_tenant_create(p_tenant_id uuid, p_name text, p_default_user_id uuid, p_at bigint)
returns table (tenant_id uuid, name text)
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into public.email_tenants (tenant_id, name, default_user_id, created_at, updated_at)
  values (p_tenant_id, p_name, p_default_user_id, p_at, p_at)
  on conflict (name) do nothing
  returning email_tenants.tenant_id, email_tenants.name
$$;

create function email_tenant_named(p_name text) returns table (tenant_id uuid, name text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select t.tenant_id, t.name from public.email_tenants t where t.name = p_name
$$;

create function email_tenant_list()
returns table (tenant_id uuid, name text, created_at bigint, suspended_at bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select t.tenant_id, t.name, t.created_at, t.suspended_at from public.email_tenants t order by t.name
$$;

-- Whose key this is, for the service, which knows no tenant before. Nothing for a key that is not there, over or revoked.
create function email_api_key_of(p_secret_hash bytea)
returns table (tenant_id uuid, id uuid, prefix text, user_id uuid, can_read boolean, can_write boolean, can_send boolean,
  can_admin boolean, expires_at bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_now constant bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
  return query
    select k.tenant_id, k.id, k.prefix, k.user_id, k.can_read, k.can_write, k.can_send, k.can_admin, k.expires_at
      from public.email_api_keys k
     where k.secret_hash = p_secret_hash and k.revoked_at is null and (k.expires_at is null or k.expires_at > v_now);
  if found then
    update public.email_api_keys k
       set last_used_at = v_now
     where k.secret_hash = p_secret_hash and (k.last_used_at is null or k.last_used_at < v_now - 300000);
  end if;
end $$;

-- For who shows a key of the installation, whatever login asks.
create function email_admin_admitted(p_proof bytea) returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (
    select from public.email_admin_keys k
     where k.proof_hash = sha256(p_proof) and k.revoked_at is null
       and (k.expires_at is null or k.expires_at > (extract(epoch from clock_timestamp()) * 1000)::bigint)) then
    raise exception 'this is no key of the installation' using errcode = 'insufficient_privilege';
  end if;
end $$;

create function email_admin_tenant_list(p_proof bytea)
returns table (tenant_id uuid, name text, created_at bigint, suspended_at bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform public.email_admin_admitted(p_proof);
  return query select t.tenant_id, t.name, t.created_at, t.suspended_at from public.email_tenants t order by t.name;
end $$;

create function email_admin_tenant_create(
  p_proof bytea, p_tenant_id uuid, p_name text, p_default_user_id uuid, p_at bigint)
returns table (tenant_id uuid, name text)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform public.email_admin_admitted(p_proof);
  return query select t.tenant_id, t.name from public.email_tenant_create(p_tenant_id, p_name, p_default_user_id, p_at) t;
end $$;

-- A key for the whole of a tenant. Nothing where there is no such tenant.
create function email_admin_key_create(
  p_proof bytea, p_tenant_id uuid, p_id uuid, p_name text, p_prefix text, p_secret_hash bytea, p_scopes text[],
  p_expires_at bigint, p_at bigint)
returns table (id uuid)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform public.email_admin_admitted(p_proof);
  return query
    insert into public.email_api_keys (tenant_id, id, name, prefix, secret_hash, can_read, can_write, can_send, can_admin,
      expires_at, created_at, updated_at)
    select t.tenant_id, p_id, p_name, p_prefix, p_secret_hash, 'read' = any (p_scopes), 'write' = any (p_scopes),
      'send' = any (p_scopes), 'admin' = any (p_scopes), p_expires_at, p_at, p_at
      from public.email_tenants t
     where t.tenant_id = p_tenant_id and t.erasing_at is null
    returning email_api_keys.id;
end $$;

-- Accounts that are due become the worker's for p_lease_ms. Tenants take turns, whatever they have waiting: first who has
-- fewest at work, then who has waited longest. No more than p_per_host at once on one host, unless it counts by account.
create function email_sync_claim(
  p_worker_id uuid, p_limit integer, p_lease_ms bigint, p_per_host integer, p_uncounted_hosts text[], p_woken_only boolean)
returns table (tenant_id uuid, account_id uuid, token bigint, is_woken boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_now bigint;
  v_full text[];
begin
  perform pg_advisory_xact_lock(7303014817);  -- one claim at a time: two could count the same free place
  v_now := (extract(epoch from clock_timestamp()) * 1000)::bigint;
  select coalesce(array_agg(f.host), '{}') into v_full
    from (select j.host from public.email_sync_jobs j
           where j.worker_id is not null and j.lease_until > v_now and j.host <> all (p_uncounted_hosts)
           group by j.host having count(*) >= p_per_host) f;
  return query
    with busy as materialized (
      select j.tenant_id, j.host, count(*) as running from public.email_sync_jobs j
       where j.worker_id is not null and j.lease_until > v_now group by j.tenant_id, j.host
    ), waiting as materialized (
      -- Some more than are wanted, as hosts may have less room. A host that is full by this claim is left out of the next.
      select w.tenant_id, w.account_id, w.host, w.due_at, coalesce(b.running, 0)
          + row_number() over (partition by w.tenant_id order by w.due_at, w.account_id) as turn
        from public.email_tenants t
        left join (select o.tenant_id, sum(o.running) as running from busy o group by o.tenant_id) b
          on b.tenant_id = t.tenant_id
       cross join lateral (
         select j.tenant_id, j.account_id, j.host, j.due_at from public.email_sync_jobs j
          where t.suspended_at is null and t.erasing_at is null
            and j.tenant_id = t.tenant_id and j.due_at <= case when p_woken_only then 0 else v_now end
            and (j.worker_id is null or j.lease_until <= v_now) and j.host <> all (v_full)
          order by j.due_at limit p_limit) w
       order by 5, 4, 2 limit 8 * p_limit
    ), placed as materialized (
      select w.tenant_id, w.account_id, w.turn, w.due_at,
          coalesce((select sum(b.running) from busy b where b.host = w.host), 0)
            + row_number() over (partition by w.host order by w.turn, w.due_at, w.account_id) as place,
          w.host = any (p_uncounted_hosts) as is_uncounted
        from waiting w
    ), chosen as materialized (
      select k.tenant_id, k.account_id
        from placed p
        join public.email_sync_jobs k on k.tenant_id = p.tenant_id and k.account_id = p.account_id
       where (p.is_uncounted or p.place <= p_per_host)
         and k.due_at <= v_now and (k.worker_id is null or k.lease_until <= v_now)
       order by p.turn, p.due_at, p.account_id limit p_limit
         for update of k skip locked
    )
    update public.email_sync_jobs j
       set worker_id = p_worker_id, token = j.token + 1, claimed_at = v_now, lease_until = v_now + p_lease_ms,
         done = 0, expected = null, left_ms = null
      from chosen c
     where j.tenant_id = c.tenant_id and j.account_id = c.account_id
    returning j.tenant_id, j.account_id, j.token, j.due_at = 0;
end $$;

-- Accounts whose outbox has something to do become one worker's for p_lease_ms. Tenants take turns. Of tenants that are
-- shut out and accounts that are paused, nothing.
create function email_sends_claim(p_limit integer, p_lease_ms bigint) returns table (tenant_id uuid, account_id uuid)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
  return query
    with waiting as materialized (
      select w.tenant_id, w.account_id
        from public.email_tenants t
       cross join lateral (
         select j.tenant_id, j.account_id, j.send_due_at, row_number() over (order by j.send_due_at, j.account_id) as turn
           from public.email_sync_jobs j
          where t.suspended_at is null and t.erasing_at is null
            and j.tenant_id = t.tenant_id and j.send_due_at <= v_now and not j.is_paused
          order by j.send_due_at, j.account_id limit p_limit) w
       order by w.turn, w.send_due_at limit p_limit
    ), chosen as materialized (
      select k.tenant_id, k.account_id
        from waiting w
        join public.email_sync_jobs k on k.tenant_id = w.tenant_id and k.account_id = w.account_id
       where k.send_due_at <= v_now
         for update of k skip locked
    )
    update public.email_sync_jobs j set send_due_at = v_now + p_lease_ms
      from chosen c
     where j.tenant_id = c.tenant_id and j.account_id = c.account_id
    returning j.tenant_id, j.account_id;
end $$;

-- Webhooks with something to tell become one worker's for p_lease_ms; those of a feed that went on, and each of them once
-- in a while. Of tenants that are shut out nothing is told.
create function email_webhooks_claim(p_limit integer, p_lease_ms bigint, p_look_again_ms bigint)
returns table (tenant_id uuid, webhook_id uuid, user_id uuid, token bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
  with woken as materialized (
    select k.tenant_id, k.account_id, k.modseq from public.email_webhook_wakes k limit 10000 for update skip locked
  ), taken as materialized (
    delete from public.email_webhook_wakes d using woken k
     where d.tenant_id = k.tenant_id and d.account_id = k.account_id and d.modseq = k.modseq
    returning d.tenant_id
  )
  update public.email_webhooks w set due_at = v_now
    from (select distinct k.tenant_id from taken k) t
   where w.tenant_id = t.tenant_id and w.is_enabled and w.failures = 0 and w.due_at > v_now;
  return query
    with chosen as materialized (
      select w.tenant_id, w.id from public.email_webhooks w
        join public.email_tenants t on t.tenant_id = w.tenant_id
       where w.is_enabled and w.due_at <= v_now and w.lease_until <= v_now
         and t.suspended_at is null and t.erasing_at is null
       order by w.due_at, w.id limit p_limit
         for update of w skip locked
    )
    update public.email_webhooks w
       set due_at = v_now + p_look_again_ms, lease_until = v_now + p_lease_ms, token = w.token + 1
      from chosen c
     where w.tenant_id = c.tenant_id and w.id = c.id
    returning w.tenant_id, w.id, w.user_id, w.token;
end $$;

-- A worker lives. What one waited for that has been silent for p_dead_ms is due at once, for another to wait for it.
create function email_worker_beat(
  p_id uuid, p_host text, p_pid integer, p_concurrency integer, p_running integer, p_watching integer,
  p_is_stopping boolean, p_dead_ms bigint)
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
  v_dead uuid;
begin
  insert into public.email_workers as w
    (id, host, pid, concurrency, running, watching, is_stopping, started_at, seen_at)
  values (p_id, coalesce(p_host, ''), p_pid, p_concurrency, p_running, p_watching, p_is_stopping, v_now, v_now)
  on conflict (id) do update
    set running = p_running, watching = p_watching, is_stopping = p_is_stopping, seen_at = v_now;
  for v_dead in delete from public.email_workers w where w.seen_at < v_now - p_dead_ms and w.id <> p_id returning w.id loop
    update public.email_sync_jobs j set watcher_id = null, due_at = least(j.due_at, v_now)
     where j.watcher_id = v_dead and j.due_at is not null;
  end loop;
end $$;

create function email_worker_gone(p_id uuid) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.email_sync_jobs j
     set watcher_id = null, due_at = least(j.due_at, (extract(epoch from clock_timestamp()) * 1000)::bigint)
   where j.watcher_id = p_id and j.due_at is not null;
  delete from public.email_workers w where w.id = p_id;
end $$;

create function email_worker_list()
returns table (id uuid, host text, pid integer, concurrency integer, running integer, watching integer,
  is_stopping boolean, started_at bigint, seen_at bigint, silent_ms bigint)
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  select w.id, w.host, w.pid, w.concurrency, w.running, w.watching, w.is_stopping, w.started_at, w.seen_at,
    (extract(epoch from clock_timestamp()) * 1000)::bigint - w.seen_at
  from public.email_workers w order by w.started_at, w.id
$$;

-- For the first thousands of rows: the planner would go on planning for an empty table until autovacuum comes by, and
-- the checks of foreign keys would read all of a tenant's rows.
create function email_refresh_statistics() returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (select reltuples from pg_class where oid = 'public.email_messages'::regclass) < 10000 then
    analyze (skip_locked) public.email_accounts, public.email_folders, public.email_blobs, public.email_messages,
      public.email_placements, public.email_addresses, public.email_attachments, public.email_search_entries,
      public.email_thread_links;
  end if;
end $$;

-- Search: row security would forbid the GIN index (@@ is not leakproof), so one function, owned by a role that reads
-- the search entries of everybody, filters the tenant first and gives ids only. -----------------------------------------

reset role;
set role email_search;

create function email_search_condition(p_node jsonb, p_with_deleted boolean default false) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
-- One node of a compiled query as SQL over s (search entry) and m (message); every value is a quoted literal.
-- With what is deleted, that lies where it lay last.
declare
  v_kind text;
  v_value jsonb;
  v_parts text[];
  v_condition text;
  v_lies constant text := case when p_with_deleted then '(p.vanished_at is null and not p.is_hidden or m.is_deleted)'
    else 'p.vanished_at is null and not p.is_hidden' end;
begin
  if jsonb_typeof(p_node) <> 'object' then
    raise exception 'a search node must be an object' using errcode = 'invalid_parameter_value';
  end if;
  select key, value into strict v_kind, v_value from jsonb_each(p_node);
  if v_kind in ('and', 'or') then
    select array_agg(public.email_search_condition(each_one, p_with_deleted)) into v_parts
      from jsonb_array_elements(v_value) each_one;
    if v_parts is null then
      return case v_kind when 'and' then 'true' else 'false' end;
    end if;
    return '(' || array_to_string(v_parts, ' ' || v_kind || ' ') || ')';
  end if;
  v_condition := case v_kind
    when 'not' then '(' || public.email_search_condition(v_value, p_with_deleted) || ') is not true'
    when 'all' then 'true'
    when 'ts' then format('s.words @@ %L::tsquery', v_value #>> '{}')
    when 'before' then format('s.received_at < %s', (v_value #>> '{}')::bigint)
    when 'after' then format('s.received_at >= %s', (v_value #>> '{}')::bigint)
    when 'larger' then format('s.size_bytes > %s', (v_value #>> '{}')::bigint)
    when 'smaller' then format('s.size_bytes < %s', (v_value #>> '{}')::bigint)
    when 'account' then format('s.account_id = %L::uuid', (v_value #>> '{}')::uuid)
    when 'in' then format(
      'exists (select from public.email_placements p join public.email_folders f'
      || ' on f.tenant_id = p.tenant_id and f.id = p.folder_id'
      || ' where p.tenant_id = s.tenant_id and p.message_id = s.message_id and %2$s'
      || ' and (f.type = lower(%1$L) or lower(f.name) = lower(%1$L)'
      || ' or right(lower(f.name), length(%1$L) + 1) = ''/'' || lower(%1$L)))',
      v_value ->> 'name', v_lies)
    when 'flag' then case v_value #>> '{}'
      when 'unread' then 'not m.is_read'
      when 'read' then 'm.is_read'
      when 'flagged' then 'm.is_flagged'
      when 'draft' then 'm.is_draft'
      when 'answered' then
        'exists (select from public.email_placements p where p.tenant_id = s.tenant_id'
        || ' and p.message_id = s.message_id and ' || v_lies || ' and ''\Answered'' = any (p.flags))'
    end
  end;
  if v_condition is null then
    raise exception 'unknown search node' using errcode = 'invalid_parameter_value';
  end if;
  return v_condition;
end $$;

-- A tsquery that the index answers alone, and that every match of the given one satisfies: without its weights, orders
-- and negations. Null when no such word is left.
create function email_search_among(p_words tsquery) returns tsquery
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select case when not bool_or(part[1] = 'T') then string_agg(
      case when part[1] like '<%' then '&'
        when part[1] like '''%' then regexp_replace(part[1], '''(:\*)?:?[ABCD]*$', '''\1')
        else part[1] end, ' ')::tsquery end
    from regexp_matches(querytree(p_words), '''(?:[^'']|'''')*''(?::[*ABCD]+)?|<[-0-9]+>|[()|&T]', 'g') part
$$;

-- The entries that hold such words, by the index and by nothing else: the planner does not know what it costs to unpack
-- the words of every message of a tenant, and would rather do that for a common word.
create function email_search_hits(p_scope text, p_among tsquery, p_after_cursor text)
returns table (tenant_id uuid, message_id uuid, received_at bigint, account_id uuid, size_bytes bigint, words tsvector)
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_indexscan = off as $$
begin
  return query execute format(
    'select s.tenant_id, s.message_id, s.received_at, s.account_id, s.size_bytes, s.words'
    || ' from public.email_search_entries s where %s and s.words @@ %L::tsquery%s', p_scope, p_among, p_after_cursor);
end $$;

create function email_search_messages(
  p_tenant_id uuid, p_query jsonb, p_ranked_by text, p_limit integer, p_before_at bigint, p_before_id uuid)
returns table (message_id uuid, received_at bigint, rank real)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
-- The ids of the matches, newest first (p_ranked_by null), or the newest 1,000 by rank. p_before_* continue a page.
-- {"with_deleted": query} finds what is deleted and not purged yet as well.
-- Every statement is planned with its own values: a plan made for any value is 800 times slower for some.
declare
  v_with_deleted constant boolean := coalesce(p_query ? 'with_deleted', false);
  v_condition text;
  v_must tsquery;       -- what every match satisfies, if there is such a thing
  v_rest text;          -- the condition without it
  v_among tsquery;      -- as much of it as the index answers alone
  v_after_cursor text := '';
  v_joined text;
  v_window integer := 150;
  v_scope text := format('s.tenant_id = %L::uuid', p_tenant_id);
  v_user constant uuid := nullif(current_setting('app.current_user_id', true), '')::uuid;
  v_ids uuid[];
  v_ats bigint[];
  v_ranks real[];
  v_source text;
  v_found bigint;
begin
  if p_tenant_id is distinct from nullif(current_setting('app.current_tenant_id', true), '')::uuid then
    raise exception 'search is for the tenant that is set' using errcode = 'insufficient_privilege';
  end if;
  if pg_has_role(session_user, 'email_tenant_login', 'usage')
    and not (select r.rolsuper from pg_roles r where r.rolname = session_user)
    and session_user is distinct from
      'email_tenant_' || substr(encode(sha256(uuid_send(p_tenant_id)), 'hex'), 1, 32) then
    raise exception 'search is for the tenant of the login' using errcode = 'insufficient_privilege';
  end if;
  if v_user is not null then
    v_scope := v_scope || format(' and s.account_id = any (%L::uuid[])', array(
      select a.account_id from public.email_account_shares a where a.tenant_id = p_tenant_id and a.user_id = v_user));
  end if;
  if v_with_deleted then
    p_query := p_query -> 'with_deleted';
  end if;
  p_limit := least(greatest(p_limit, 1), 10000);
  v_condition := public.email_search_condition(p_query, v_with_deleted);
  if p_before_at is not null then
    v_after_cursor := format(' and (s.received_at, s.message_id) < (%s, %L::uuid)', p_before_at, p_before_id);
  end if;
  -- m: what changes after a message has come in.
  v_joined := format(
    ' join public.email_messages m on m.tenant_id = %L::uuid and m.id = s.message_id', p_tenant_id);
  if not v_with_deleted then
    v_joined := v_joined || ' and not m.is_deleted';
  end if;
  if p_query ? 'ts' then
    v_must := (p_query ->> 'ts')::tsquery;
    v_rest := 'true';
  elsif jsonb_typeof(p_query -> 'and') = 'array' then
    select n ->> 'ts' into v_must from jsonb_array_elements(p_query -> 'and') n where n ? 'ts' limit 1;
    v_rest := public.email_search_condition(jsonb_build_object('and', coalesce(
      (select jsonb_agg(n) from jsonb_array_elements(p_query -> 'and') n
        where (n ->> 'ts')::tsquery is distinct from v_must), '[]'::jsonb)), v_with_deleted);
  end if;
  v_among := public.email_search_among(v_must);

  if p_ranked_by is not null then
    v_source := 'public.email_search_entries';
    if v_among is not null then
      -- What every fifth message has is ranked among the newest of all; what is rarer, among those the index gives.
      execute format(
        'select count(*) from (select words from public.email_search_entries s where %s'
        || ' order by s.received_at desc, s.message_id desc limit %s) s where s.words @@ %L::tsquery',
        v_scope, v_window, v_among) into v_found;
      if v_found * 5 >= v_window then
        v_source := format(
          '(select tenant_id, message_id, received_at, account_id, size_bytes, words from public.email_search_entries s'
          || ' where %s order by s.received_at desc, s.message_id desc limit %s)', v_scope, v_window * 1500 / v_found);
        execute format(
          'select array_agg(r.message_id), array_agg(r.received_at), array_agg(ts_rank(r.words, %L::tsquery)::real)'
          || ' from (select s.message_id, s.received_at, s.words from %s s%s where %s'
          || '        order by s.received_at desc, s.message_id desc limit 1000) r',
          p_ranked_by, v_source, v_joined, v_condition) into v_ids, v_ats, v_ranks;
        if cardinality(v_ids) = 1000 then
          return query select found.i, found.a, found.r from unnest(v_ids, v_ats, v_ranks) as found (i, a, r)
            order by found.r desc, found.a desc, found.i desc limit p_limit;
          return;
        end if;
      end if;
      v_source := format(
        '(select * from public.email_search_hits(%L, %L, '''') order by received_at desc, message_id desc offset 0)',
        v_scope, v_among);
    end if;
    return query execute format(
      'select r.message_id, r.received_at, ts_rank(r.words, %L::tsquery)::real as rank'
      || ' from (select s.message_id, s.received_at, s.words from %s s%s where %s and (%s)'
      || '        order by s.received_at desc, s.message_id desc limit 1000) r'
      || ' order by 3 desc, 2 desc, 1 desc limit %s',
      p_ranked_by, v_source, v_joined, v_scope, v_condition, p_limit);
    return;
  end if;

  if v_among is null then
    -- Nothing for the index to find: walk by date.
    return query execute format(
      'select s.message_id, s.received_at, 0::real from public.email_search_entries s%s'
      || ' where %s%s and (%s)'
      || ' order by s.received_at desc, s.message_id desc limit %s',
      v_joined, v_scope, v_after_cursor, v_condition, p_limit);
    return;
  end if;

  -- What is common is among the newest messages: look there before gathering every match, and once more, further back,
  -- if by what was found that is likely to be enough.
  for v_try in 1..2 loop
    execute format(
      'select array_agg(w.message_id order by w.received_at desc, w.message_id desc),'
      || ' array_agg(w.received_at order by w.received_at desc, w.message_id desc)'
      || ' from (select s.message_id, s.received_at'
      || '         from (select tenant_id, message_id, received_at, account_id, size_bytes, words'
      || '                 from public.email_search_entries s where %s%s'
      || '                order by s.received_at desc, s.message_id desc limit %s) s%s'
      || '        where (%s) order by s.received_at desc, s.message_id desc limit %s) w',
      v_scope, v_after_cursor, v_window, v_joined, v_condition, p_limit) into v_ids, v_ats;
    if cardinality(v_ids) >= p_limit then
      return query select i, a, 0::real from unnest(v_ids, v_ats) as found (i, a);
      return;
    end if;
    exit when v_try = 2 or coalesce(cardinality(v_ids), 0) < 8;
    v_window := v_window * p_limit / cardinality(v_ids) * 3 / 2;
    exit when v_window > 1500;
  end loop;

  -- Gather all that the index finds, sort, and look at the messages themselves from the newest on.
  return query execute format(
    'select s.message_id, s.received_at, 0::real'
    || ' from (select * from public.email_search_hits(%L, %L, %L)'
    || '       order by received_at desc, message_id desc offset 0) s%s'
    || ' where (%s) order by s.received_at desc, s.message_id desc limit %s',
    v_scope, v_among, v_after_cursor, v_joined,
    case when v_among::text = v_must::text then v_rest else v_condition end, p_limit);
end $$;

-- Which of these messages match which of several queries, in their order from 1: each message is looked at once, whatever
-- the queries are. A message that is deleted matches none.
create function email_search_new(p_tenant_id uuid, p_queries jsonb, p_message_ids uuid[])
returns table (place integer, message_id uuid)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tests text;
begin
  if p_tenant_id is distinct from nullif(current_setting('app.current_tenant_id', true), '')::uuid then
    raise exception 'search is for the tenant that is set' using errcode = 'insufficient_privilege';
  end if;
  if nullif(current_setting('app.current_user_id', true), '') is not null then
    raise exception 'what is new is searched for the whole tenant' using errcode = 'insufficient_privilege';
  end if;
  select string_agg(format('case when %s then %s end', public.email_search_condition(q.query), q.place), ', ')
    into v_tests
    from jsonb_array_elements(p_queries) with ordinality q (query, place);
  if v_tests is null then
    return;
  end if;
  -- Both sides by their keys, and the words unpacked once for each message: to join them with none gives them as they are.
  return query execute format(
    'with s as materialized ('
    || ' select e.tenant_id, e.message_id, e.account_id, e.received_at, e.size_bytes, e.words || '''' as words'
    || '   from public.email_search_entries e where e.tenant_id = %2$L::uuid and e.message_id = any (%3$L::uuid[])'
    || '), m as materialized ('
    || ' select o.id, o.is_read, o.is_flagged, o.is_draft, o.is_deleted'
    || '   from public.email_messages o where o.tenant_id = %2$L::uuid and o.id = any (%3$L::uuid[]) and not o.is_deleted)'
    || ' select found.place, x.message_id'
    || '   from (select s.message_id, array[%1$s] as places from s join m on m.id = s.message_id) x'
    || '  cross join lateral unnest(x.places) found (place) where found.place is not null',
    v_tests, p_tenant_id, p_message_ids);
end $$;

reset role;

-- Grants: nothing for PUBLIC, least for each login. ---------------------------------------------------------------------

set role email_search;
revoke all on function email_search_condition(jsonb, boolean), email_search_among(tsquery),
  email_search_hits(text, tsquery, text) from public;
revoke all on function email_search_messages(uuid, jsonb, text, integer, bigint, uuid) from public;
revoke all on function email_search_new(uuid, jsonb, uuid[]) from public;
grant execute on function email_search_new(uuid, jsonb, uuid[]) to email_worker;
grant execute on function email_search_messages(uuid, jsonb, text, integer, bigint, uuid)
  to email_service, email_worker, email_readonly, email_tenant_login;
reset role;
revoke create on schema public from email_search;

set role email_owner;
revoke all on function email_tenant_create(uuid, text, uuid, bigint), email_tenant_named(text), email_tenant_list(),
  email_refresh_statistics() from public;
revoke all on function email_sync_claim(uuid, integer, bigint, integer, text[], boolean),
  email_worker_beat(uuid, text, integer, integer, integer, integer, boolean, bigint), email_worker_gone(uuid),
  email_worker_list(), email_sends_claim(integer, bigint), email_sync_schedule(), email_send_schedule(),
  email_webhooks_claim(integer, bigint, bigint), email_webhook_wake(), email_webhook_gone() from public;
grant execute on function email_sync_claim(uuid, integer, bigint, integer, text[], boolean),
  email_worker_beat(uuid, text, integer, integer, integer, integer, boolean, bigint), email_worker_gone(uuid),
  email_worker_list(), email_sends_claim(integer, bigint), email_webhooks_claim(integer, bigint, bigint) to email_worker;
revoke all on function email_count_placed(), email_count_removed(), email_count_changed(), email_account_owned() from public;
revoke all on function email_refuse_held(), email_refuse_suspended() from public;
revoke all on function email_audit_month(date), email_audit_append(uuid, uuid, text, jsonb), email_audit_drop(date)
  from public;
grant execute on function email_audit_append(uuid, uuid, text, jsonb) to email_service, email_worker;
revoke all on function email_recount_folders(uuid, uuid), email_forget_secrets(uuid, uuid) from public;
grant execute on function email_forget_secrets(uuid, uuid) to email_service, email_worker;
grant execute on function email_recount_folders(uuid, uuid) to email_worker;
grant execute on function email_tenant_named(text), email_tenant_list(), email_refresh_statistics() to email_worker;

revoke all on function email_api_key_of(bytea), email_admin_admitted(bytea), email_admin_tenant_list(bytea),
  email_admin_tenant_create(bytea, uuid, text, uuid, bigint),
  email_admin_key_create(bytea, uuid, uuid, text, text, bytea, text[], bigint, bigint) from public;
grant execute on function email_api_key_of(bytea), email_admin_tenant_list(bytea),
  email_admin_tenant_create(bytea, uuid, text, uuid, bigint),
  email_admin_key_create(bytea, uuid, uuid, text, text, bytea, text[], bigint, bigint) to email_service;

-- What the search function looks at, and not a column more.
grant select (tenant_id, message_id, account_id, received_at, size_bytes, words) on email_search_entries to email_search;
grant select (tenant_id, id, is_read, is_flagged, is_draft, is_deleted) on email_messages to email_search;
grant select (tenant_id, folder_id, message_id, flags, vanished_at, is_hidden) on email_placements to email_search;
grant select (tenant_id, id, name, type) on email_folders to email_search;
grant select (tenant_id, user_id, account_id, owner_id) on email_account_shares to email_search;

-- Whoever reads mail is asked for the shares by row security; they are given and taken by who changes accounts.
grant select on email_account_shares to email_service, email_worker, email_readonly, email_tenant_login;
grant insert, delete on email_account_shares to email_service, email_worker;
grant update (access, updated_at) on email_account_shares to email_service, email_worker;

-- The application reads mail, writes what people want, and changes what people may change.
grant select on email_tenants, email_accounts, email_folders, email_messages, email_placements, email_addresses,
  email_attachments, email_blobs, email_blob_pieces, email_changes, email_outbox, email_quarantine, email_audit_log,
  email_audit_heads, email_holds, email_held_messages, email_purged_uids to email_service;
grant insert on email_accounts, email_folders, email_credentials, email_outbox, email_changes to email_service;
-- It may ask for a sync, and show how far it is.
grant select, update (due_at, woken_at) on email_sync_jobs to email_service;
grant update (account_name, protocol, hostname, port, encryption, username, credential_id, ca_pem, is_sync_enabled,
  sync_interval, push_folders, server_keep_days, last_error, is_enabled, modseq, is_deleted, deleted_at, updated_at)
  on email_accounts to email_service;
grant update (is_read, is_flagged, is_deleted, deleted_at, updated_at) on email_messages to email_service;
grant update (flags, keywords, updated_at) on email_placements to email_service;
grant update (state, not_before, updated_at) on email_outbox to email_service;
grant delete on email_credentials to email_service;

-- The workers bring mail in, follow what the servers do, and carry out the outbox.
grant select, insert on email_accounts, email_folders, email_messages, email_placements, email_addresses,
  email_attachments, email_blobs, email_blob_pieces, email_search_entries, email_thread_links, email_changes,
  email_outbox, email_quarantine, email_credentials to email_worker;
grant select on email_tenants, email_audit_log, email_audit_heads, email_sync_jobs to email_worker;
grant select, insert on email_purged_uids, email_holds, email_held_messages to email_worker;
grant update (released_at) on email_holds to email_worker;
grant update (due_at, woken_at, send_due_at, worker_id, token, claimed_at, lease_until, watcher_id, failures, trouble, done, expected,
  left_ms) on email_sync_jobs to email_worker;
grant update (account_name, protocol, hostname, port, encryption, username, credential_id, ca_pem, server_keep_days,
  is_sync_enabled, sync_interval, push_folders, last_sync_at, is_syncing, is_enabled, last_error, modseq, is_deleted,
  deleted_at, updated_at)
  on email_accounts to email_worker;
grant update (name, wire_name, type, sync_token, uidvalidity, uidnext, highestmodseq, mailbox_id, listed_count, pending,
  is_selectable, is_deleted, deleted_at, updated_at) on email_folders to email_worker;
grant update (folder_id, imap_uid, is_read, is_flagged, is_draft, thread_id, thread_family_id, is_deleted, deleted_at,
  removed_at, updated_at) on email_messages to email_worker;
grant update (message_id, flags, keywords, internal_date, uidvalidity, object_id, vanished_at, is_hidden, updated_at)
  on email_placements to email_worker;
grant update (is_deleted, deleted_at) on email_attachments to email_worker;
grant update (family_id) on email_thread_links to email_worker;
grant update (wrapped_key, key_id, ciphertext, updated_at) on email_credentials to email_worker;
grant update (state, attempts, last_error, not_before, updated_at) on email_outbox to email_worker;
grant update (folder_name, uidvalidity, uid, reason, raw_blob, resolved_at, vanished_at, updated_at) on email_quarantine
  to email_worker;
-- What was deleted long enough ago is purged. Its addresses, attachments and words go with the message.
grant delete on email_messages, email_placements, email_purged_uids, email_thread_links, email_held_messages, email_blobs,
  email_blob_pieces, email_credentials to email_worker;
grant update (size_bytes, stored_bytes, pieces, codec, data) on email_blobs to email_worker;  -- bytes that were damaged
grant select on email_schema_migrations to email_service, email_worker;
-- Keys are made and revoked at the command line. The service asks email_api_key_of, and can list none.
grant select, insert on email_api_keys to email_worker;
grant update (expires_at, revoked_at, updated_at) on email_api_keys to email_worker;

-- Standing searches: the application makes them and reads what they matched, which the workers write.
grant select, insert, delete on email_standing_searches to email_service, email_worker;
grant update (name, query, timezone, account_id, updated_at) on email_standing_searches to email_service, email_worker;
grant select on email_standing_matches to email_service, email_worker;
grant insert on email_standing_matches to email_worker;

-- Webhooks: the application makes them and looks what came of them, the workers tell them; nobody writes a wake by hand.
grant select, insert, delete on email_webhooks, email_webhook_cursors to email_service, email_worker;
grant update (url, description, events, account_id, folder_id, search_id, is_enabled, disabled_at, disabled_reason, failures,
  failing_since, last_error, previous_until, due_at, updated_at) on email_webhooks to email_service;
grant update (url, description, events, account_id, folder_id, search_id, is_enabled, disabled_at, disabled_reason, failures,
  failing_since, last_error, last_success_at, previous_until, due_at, lease_until, updated_at) on email_webhooks
  to email_worker;
grant update (modseq) on email_webhook_cursors to email_worker;
grant select, insert on email_webhook_deliveries to email_service, email_worker;
grant update (state, attempts, not_before, created_at) on email_webhook_deliveries to email_service;
grant update (state, attempts, not_before, last_error, created_at) on email_webhook_deliveries to email_worker;
grant delete on email_webhook_deliveries to email_worker;

-- Analysts read the mail of the tenant that they set, a tenant's own login that of its tenant, and neither a secret.
grant select on email_tenants, email_accounts, email_folders, email_messages, email_placements, email_addresses,
  email_attachments, email_blobs, email_blob_pieces, email_changes, email_outbox, email_quarantine, email_audit_log,
  email_audit_heads, email_holds, email_held_messages, email_purged_uids to email_readonly, email_tenant_login;
grant select on email_schema_migrations to email_readonly;

-- What people change: the application makes the change and says what the server is to be told; the workers tell it.
grant select on email_intents to email_service, email_worker, email_readonly, email_tenant_login;
grant insert, delete on email_intents to email_service, email_worker;
grant update (added, removed, updated_at) on email_intents to email_service;
grant update (uidvalidity, uid, added, removed, state, sent_uidvalidity, sent_uidnext, attempts, last_error, updated_at)
  on email_intents to email_worker;
grant insert on email_placements to email_service;
grant update (vanished_at, is_hidden) on email_placements to email_service;
grant update (folder_id, imap_uid, is_draft, thread_id, thread_family_id, removed_at) on email_messages to email_service;
grant update (is_deleted, deleted_at) on email_attachments to email_service;
grant update (name, wire_name, type, is_selectable, is_deleted, deleted_at, updated_at) on email_folders to email_service;
grant update (folder_name, updated_at) on email_quarantine to email_service;

-- What is sent: the application writes letters and drafts with their bytes, the workers send them; analysts and a
-- tenant's own login look at it.
grant select on email_senders, email_sends, email_recipients, email_drafts
  to email_service, email_readonly, email_tenant_login;
grant insert on email_blobs, email_blob_pieces, email_senders, email_sends, email_recipients, email_drafts
  to email_service;
grant update (display_name, hostname, port, encryption, username, credential_id, sent_copy, dkim_domain, dkim_selector,
  dkim_key_id, updated_at) on email_senders to email_service;
grant update (subject, recipients, raw_blob, size_bytes, version, outbox_id, is_deleted, deleted_at, updated_at)
  on email_drafts to email_service;
grant select, insert on email_senders, email_sends, email_recipients, email_drafts to email_worker;
grant update (display_name, hostname, port, encryption, username, credential_id, sent_copy, dkim_domain,
  dkim_selector, dkim_key_id, updated_at) on email_senders
  to email_worker;
grant update (server_reply, sent_at, copy_state, copy_not_before, copy_attempts, copy_error, copy_uidvalidity, copy_uid)
  on email_sends to email_worker;
grant update (state, code, reply, report, report_status, report_text, reported_at) on email_recipients to email_worker;
grant update (subject, recipients, raw_blob, size_bytes, version, outbox_id, is_deleted, deleted_at, updated_at,
  copy_version, copy_message_id, copy_folder_id, copy_uidvalidity, copy_uid, stale_uids, put_version, put_message_id)
  on email_drafts to email_worker;
reset role;
