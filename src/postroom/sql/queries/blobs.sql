-- Blobs: bytes named by their SHA-256, once for each tenant. A blob in the database lies in pieces of at most 1 MB of
-- plain bytes: the first in email_blobs, the others in email_blob_pieces.

-- name: get
select sha256, size_bytes, stored_bytes, pieces, codec, storage_type, storage_path, data
from email_blobs
where tenant_id = %(tenant_id)s
  and sha256 = %(sha256)s

-- name: get_piece
select data
from email_blob_pieces
where tenant_id = %(tenant_id)s
  and sha256 = %(sha256)s
  and piece = %(piece)s

-- name: find
-- What is known of these blobs, without their bytes.
select sha256, size_bytes, stored_bytes, pieces, codec, storage_type, storage_path
from email_blobs
where tenant_id = %(tenant_id)s
  and sha256 = any(%(sha256s)s::bytea[])

-- name: get_many
-- Blobs with their first pieces, which may be large: ask for few.
select sha256, size_bytes, stored_bytes, pieces, codec, storage_type, storage_path, data
from email_blobs
where tenant_id = %(tenant_id)s
  and sha256 = any(%(sha256s)s::bytea[])

-- name: add_whole
-- A batch of blobs of one piece each. The hashes come sorted, so that two batches wait for each other in one order.
-- The bytes come in one string: a driver writes an array of bytea five times slower.
insert into email_blobs
  (tenant_id, sha256, size_bytes, stored_bytes, pieces, codec, storage_type, data, created_at)
select %(tenant_id)s, new.sha256, new.size_bytes, new.stored_bytes, 1, new.codec, 'blob',
  substring(%(data)s::bytea from new.start for new.stored_bytes), %(created_at)s
from unnest(%(sha256s)s::bytea[], %(sizes)s::integer[], %(codecs)s::text[], %(starts)s::integer[], %(stored)s::integer[])
  as new (sha256, size_bytes, codec, start, stored_bytes)
on conflict (tenant_id, sha256) do nothing
returning sha256

-- name: add_first_piece
insert into email_blobs
  (tenant_id, sha256, size_bytes, stored_bytes, pieces, codec, storage_type, data, created_at)
values
  (%(tenant_id)s, %(sha256)s, %(size_bytes)s, %(stored_bytes)s, %(pieces)s, %(codec)s, 'blob', %(data)s, %(created_at)s)
on conflict (tenant_id, sha256) do nothing

-- name: add_piece
insert into email_blob_pieces (tenant_id, sha256, piece, data)
values (%(tenant_id)s, %(sha256)s, %(piece)s, %(data)s)

-- name: renew_first_piece
-- Bytes that were damaged, written over.
update email_blobs
set size_bytes = %(size_bytes)s, stored_bytes = %(stored_bytes)s, pieces = %(pieces)s, codec = %(codec)s, data = %(data)s
where tenant_id = %(tenant_id)s
  and sha256 = %(sha256)s

-- name: remove_pieces
delete from email_blob_pieces
where tenant_id = %(tenant_id)s
  and sha256 = %(sha256)s

-- name: add_objects
-- Blobs whose bytes lie elsewhere, and are safe there by now.
insert into email_blobs
  (tenant_id, sha256, size_bytes, stored_bytes, pieces, codec, storage_type, storage_path, created_at)
select %(tenant_id)s, new.sha256, new.size_bytes, new.stored_bytes, new.pieces, new.codec, %(storage_type)s,
  new.storage_path, %(created_at)s
from unnest(%(sha256s)s::bytea[], %(sizes)s::bigint[], %(stored)s::bigint[], %(pieces)s::integer[],
    %(codecs)s::text[], %(paths)s::text[])
  as new (sha256, size_bytes, stored_bytes, pieces, codec, storage_path)
on conflict (tenant_id, sha256) do nothing

-- name: guard
-- Held to the end of the transaction by everyone who writes objects: a sweep must not take what has no row yet.
select pg_advisory_xact_lock_shared(hashtextextended('postroom.blobs.' || %(tenant_id)s::text, 0))

-- name: guard_alone
-- Whether nobody writes objects of this tenant, and nobody can until the transaction ends.
select pg_try_advisory_xact_lock(hashtextextended('postroom.blobs.' || %(tenant_id)s::text, 0)) as alone

-- name: orphans
-- Which of these blobs nothing needs any more.
select b.sha256, b.storage_type, b.storage_path
from email_blobs b
where b.tenant_id = %(tenant_id)s
  and b.sha256 = any (%(sha256s)s::bytea[])
  and not exists (select from email_messages m where m.tenant_id = b.tenant_id and m.raw_blob = b.sha256)
  and not exists (select from email_attachments a where a.tenant_id = b.tenant_id and a.blob_hash = b.sha256)
  and not exists (select from email_quarantine q where q.tenant_id = b.tenant_id and q.raw_blob = b.sha256)
  and not exists (select from email_sends s where s.tenant_id = b.tenant_id and s.raw_blob = b.sha256)
  and not exists (select from email_drafts d where d.tenant_id = b.tenant_id and d.raw_blob = b.sha256)

-- name: at_path
-- Which of these objects hold a blob.
select storage_path
from email_blobs
where tenant_id = %(tenant_id)s
  and storage_path = any (%(storage_paths)s::text[])

-- name: page
-- The blobs of the tenant in the order of their hashes, a page at a time.
select sha256
from email_blobs
where tenant_id = %(tenant_id)s
  and sha256 > %(after_sha256)s
order by sha256
limit %(limit)s

-- name: remove
-- The pieces go with them.
delete from email_blobs
where tenant_id = %(tenant_id)s
  and sha256 = any (%(sha256s)s::bytea[])
returning sha256, size_bytes, stored_bytes, pieces, codec, storage_type, storage_path
