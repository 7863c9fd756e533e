"""How a blob's bytes are packed: in pieces, each compressed on its own where that helps."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator

import zstandard

from postroom.errors import BlobDamaged

PIECE_BYTES = 1024 * 1024
"""Plain bytes in one piece: the most that reading or writing a blob holds."""

LEVEL = 1
"""Of letters and files, level 3 makes less than one byte in a hundred more of it, in twice the time."""
_WORTH_IT = 0.95
"""Compressed bytes are kept if they are fewer than this share of the plain ones: those of a photo are not."""
_SAMPLE_BYTES = 16 * 1024
"""What of a larger piece is tried first."""

Content = bytes | Callable[[], Iterator[bytes]]
"""The bytes of a blob, or a function that gives them, from the beginning, in pieces of any size."""

_of_thread = threading.local()


def pack(piece: bytes) -> tuple[str, bytes]:
    """The codec that suits the piece, and the piece in it."""
    if len(piece) > 4 * _SAMPLE_BYTES:
        # A file may begin with a little that can be compressed: the sample is from its middle.
        sample = piece[len(piece) // 2 :][:_SAMPLE_BYTES]
        if len(_compressor().compress(sample)) >= len(sample) * _WORTH_IT:
            return "none", piece
    packed = _compressor().compress(piece)
    return ("zstd", packed) if len(packed) < len(piece) * _WORTH_IT else ("none", piece)


def unpack(codec: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The plain pieces of chunks of any size, up to the first that is damaged: the hash will show that.

    A piece is one zstd frame, and frames may follow each other (RFC 8878 3.1). One at a time, so that no more
    than a piece is held.
    """
    if codec == "none":
        yield from chunks
        return
    frame = None
    for chunk in chunks:
        rest = chunk
        while rest:
            frame = frame or _decompressor().decompressobj()
            try:
                yield frame.decompress(rest)
            except zstandard.ZstdError:
                return
            rest, frame = (frame.unused_data, None) if frame.eof else (b"", frame)


class Packing:
    """The pieces of one blob as they are stored. Once they were all taken its figures are known.

    Raises BlobDamaged after the last piece when the bytes were not those the hash names.
    """

    def __init__(self, sha256: bytes, content: Content) -> None:
        self.sha256 = sha256
        self.codec = "none"
        self.size_bytes = 0
        self.stored_bytes = 0
        self.pieces = 0
        self._plain = checked(sha256, _regrouped(content), "as they were given")
        first = next(self._plain, b"")
        self.codec, packed = pack(first)
        self._first = first, packed

    def __iter__(self) -> Iterator[bytes]:
        yield self._count(*self._first)
        for plain in self._plain:
            yield self._count(plain, _compressor().compress(plain) if self.codec == "zstd" else plain)

    def _count(self, plain: bytes, packed: bytes) -> bytes:
        self.size_bytes += len(plain)
        self.stored_bytes += len(packed)
        self.pieces += 1
        return packed


def checked(sha256: bytes, pieces: Iterable[bytes], where: str) -> Iterator[bytes]:
    """The same pieces; raises BlobDamaged behind the last when their hash is another."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    if digest.digest() != sha256:
        raise BlobDamaged(sha256=sha256.hex(), where=where)


def _regrouped(content: Content) -> Iterator[bytes]:
    """Pieces of exactly PIECE_BYTES, but for the last."""
    if isinstance(content, bytes):
        yield from (content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES))
        return
    held = bytearray()
    for piece in content():
        held += piece
        while len(held) >= PIECE_BYTES:
            yield bytes(held[:PIECE_BYTES])
            del held[:PIECE_BYTES]
    if held:
        yield bytes(held)


def _compressor() -> zstandard.ZstdCompressor:
    # A compressor serves one thread at a time, and making one costs more than compressing a letter.
    if not hasattr(_of_thread, "compressor"):
        _of_thread.compressor = zstandard.ZstdCompressor(level=LEVEL)
    return _of_thread.compressor


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_of_thread, "decompressor"):
        _of_thread.decompressor = zstandard.ZstdDecompressor()
    return _of_thread.decompressor
