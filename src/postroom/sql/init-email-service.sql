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
  constraint email_tenants_name_shape check (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$')
);

-- Credentials: an AES-256-GCM envelope; the key that opens it is not in the database. ---------------------------------

create table email_credentials (
  tenant_id    uuid not null references email_tenants (tenant_id),
  id           uuid not null,
  account_id   uuid not null,
  kind         text not null check (kind in ('password', 'oauth2')),
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
  server_keep_days integer check (server_keep_days >= 0),              -- POP3: deleted there so many days after it was
                                                                       -- stored here; null: never
  is_sync_enabled  boolean not null default true,
  sync_interval    integer not null default 300 check (sync_interval > 0),
  last_sync_at     bigint,
  is_syncing       boolean not null default false,
  is_enabled       boolean not null default true,
  last_error       text,
  modseq           bigint not null default 0,                          -- the newest entry of the account's change feed
  is_deleted       boolean not null default false,
  deleted_at       bigint,
  created_at       bigint not null,
  updated_at       bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, credential_id) references email_credentials (tenant_id, id)
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
  is_deleted         boolean not null default false,
  deleted_at         bigint,
  created_at         bigint not null,
  updated_at         bigint not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id),
  foreign key (tenant_id, folder_id) references email_folders (tenant_id, id),
  foreign key (tenant_id, raw_blob) references email_blobs (tenant_id, sha256)
) with (fillfactor = 90, toast_tuple_target = 512);

-- Placements: the message lies in this folder under this UID. A UID means nothing without its UIDVALIDITY (RFC 9051 2.3.1.1).

create table email_placements (
  tenant_id      uuid not null,
  folder_id      uuid not null,
  uidvalidity    bigint not null,
  uid            bigint not null,
  message_id     uuid not null,
  flags          text[] not null default '{}',
  keywords       text[] not null default '{}',
  is_read        boolean not null generated always as ('\Seen' = any (flags)) stored,
  internal_date  bigint,
  vanished_at    bigint,                                               -- set when the server no longer has it here
  created_at     bigint not null,
  updated_at     bigint not null,
  primary key (tenant_id, folder_id, uidvalidity, uid),
  foreign key (tenant_id, folder_id) references email_folders (tenant_id, id),
  foreign key (tenant_id, message_id) references email_messages (tenant_id, id) on delete cascade
) with (fillfactor = 90);

-- Addresses: who wrote, and to whom. -----------------------------------------------------------------------------------

