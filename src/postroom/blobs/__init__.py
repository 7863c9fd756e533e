"""Where bytes live, named by their hash."""

from postroom.blobs.codec import PIECE_BYTES, Content
from postroom.blobs.facade import GRACE_SECONDS, Blobs
from postroom.blobs.store import StoredBlob

__all__ = ["GRACE_SECONDS", "PIECE_BYTES", "Blobs", "Content", "StoredBlob"]
