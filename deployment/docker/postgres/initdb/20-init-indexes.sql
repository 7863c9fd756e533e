-- Postroom: every index, under what it is for: the queries that read it (sql/queries/<noun>.sql), a key that must be
-- unique, or a foreign key that must be checked. Tests read these lines and look whether they are true.
set role email_owner;

-- Accounts ----------------------------------------------------------------------------------------------------------

-- accounts.of_user: the accounts of one user.
create index idx_email_accounts_tenant_user on email_accounts (tenant_id, user_id);
-- accounts.by_email: an address is one account of its tenant; another tenant may have it too.
create unique index idx_email_accounts_email_address on email_accounts (tenant_id, email_address) where not is_deleted;
-- accounts.due: which accounts of a tenant want a sync, the longest waiting first.
create index idx_email_accounts_sync_enabled on email_accounts (tenant_id, is_sync_enabled, last_sync_at nulls first);
-- Foreign key: no credential goes while an account needs it.
create index idx_email_accounts_credential on email_accounts (tenant_id, credential_id) where credential_id is not null;
-- Foreign key: who an account is shared with goes with the account. Also read by shares.of_account.
create index idx_email_account_shares_account on email_account_shares (tenant_id, account_id, owner_id);
-- credentials.of_account: the secret of an account.
create index idx_email_credentials_account on email_credentials (tenant_id, account_id);

-- jobs.due: what waits to be synced, the longest waiting first; email_sync_claim() asks the same of every tenant.
create index idx_email_sync_jobs_due on email_sync_jobs (tenant_id, due_at) where due_at is not null;
-- jobs.sends_due: what has something to send; email_sends_claim() asks the same of every tenant.
create index idx_email_sync_jobs_sends on email_sync_jobs (tenant_id, send_due_at) where send_due_at is not null;
-- jobs.running: what is being synced; email_sync_claim() counts by tenant and host.
create index idx_email_sync_jobs_running on email_sync_jobs (tenant_id, lease_until) where worker_id is not null;

-- Folders -----------------------------------------------------------------------------------------------------------

-- folders.by_type: the inbox of an account.
create index idx_email_folders_account_type on email_folders (tenant_id, account_id, type);
-- folders.of_account, folders.ensure: the living folders of an account by name; a name is one of them.
create unique index idx_email_folders_tenant_account on email_folders (tenant_id, account_id, name)
  where not is_deleted;
-- folders.system: every system folder of a tenant, over all accounts.
create index idx_email_folders_type on email_folders (tenant_id, type)
  where type in ('inbox', 'sent', 'drafts', 'trash', 'spam', 'archive');

-- Messages ----------------------------------------------------------------------------------------------------------

-- messages.list_folder: a folder, newest first.
create index idx_email_messages_folder_received on email_messages (tenant_id, folder_id, received_at desc, id desc)
  where not is_deleted;
-- messages.list_tenant: all mail of a tenant, newest first.
create index idx_email_messages_received on email_messages (tenant_id, received_at desc, id desc) where not is_deleted;
-- messages.list_thread: a conversation in its order.
create index idx_email_messages_thread_id on email_messages (tenant_id, thread_id, received_at, id);
-- threads.family: the messages that an arriving message may rearrange.
create index idx_email_messages_thread_family on email_messages (tenant_id, thread_family_id);
-- messages.list_unread: what is unread in an account, newest first.
create index idx_email_messages_account_read on email_messages (tenant_id, account_id, is_read, received_at desc, id desc)
  where not is_read and not is_deleted;
-- messages.by_message_id, messages.taken_keys: the key that stands for the Message-ID.
create unique index idx_email_messages_message_id on email_messages (tenant_id, account_id, message_id);
-- messages.by_uid: the message that a server means by a UID.
create unique index idx_email_messages_imap_uid on email_messages (tenant_id, folder_id, imap_uid)
  where imap_uid is not null and not is_deleted;
-- messages.known: identity is the hash of the raw bytes.
create unique index idx_email_messages_content_hash on email_messages (tenant_id, account_id, content_hash);
-- blobs.orphans: does any message need this blob? The foreign key asks the same.
create index idx_email_messages_raw_blob on email_messages (tenant_id, raw_blob);
-- messages.flagged: the flagged messages of an account.
create index idx_email_messages_flagged on email_messages (tenant_id, account_id, received_at desc, id desc)
  where is_flagged and not is_deleted;
-- messages.drafts: the drafts of an account.
create index idx_email_messages_drafts on email_messages (tenant_id, account_id, received_at desc, id desc)
  where is_draft and not is_deleted;