create table email_addresses (
  tenant_id   uuid not null,
  message_id  uuid not null,
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
  object_type  text not null check (object_type in ('account', 'folder', 'message', 'thread')),
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

-- Quarantine: mail that a source has and could not give, or that could not be stored. Never skipped in silence. -----------

create table email_quarantine (
  tenant_id    uuid not null,
  id           uuid not null,
  account_id   uuid not null,
  folder_name  text not null,
  origin       text not null,                                          -- file and message, or UIDVALIDITY and UID
  reason       text not null,
  raw_blob     bytea,                                                  -- what could be had of it
  created_at   bigint not null,
  updated_at   bigint not null,
  resolved_at  bigint,
  primary key (tenant_id, id),
  foreign key (tenant_id, account_id) references email_accounts (tenant_id, id),
  foreign key (tenant_id, raw_blob) references email_blobs (tenant_id, sha256)
);

-- Audit: who did what. Written in the same transaction; never holds the text of a mail. ------------------------------------

create table email_audit_log (
  tenant_id    uuid not null references email_tenants (tenant_id),
  id           uuid not null,
  at           bigint not null,
  actor_role   text not null default current_user,
  user_id      uuid,
  action       text not null,
  object_type  text not null,
  object_id    uuid,
  before       jsonb,
  after        jsonb,
  primary key (tenant_id, id)
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
create policy email_tenants_tenant_policy on email_tenants
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
-- The functions at the end of this file, owned by email_owner, find a tenant by its name.
create policy email_tenants_owner_policy on email_tenants to email_owner using (true) with check (true);

alter table email_credentials enable row level security;
alter table email_credentials force row level security;
create policy email_credentials_tenant_policy on email_credentials
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

alter table email_accounts enable row level security;
alter table email_accounts force row level security;
create policy email_accounts_tenant_policy on email_accounts
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

alter table email_folders enable row level security;
alter table email_folders force row level security;
create policy email_folders_tenant_policy on email_folders
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
create policy email_folders_search_policy on email_folders for select to email_search using (true);

alter table email_blobs enable row level security;
alter table email_blobs force row level security;
create policy email_blobs_tenant_policy on email_blobs
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

alter table email_blob_pieces enable row level security;
alter table email_blob_pieces force row level security;
create policy email_blob_pieces_tenant_policy on email_blob_pieces
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

alter table email_messages enable row level security;
alter table email_messages force row level security;
create policy email_messages_tenant_policy on email_messages
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
create policy email_messages_search_policy on email_messages for select to email_search using (true);

alter table email_placements enable row level security;
alter table email_placements force row level security;
create policy email_placements_tenant_policy on email_placements
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
create policy email_placements_search_policy on email_placements for select to email_search using (true);

alter table email_addresses enable row level security;
alter table email_addresses force row level security;
create policy email_addresses_tenant_policy on email_addresses
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

alter table email_attachments enable row level security;
alter table email_attachments force row level security;
create policy email_attachments_tenant_policy on email_attachments
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

alter table email_search_entries enable row level security;
alter table email_search_entries force row level security;
create policy email_search_entries_tenant_policy on email_search_entries
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
create policy email_search_entries_search_policy on email_search_entries for select to email_search using (true);

alter table email_thread_links enable row level security;
alter table email_thread_links force row level security;
create policy email_thread_links_tenant_policy on email_thread_links
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

alter table email_changes enable row level security;
alter table email_changes force row level security;
create policy email_changes_tenant_policy on email_changes
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

alter table email_outbox enable row level security;
alter table email_outbox force row level security;
create policy email_outbox_tenant_policy on email_outbox
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

alter table email_quarantine enable row level security;
alter table email_quarantine force row level security;
create policy email_quarantine_tenant_policy on email_quarantine
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

alter table email_audit_log enable row level security;
alter table email_audit_log force row level security;
create policy email_audit_log_tenant_policy on email_audit_log
  using (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);

-- A backup reads the rows of all tenants. It has policies instead of BYPASSRLS, which a managed server gives to nobody.
do $$
declare
  guarded text;
begin
  for guarded in
    select relname from pg_class where relnamespace = 'public'::regnamespace and relrowsecurity and not relispartition
  loop
    execute format('create policy %I on public.%I for select to email_backup using (true)', guarded || '_backup_policy',
      guarded);
  end loop;
end $$;

-- The login of a single tenant is named after a hash of the tenant's id (others can read the names of roles), and its
-- session cannot be another's, whatever it sets. Of the two conditions the first holds for the row, as a statement may
-- change the setting in its midst; coalesce keeps the planner from making it one of settings alone. The second goes to
-- the index: with another tenant set nothing is read, so there is nothing to be counted or timed.
do $$
declare
  guarded text;
begin
  for guarded in
    select relname from pg_class where relnamespace = 'public'::regnamespace and relrowsecurity and not relispartition
  loop
    execute format($policy$create policy %I on public.%I as restrictive to email_tenant_login
      using (coalesce(session_user = 'email_tenant_' || substr(encode(sha256(uuid_send(tenant_id)), 'hex'), 1, 32), false)
        and tenant_id = case when session_user = 'email_tenant_' || substr(encode(sha256(uuid_send(
            nullif(current_setting('app.current_tenant_id', true), '')::uuid)), 'hex'), 1, 32)
          then nullif(current_setting('app.current_tenant_id', true), '')::uuid end)$policy$,
      guarded || '_login_policy', guarded);
  end loop;
end $$;

-- Folder counters: statement-level triggers (a per-row trigger costs 47 times as much). They run as the owner, so that
-- no login may write the counters by hand; row security of the tenant that is set binds the owner as well.

create function email_count_placed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.email_folders f
     set total_count = f.total_count + d.total, unread_count = f.unread_count + d.unread
    from (select tenant_id, folder_id, count(*) as total, count(*) filter (where not is_read) as unread
            from now_placed where vanished_at is null group by tenant_id, folder_id) d
   where f.tenant_id = d.tenant_id and f.id = d.folder_id;
  return null;
end $$;

create function email_count_removed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.email_folders f
     set total_count = f.total_count - d.total, unread_count = f.unread_count - d.unread
    from (select tenant_id, folder_id, count(*) as total, count(*) filter (where not is_read) as unread
            from once_placed where vanished_at is null group by tenant_id, folder_id) d
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
                    from now_placed where vanished_at is null
                  union all
                  select tenant_id, folder_id, -1, case when is_read then 0 else -1 end
                    from once_placed where vanished_at is null) each_one
           group by tenant_id, folder_id
          having sum(total) <> 0 or sum(unread) <> 0) d
   where f.tenant_id = d.tenant_id and f.id = d.folder_id;
  return null;
