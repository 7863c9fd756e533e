"""Sealing: nobody reads a backup without its key, and nobody changes it unseen.

    8 bytes    "PRBACK01"
    8 bytes    the id of the key
    8 bytes    when it was sealed: milliseconds since 1970, big-endian
    32 bytes   salt; the key of this object is the HMAC-SHA256 of it under the backup key
    boxes      1 MB each of AES-256-GCM (NIST SP 800-38D), the last one shorter; the nonce counts them and marks the last

Every box is bound to the name of the object: none can be cut off, moved, or passed off as another object.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from postroom.errors import BackupDamaged, BackupError

_MAGIC = b"PRBACK01"
_HEADER = struct.Struct(">8s8sQ32s")
_BOX_BYTES = 1024 * 1024
_TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class BackupKey:
    """32 bytes. Whoever loses them loses the backups."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        return hashlib.sha256(b"postroom backup key" + self.secret).digest()[:8]

    def mac(self, content: bytes) -> str:
        """Proves that whoever wrote this knew the key."""
        return hmac.digest(self.secret, b"postroom manifest" + content, "sha256").hex()


def sealed(key: BackupKey, name: str, chunks: Iterable[bytes], *, at_ms: int) -> Iterator[bytes]:
    """The sealed object, in pieces of about a megabyte."""
    header = _HEADER.pack(_MAGIC, key.id, at_ms, os.urandom(32))
    yield header
    cipher, binding = _cipher(key, header), header + name.encode()
    for number, (plain, is_last) in enumerate(_boxes(chunks, _BOX_BYTES)):
        yield cipher.encrypt(_nonce(number, is_last=is_last), plain, binding)


def opened(key: BackupKey, name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What was sealed under this name. Raises BackupError for another key, BackupDamaged for other bytes."""
    stream = iter(chunks)
    header, rest = _header(name, stream)
    _, key_id, _, _ = _HEADER.unpack(header)
    if key_id != key.id:
        raise wrong_key(key_id)
    cipher, binding = _cipher(key, header), header + name.encode()
    boxes = _boxes(_chained(rest, stream), _BOX_BYTES + _TAG_BYTES)
    for number, (box, is_last) in enumerate(boxes):
        try:
            yield cipher.decrypt(_nonce(number, is_last=is_last), box, binding)
        except InvalidTag:
            raise _damaged(name, f"at its megabyte {number + 1:,}") from None


def sealed_at(name: str, chunks: Iterable[bytes]) -> int:
    """When an object was sealed, in milliseconds; only its beginning is read."""
    header, _ = _header(name, iter(chunks))
    return _HEADER.unpack(header)[2]


def wrong_key(key_id: bytes) -> BackupError:
    return BackupError(
        reason=f"This is not the key that the backup was sealed with; that one has the id {key_id.hex()}.",
        mend="Name its file: --key-file FILE.",
    )


def _header(name: str, stream: Iterator[bytes]) -> tuple[bytes, bytes]:
    begun = b""
    while len(begun) < _HEADER.size:
        chunk = next(stream, b"")
        if not chunk:
            raise _damaged(name, "it ends in its header")
        begun += chunk
    if not begun.startswith(_MAGIC):
        raise _damaged(name, "it does not begin as one")
    return begun[: _HEADER.size], begun[_HEADER.size :]


def _boxes(chunks: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Pieces of this size, and whether each is the last, which may be shorter and even empty."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) > size:
            yield bytes(held[:size]), False
            del held[:size]
    yield bytes(held), True


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _cipher(key: BackupKey, header: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key.secret, header, "sha256"))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return struct.pack(">QxxxB", number, is_last)


def _damaged(name: str, where: str) -> BackupDamaged:
    return BackupDamaged(
        reason=f"{name} in the backup is not what was written: {where}.",
        mend="Use another backup, or another copy of this one.",
    )