-- messages.purgeable, messages.deleted: what was deleted before a given time, or since.
create index idx_email_messages_deleted on email_messages (tenant_id, deleted_at, id) where is_deleted;
-- messages.of_list: the mail of a mailing list or newsletter.
create index idx_email_messages_list on email_messages (tenant_id, list_id, received_at desc, id desc)
  where list_id is not null and not is_deleted;

-- search.matches: words, phrases, people, file names. Its definer function filters by the tenant first.
-- A pending list of 1 MB keeps searching fast while mail comes in.
create index idx_email_messages_text_search on email_search_entries using gin (tenant_id, words)
  with (fastupdate = on, gin_pending_list_limit = 1024);
-- search.matches: newest first.
create index idx_email_search_entries_received on email_search_entries (tenant_id, received_at desc, message_id desc);

-- Placements and addresses ------------------------------------------------------------------------------------------

-- placements.of_message, placements.placed, placements.settle: where a message lies. Not only of the living
-- placements: a message that is purged takes all of them along.
create index idx_email_placements_message on email_placements (tenant_id, message_id);
-- placements.unread: the unread of a folder, by UID.
create index idx_email_placements_unread on email_placements (tenant_id, folder_id, uid)
  where not is_read and vanished_at is null and not is_hidden;
-- placements.vanished: what a server let go, and when.
create index idx_email_placements_vanished on email_placements (tenant_id, folder_id, vanished_at)
  where vanished_at is not null;
-- placements.by_object: the message that a server means by its id for it, in whatever folder.
create index idx_email_placements_object on email_placements (tenant_id, object_id) where object_id is not null;
-- addresses.correspondence: everything from and to an address.
create index idx_email_addresses_address on email_addresses (tenant_id, address, role);
-- addresses.of_domain: who of a company wrote.
create index idx_email_addresses_domain on email_addresses (tenant_id, domain) where role = 'from';

-- Attachments and blobs ---------------------------------------------------------------------------------------------

-- attachments.of_message: the attachments of a message in their order.
create index idx_email_attachments_message_id on email_attachments (tenant_id, message_id, position);
-- attachments.newest: the attachments of a tenant, newest first.
create index idx_email_attachments_tenant on email_attachments (tenant_id, created_at desc, id desc) where not is_deleted;
-- attachments.at_path: which attachments an object belongs to.
create index idx_email_attachments_storage_path on email_attachments (tenant_id, storage_path)
  where storage_path is not null;
-- attachments.same: the same bytes elsewhere.
create index idx_email_attachments_content_hash on email_attachments (tenant_id, content_hash);
-- blobs.orphans: does any attachment need this blob? The foreign key asks the same.
create index idx_email_attachments_blob on email_attachments (tenant_id, blob_hash);
-- blobs.at_path: a sweep of the object store asks which objects have a row.
create index idx_email_blobs_storage_path on email_blobs (tenant_id, storage_path) where storage_path is not null;

-- Holds -------------------------------------------------------------------------------------------------------------

-- holds.named: an open hold by its name, which is one of the tenant's.
create unique index idx_email_holds_name on email_holds (tenant_id, name) where released_at is null;
-- Foreign key: no account goes while a hold names it.
create index idx_email_holds_account on email_holds (tenant_id, account_id) where account_id is not null;
-- holds.held_of: is a message held? The foreign key asks the same of each that is purged.
create index idx_email_held_messages_message on email_held_messages (tenant_id, message_id);

-- Threads, changes, outbox, quarantine, audit --------------------------------------------------------------------------

-- threads.merge_links: every link of a family.
create index idx_email_thread_links_family on email_thread_links (tenant_id, family_id);
-- changes.between: what happened between two times. The table only grows at its end, so BRIN.
create index idx_email_changes_at on email_changes using brin (at) with (pages_per_range = 32, autosummarize = on);
-- outbox.due: what waits to be done for an account.
create index idx_email_outbox_due on email_outbox (tenant_id, account_id, not_before, id) where state = 'pending';
-- outbox.enqueue: the same request twice is done once.
create unique index idx_email_outbox_idempotency on email_outbox (tenant_id, account_id, idempotency_key)
  where idempotency_key is not null;