end $$;

create trigger email_placements_counted_in after insert on email_placements
  referencing new table as now_placed for each statement execute function email_count_placed();
create trigger email_placements_counted_out after delete on email_placements
  referencing old table as once_placed for each statement execute function email_count_removed();
create trigger email_placements_counted_again after update on email_placements
  referencing old table as once_placed new table as now_placed
  for each statement execute function email_count_changed();

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

create function email_tenant_list() returns table (tenant_id uuid, name text, created_at bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select t.tenant_id, t.name, t.created_at from public.email_tenants t order by t.name
$$;

-- For the first thousands of rows: the planner would go on planning for an empty table until autovacuum comes by, and
-- the checks of foreign keys would read all of a tenant's rows.
create function email_refresh_statistics() returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  analyze (skip_locked) public.email_accounts, public.email_folders, public.email_blobs, public.email_messages,
    public.email_placements, public.email_addresses, public.email_attachments, public.email_search_entries,
    public.email_thread_links;
$$;

-- Search: row security would forbid the GIN index (@@ is not leakproof), so one function, owned by a role that reads
-- the search entries of everybody, filters the tenant first and gives ids only. -----------------------------------------

reset role;
set role email_search;

create function email_search_condition(p_node jsonb) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
-- One node of a compiled query as SQL over s (search entry) and m (message); every value is a quoted literal.
declare
  v_kind text;
  v_value jsonb;
  v_parts text[];
begin
  if jsonb_typeof(p_node) <> 'object' then
    raise exception 'a search node must be an object' using errcode = 'invalid_parameter_value';
  end if;
  select key, value into strict v_kind, v_value from jsonb_each(p_node);
  if v_kind in ('and', 'or') then
    select array_agg(public.email_search_condition(each_one)) into v_parts from jsonb_array_elements(v_value) each_one;
    if v_parts is null then
      return case v_kind when 'and' then 'true' else 'false' end;
    end if;
    return '(' || array_to_string(v_parts, ' ' || v_kind || ' ') || ')';
  end if;
  return case v_kind
    when 'not' then '(' || public.email_search_condition(v_value) || ') is not true'
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
      || ' where p.tenant_id = s.tenant_id and p.message_id = s.message_id and p.vanished_at is null'
      || ' and (f.type = lower(%1$L) or lower(f.name) = lower(%1$L)'
      || ' or right(lower(f.name), length(%1$L) + 1) = ''/'' || lower(%1$L)))',
      v_value ->> 'name')
    when 'flag' then case v_value #>> '{}'
      when 'unread' then 'not m.is_read'
      when 'read' then 'm.is_read'
      when 'flagged' then 'm.is_flagged'
      when 'draft' then 'm.is_draft'
      when 'answered' then
        'exists (select from public.email_placements p where p.tenant_id = s.tenant_id'
        || ' and p.message_id = s.message_id and p.vanished_at is null and ''\Answered'' = any (p.flags))'
    end
  end;
end $$;

create function email_search_messages(
  p_tenant_id uuid, p_query jsonb, p_ranked_by text, p_limit integer, p_before_at bigint, p_before_id uuid)
