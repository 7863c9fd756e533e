"""Objects in a bucket of S3, or of a server that speaks its protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Literal

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from postroom.errors import BlobStoreUnreachable

_PART_BYTES = 5 * 1024 * 1024
"""The least that S3 takes as a part of an upload; anything smaller goes in one request."""

_REASONS = (r"<Message>([^<]+)</Message>", r'message: "([^"]+)"', r" - ([^\n]+)", r"([^\n]+)")
"""Where the sentence for a person is in the library's long message, best first."""


class S3Shelf:
    """A prefix in a bucket. Keys, region and the like come from the AWS_ variables of the environment."""

    storage_type: Literal["s3"] = "s3"

    def __init__(self, bucket: str, prefix: str = "", *, endpoint: str | None = None) -> None:
        self.root = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = bucket
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            config={"endpoint": endpoint} if endpoint else None,
            client_options={
                # Without an endpoint of ours the AWS_ variables may name one, and mean it.
                "allow_http": not (endpoint or "").startswith("https://"),
                "connect_timeout": timedelta(seconds=5),
                "read_timeout": timedelta(seconds=30),
                # Of the whole request: a large attachment over a slow line takes its time.
                "timeout": timedelta(hours=1),
            },
            retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=30)},
        )

    def write(self, path: str, chunks: Iterator[bytes]) -> None:
        with self._translated():
            begun, is_all = _beginning(chunks)
            if is_all:
                obstore.put(self._store, path, b"".join(begun))
                return
            # An error in `chunks` ends the upload, and no object appears.
            obstore.put(self._store, path, chain(begun, chunks), chunk_size=_PART_BYTES, max_concurrency=2)

    def write_new(self, path: str, content: bytes) -> None:
        with self._translated():
            try:
                obstore.put(self._store, path, content, mode="create", use_multipart=False)
            except AlreadyExistsError as error:
                raise FileExistsError(path) from error

    def read(self, path: str) -> Iterator[bytes]:
        with self._translated(missing_is_an_answer=True):
            for chunk in obstore.get(self._store, path).stream(min_chunk_size=256 * 1024):
                yield bytes(chunk)

    def older(self, folder: str, seconds: int) -> Iterator[str]:
        limit = datetime.now(UTC) - timedelta(seconds=seconds)
        with self._translated():
            for batch in obstore.list(self._store, prefix=folder):
                yield from (entry["path"] for entry in batch if entry["last_modified"] < limit)

    def remove(self, path: str) -> None:
        with self._translated():
            obstore.delete(self._store, path)

    def below(self, folder: str) -> Iterator[tuple[str, int]]:
        with self._translated():
            for batch in obstore.list(self._store, prefix=folder):
                yield from ((entry["path"], entry["size"]) for entry in batch)

    def remove_all(self, paths: Sequence[str]) -> None:
        with self._translated():
            obstore.delete(self._store, list(paths))

    def remove_folder(self, folder: str) -> None:
        """A bucket has no folders."""

    def check(self) -> None:
        with self._translated():
            next(iter(obstore.list(self._store, prefix="none")), None)

    @contextmanager
    def _translated(self, *, missing_is_an_answer: bool = False) -> Iterator[None]:
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            text = str(error)
            if isinstance(error, FileNotFoundError) and missing_is_an_answer and "NoSuchBucket" not in text:
                raise
            raise BlobStoreUnreachable(where=self.root, reason=_reason(text)) from error


def _beginning(chunks: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """The first chunks, up to a part of an upload, and whether that was all."""
    begun: list[bytes] = []
    size = 0
    for chunk in chunks:
        begun.append(chunk)
        size += len(chunk)
        if size > _PART_BYTES:
            return begun, False
    return begun, True


def _reason(text: str) -> str:
    found = next(match for pattern in _REASONS if (match := re.search(pattern, text)))
    return found[1].strip().rstrip(".:")
