"""CSV rows: the lines of COPY (RFC 4180), taken apart without losing what is null and what is empty."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

_RECORD = re.compile(rb'(?:[^"\n]|"(?:[^"]|"")*")*\n')
_FIELD = re.compile(rb'((?:[^",\n]|"(?:[^"]|"")*")*)(?:,|\n)')
Row = dict[str, bytes]
"""Fields as they stand in the line, by column."""
Change = Callable[[Row], Row]


def records(data: bytes) -> list[bytes]:
    """The lines of a piece of CSV; a line break between quotes ends none."""
    return _RECORD.findall(data)


def parsed(columns: tuple[str, ...], record: bytes) -> Row:
    """Raises ValueError for a line with another number of fields."""
    return dict(zip(columns, _FIELD.findall(record), strict=True))


def line(row: Row) -> bytes:
    return b",".join(row.values()) + b"\n"


def as_bytes(field: bytes) -> bytes:
    r"""A bytea, `\x0a1b`."""
    if not field.startswith(rb"\x"):
        raise ValueError("not a bytea")
    return bytes.fromhex(field[2:].decode())


def from_bytes(value: bytes) -> bytes:
    return rb"\x" + value.hex().encode()


def as_uuid(field: bytes) -> UUID:
    return UUID(field.decode())


def blob_line(tenant_id: UUID, row: Mapping[str, Any]) -> bytes:
    """A row of email_blobs, less what says where the bytes lie."""
    return line(
        {
            "tenant_id": str(tenant_id).encode(),
            "sha256": from_bytes(bytes(row["sha256"])),
            "size_bytes": b"%d" % row["size_bytes"],
            "created_at": b"%d" % row["created_at"],
        }
    )