returns table (message_id uuid, received_at bigint, rank real)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
-- The ids of the matches, newest first (p_ranked_by null), or the newest 1,000 by rank. p_before_* continue a page.
-- Every statement is planned with its own values: a plan made for any value is 800 times slower for some.
declare
  v_condition text := public.email_search_condition(p_query);
  v_must text;          -- a tsquery that every match satisfies, if there is one
  v_rest text;          -- the condition without it
  v_after_cursor text := '';
  v_joined text;
  v_few constant integer := 2000;
  v_window constant integer := 500;
  v_hits integer;
  v_ids uuid[];
  v_ats bigint[];
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
  if v_condition is null then
    raise exception 'unknown search node' using errcode = 'invalid_parameter_value';
  end if;
  if p_before_at is not null then
    v_after_cursor := format(' and (s.received_at, s.message_id) < (%s, %L::uuid)', p_before_at, p_before_id);
  end if;
  -- m: what changes after a message has come in.
  v_joined := format(
    ' join public.email_messages m on m.tenant_id = %L::uuid and m.id = s.message_id and not m.is_deleted', p_tenant_id);
  if p_query ? 'ts' then
    v_must := p_query ->> 'ts';
    v_rest := 'true';
  elsif jsonb_typeof(p_query -> 'and') = 'array' then
    select n ->> 'ts' into v_must from jsonb_array_elements(p_query -> 'and') n where n ? 'ts' limit 1;
    v_rest := public.email_search_condition(jsonb_build_object('and', coalesce(
      (select jsonb_agg(n) from jsonb_array_elements(p_query -> 'and') n where n ->> 'ts' is distinct from v_must),
      '[]'::jsonb)));
  end if;

  if p_ranked_by is not null then
    return query execute format(
      'select r.message_id, r.received_at, ts_rank(r.words, %L::tsquery)::real as rank'
      || ' from (select s.message_id, s.received_at, s.words from public.email_search_entries s%s'
      || '        where s.tenant_id = %L::uuid and (%s)'
      || '        order by s.received_at desc, s.message_id desc limit 1000) r'
      || ' order by 3 desc, 2 desc, 1 desc limit %s',
      p_ranked_by, v_joined, p_tenant_id, v_condition, p_limit);
    return;
  end if;

  if v_must is not null then
    execute format(
      'select count(*) from (select from public.email_search_entries s'
      || ' where s.tenant_id = %L::uuid and s.words @@ %L::tsquery limit %s) probe',
      p_tenant_id, v_must, v_few + 1) into v_hits;
  end if;

  if v_hits > v_few then
    -- A common word is among the newest messages: look there before gathering every match.
    execute format(
      'select array_agg(w.message_id order by w.received_at desc, w.message_id desc),'
      || ' array_agg(w.received_at order by w.received_at desc, w.message_id desc)'
      || ' from (select s.message_id, s.received_at'
      || '         from (select tenant_id, message_id, received_at, account_id, size_bytes, words'
      || '                 from public.email_search_entries s where s.tenant_id = %L::uuid%s'
      || '                order by s.received_at desc, s.message_id desc limit %s) s%s'
      || '        where (%s) order by s.received_at desc, s.message_id desc limit %s) w',
      p_tenant_id, v_after_cursor, v_window, v_joined, v_condition, p_limit) into v_ids, v_ats;
    if cardinality(v_ids) >= p_limit then
      return query select i, a, 0::real from unnest(v_ids, v_ats) as found (i, a);
      return;
    end if;
  end if;

  if v_must is not null then
    -- Gather every match by the index, sort, and look at the messages themselves from the newest on.
    return query execute format(
      'with hits as materialized ('
      || '   select s.tenant_id, s.message_id, s.received_at, s.account_id, s.size_bytes, s.words'
      || '   from public.email_search_entries s'
      || '  where s.tenant_id = %L::uuid and s.words @@ %L::tsquery%s)'
      || ' select s.message_id, s.received_at, 0::real'
      || ' from (select * from hits order by received_at desc, message_id desc offset 0) s%s'
      || ' where (%s) order by s.received_at desc, s.message_id desc limit %s',
      p_tenant_id, v_must, v_after_cursor, v_joined, v_rest, p_limit);
  else
    -- Nothing for the index to find: walk by date.
    return query execute format(
      'select s.message_id, s.received_at, 0::real from public.email_search_entries s%s'
      || ' where s.tenant_id = %L::uuid%s and (%s)'
      || ' order by s.received_at desc, s.message_id desc limit %s',
      v_joined, p_tenant_id, v_after_cursor, v_condition, p_limit);
  end if;
end $$;

