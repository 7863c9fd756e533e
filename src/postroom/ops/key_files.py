"""Key files: 32 random bytes in base64, in a file of their own, made at first use; behind a key may be older ones."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from postroom.errors import StoreError


def new_key() -> str:
    """A key as it is written down."""
    return base64.b64encode(os.urandom(32)).decode()


def key_of(text: str, what: str) -> bytes:
    """The key itself. Raises StoreError when it is none."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise StoreError(reason=f"the {what} is not 32 bytes in base64")
    return key


def read_text(path: Path, what: str) -> str:
    """What the file holds. Raises StoreError."""
    try:
        return path.read_text()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(reason=f"the {what} {path} cannot be read: {reason}") from error


def read_key(path: Path, what: str) -> bytes:
    """The key in a file. Raises StoreError when the file is not one."""
    return key_of(read_text(path, what), f"{what} {path}")


def make_key(path: Path, what: str) -> None:
    """One that is there already stays. Raises StoreError."""
    write_keys(path, [new_key()], what, is_first=True)


def write_keys(path: Path, keys: list[str], what: str, *, is_first: bool = False) -> None:
    """Whole or not at all, and for nobody else's eyes. `is_first`: a file that is there already stays.

    Raises StoreError.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("".join(f"{key}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        if is_first:
            try:
                os.link(part, path)  # another program may have been first; then its key counts
            except FileExistsError:
                pass
            part.unlink()
        else:
            part.replace(path)
        _settle(path.parent)
    except OSError as error:
        raise StoreError(reason=f"the {what} {path} cannot be made: {error.strerror}") from error


def _settle(folder: Path) -> None:
    """The name of the file survives a power cut before anything is sealed with the key."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
