"""Key files: 32 random bytes in base64, in a file of their own, made at first use."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from postroom.errors import StoreError


def read_key(path: Path, what: str) -> bytes:
    """The key in a file. Raises StoreError when the file is not one."""
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, binascii.Error) as error:
        raise StoreError(reason=f"the {what} {path} cannot be read: {error}") from error
    if len(key) != 32:
        raise StoreError(reason=f"the {what} {path} is not 32 bytes in base64")
    return key


def make_key(path: Path, what: str) -> None:
    """Whole or not at all, and for nobody else's eyes; one that is there already stays. Raises StoreError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(os.urandom(32)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # another program may have been first; then its key counts
        except FileExistsError:
            pass
        part.unlink()
    except OSError as error:
        raise StoreError(reason=f"the {what} {path} cannot be made: {error.strerror}") from error
