-- Attachments: parts of a message that are not its text.

-- name: insert
insert into email_attachments (
  tenant_id, account_id, created_at, id, message_id, position, filename, mime_type, size_bytes, content_id, is_inline, storage_path,
  storage_type, blob_id, blob_hash, content_hash)
select %(tenant_id)s, %(account_id)s, %(at)s, n.id, n.message_id, n.position, n.filename, n.mime_type, n.size_bytes,
  n.content_id, n.is_inline, n.storage_path, n.storage_type, n.blob_id, n.blob_hash, encode(n.blob_hash, 'hex')
from unnest(
  %(id)b::uuid[], %(message_id)b::uuid[], %(position)b::integer[], %(filename)b::text[], %(mime_type)b::text[],
  %(size_bytes)b::bigint[], %(content_id)b::text[], %(is_inline)b::boolean[], %(storage_path)b::text[],
  %(storage_type)b::text[], %(blob_id)b::uuid[], %(blob_hash)b::bytea[]
) as n (id, message_id, position, filename, mime_type, size_bytes, content_id, is_inline, storage_path, storage_type,
  blob_id, blob_hash)

-- name: of_message
select id, position, filename, mime_type, size_bytes, content_id, is_inline, storage_type, storage_path, content_hash,
  blob_hash
from email_attachments
where tenant_id = %(tenant_id)s
  and message_id = %(message_id)s
  and not is_deleted
order by position

-- name: get
select id, message_id, account_id, filename, mime_type, size_bytes, content_id, is_inline, content_hash, blob_hash, created_at
from email_attachments
where tenant_id = %(tenant_id)s
  and id = %(attachment_id)s
  and not is_deleted

-- name: newest
-- The attachments of the tenant, newest first, a page at a time.
select id, message_id, filename, mime_type, size_bytes, content_hash, created_at
from email_attachments
where tenant_id = %(tenant_id)s
  and not is_deleted
  and (created_at, id) < (%(before_at)s, %(before_id)s)
order by created_at desc, id desc
limit %(limit)s

-- name: at_path
-- The attachments whose bytes are this object.
select id, message_id, filename
from email_attachments
where tenant_id = %(tenant_id)s
  and storage_path = %(storage_path)s

-- name: same
-- Every attachment with these bytes.
select id, message_id, filename, mime_type, blob_hash, created_at
from email_attachments
where tenant_id = %(tenant_id)s
  and content_hash = %(content_hash)s
  and not is_deleted
