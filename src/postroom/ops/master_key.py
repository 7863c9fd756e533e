"""The master key: 32 random bytes in a file of their own, made at first use."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path

from postroom.errors import StoreError
from postroom.settings import Settings
from postroom.store.credentials import MasterKey


def master_key(settings: Settings) -> MasterKey:
    """The key of this installation. Raises StoreError when the file is not one."""
    path = settings.master_key_file or settings.home / "master.key"
    try:
        if not path.exists() and settings.master_key_file is None:
            _make(path)
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, binascii.Error) as error:
        raise StoreError(reason=f"the master key {path} cannot be read: {error}") from error
    if len(key) != 32:
        raise StoreError(reason=f"the master key {path} is not 32 bytes in base64")
    return MasterKey(hashlib.sha256(key).hexdigest()[:12], key)


def _make(path: Path) -> None:
    """Whole or not at all, and for nobody else's eyes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
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