-- intents.next, intents.last, intents.of_account: what an account's server is to be told, in its order.
create unique index idx_email_intents_sequence on email_intents (tenant_id, account_id, sequence);
-- intents.of_messages: what is pending of a message. The foreign key asks the same.
create index idx_email_intents_message on email_intents (tenant_id, message_id) where message_id is not null;
-- intents.of_draft: what is pending of a draft. The foreign key asks the same.
create unique index idx_email_intents_draft on email_intents (tenant_id, draft_id) where draft_id is not null;
-- Foreign key: the folder that it is about. Also read by intents.of_folders.
create index idx_email_intents_folder on email_intents (tenant_id, folder_id);
-- Foreign key: the folder where it leads.
create index idx_email_intents_to_folder on email_intents (tenant_id, to_folder_id) where to_folder_id is not null;
-- Foreign key: no credential goes while a sender needs it.
create index idx_email_senders_credential on email_senders (tenant_id, credential_id) where credential_id is not null;
-- Foreign key: no key goes while a sender signs with it.
create index idx_email_senders_dkim on email_senders (tenant_id, dkim_key_id) where dkim_key_id is not null;
-- sends.lost, sends.open_questions: what is on its way, and what nobody knows the end of.
create index idx_email_outbox_unsettled on email_outbox (tenant_id, account_id, id) where state in ('running', 'unknown');
-- sends.of_account: what an account sent, newest first.
create index idx_email_sends_account on email_sends (tenant_id, account_id, outbox_id);
-- sends.by_message_id: which message a delivery report is about.
create index idx_email_sends_message_id on email_sends (tenant_id, message_id);
-- sends.copies: what is still to be put into the Sent folder.
create index idx_email_sends_copies on email_sends (tenant_id, account_id, outbox_id) where copy_state = 'wanted';
-- blobs.orphans: does anything that was sent need this blob? The foreign key asks the same.
create index idx_email_sends_blob on email_sends (tenant_id, raw_blob);
-- drafts.of_account: the drafts of an account, the last touched first.
create index idx_email_drafts_account on email_drafts (tenant_id, account_id, updated_at desc, id desc)
  where not is_deleted and outbox_id is null;
-- drafts.take_back: the draft that a cancelled message was.
create index idx_email_drafts_outbox on email_drafts (tenant_id, outbox_id) where outbox_id is not null;
-- Foreign key: the folder where its server has a draft.
create index idx_email_drafts_copy_folder on email_drafts (tenant_id, copy_folder_id) where copy_folder_id is not null;
-- blobs.orphans: does a draft need this blob? The foreign key asks the same.
create index idx_email_drafts_blob on email_drafts (tenant_id, raw_blob);
-- quarantine.report: the same trouble is one row.
create unique index idx_email_quarantine_origin on email_quarantine (tenant_id, account_id, folder_name, origin);
-- quarantine.open: what is still in trouble.
create index idx_email_quarantine_open on email_quarantine (tenant_id, created_at) where resolved_at is null;
-- blobs.orphans: does the quarantine need this blob? The foreign key asks the same.
create index idx_email_quarantine_blob on email_quarantine (tenant_id, raw_blob) where raw_blob is not null;
-- audit.chain: the entries of a month in the order of their chain.
create index idx_email_audit_log_place on email_audit_log (tenant_id, place, id);
-- audit.of_object: what was done to one thing, newest first.
create index idx_email_audit_log_object on email_audit_log (tenant_id, object_type, object_id, at desc, id desc);
-- ops.audit_between: what was done to anybody between two times. The table only grows at its end, so BRIN.
create index idx_email_audit_log_at on email_audit_log using brin (at) with (pages_per_range = 32, autosummarize = on);
-- Foreign key: no account goes while a key is for it.
create index idx_email_api_keys_account on email_api_keys (tenant_id, account_id) where account_id is not null;
-- system.api_key_of: whose key it is, before the tenant is known. Two secrets are never the same, and to say so would tell
-- who makes one that somebody else has it.
create index idx_email_api_keys_secret on email_api_keys (secret_hash);
-- standing.keep, standing.matches_of: a message matches a search once. The foreign key asks the same.
create unique index idx_email_standing_matches_once on email_standing_matches (tenant_id, search_id, message_id);
-- Foreign key: what a message matched goes with it.
create index idx_email_standing_matches_message on email_standing_matches (tenant_id, message_id);
-- deliveries.due, deliveries.list_of: what a webhook is to be told, in its order, and what could not be told.
create index idx_email_webhook_deliveries_position on email_webhook_deliveries (tenant_id, webhook_id, state, position);
-- Unique: the name of a tenant. Only operators may make one, so the clash tells no tenant anything.
create unique index idx_email_tenants_name on email_tenants (name);

-- Nothing is analysed here: a table that was analysed empty is planned for as empty. email_refresh_statistics() does it
-- after the first mail.
reset role;