reset role;

-- Grants: nothing for PUBLIC, least for each login. ---------------------------------------------------------------------

set role email_search;
revoke all on function email_search_condition(jsonb) from public;
revoke all on function email_search_messages(uuid, jsonb, text, integer, bigint, uuid) from public;
grant execute on function email_search_messages(uuid, jsonb, text, integer, bigint, uuid)
  to email_service, email_worker, email_readonly, email_tenant_login;
reset role;
revoke create on schema public from email_search;

set role email_owner;
revoke all on function email_tenant_create(uuid, text, uuid, bigint), email_tenant_named(text), email_tenant_list(),
  email_refresh_statistics() from public;
revoke all on function email_count_placed(), email_count_removed(), email_count_changed() from public;
grant execute on function email_tenant_named(text), email_tenant_list(), email_refresh_statistics() to email_worker;

-- What the search function looks at, and not a column more.
grant select (tenant_id, message_id, account_id, received_at, size_bytes, words) on email_search_entries to email_search;
grant select (tenant_id, id, is_read, is_flagged, is_draft, is_deleted) on email_messages to email_search;
grant select (tenant_id, folder_id, message_id, flags, vanished_at) on email_placements to email_search;
grant select (tenant_id, id, name, type) on email_folders to email_search;

-- The application reads mail, writes what people want, and changes what people may change.
grant select on email_tenants, email_accounts, email_folders, email_messages, email_placements, email_addresses,
  email_attachments, email_blobs, email_blob_pieces, email_changes, email_outbox, email_quarantine, email_audit_log
  to email_service;
grant insert on email_accounts, email_folders, email_credentials, email_outbox, email_changes, email_audit_log
  to email_service;
grant update (account_name, hostname, port, encryption, username, credential_id, is_sync_enabled, sync_interval,
  is_enabled, modseq, is_deleted, deleted_at, updated_at) on email_accounts to email_service;
grant update (is_read, is_flagged, is_deleted, deleted_at, updated_at) on email_messages to email_service;
grant update (flags, keywords, updated_at) on email_placements to email_service;
grant update (state, not_before, updated_at) on email_outbox to email_service;
grant delete on email_credentials to email_service;

-- The workers bring mail in, follow what the servers do, and carry out the outbox.
grant select, insert on email_accounts, email_folders, email_messages, email_placements, email_addresses,
  email_attachments, email_blobs, email_blob_pieces, email_search_entries, email_thread_links, email_changes,
  email_outbox, email_quarantine, email_audit_log, email_credentials to email_worker;
grant select on email_tenants to email_worker;
grant update (account_name, protocol, hostname, port, encryption, username, credential_id, server_keep_days,
  is_sync_enabled, sync_interval, last_sync_at, is_syncing, is_enabled, last_error, modseq, is_deleted, deleted_at, updated_at)
  on email_accounts to email_worker;
grant update (name, wire_name, type, sync_token, uidvalidity, uidnext, highestmodseq, is_selectable, is_deleted,
  deleted_at, updated_at) on email_folders to email_worker;
grant update (folder_id, imap_uid, is_read, is_flagged, is_draft, thread_id, thread_family_id, is_deleted, deleted_at,
  updated_at) on email_messages to email_worker;
grant update (flags, keywords, uidvalidity, vanished_at, updated_at) on email_placements to email_worker;
grant update (family_id) on email_thread_links to email_worker;
grant update (wrapped_key, key_id, ciphertext, updated_at) on email_credentials to email_worker;
grant update (state, attempts, last_error, not_before, updated_at) on email_outbox to email_worker;
grant update (reason, raw_blob, resolved_at, updated_at) on email_quarantine to email_worker;
grant delete on email_blobs, email_blob_pieces, email_credentials to email_worker;
grant select on email_schema_migrations to email_service, email_worker;

-- Analysts read the mail of the tenant that they set, a tenant's own login that of its tenant, and neither a secret.
grant select on email_tenants, email_accounts, email_folders, email_messages, email_placements, email_addresses,
  email_attachments, email_blobs, email_blob_pieces, email_changes, email_outbox, email_quarantine, email_audit_log
  to email_readonly, email_tenant_login;
grant select on email_schema_migrations to email_readonly;
reset role;
