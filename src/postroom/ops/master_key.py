"""The master key: what seals the credentials of this installation."""

from __future__ import annotations

import hashlib
import hmac

from postroom.ops.key_files import make_key, read_key
from postroom.settings import Settings
from postroom.store.credentials import MasterKey

_WHAT = "master key"


def master_key(settings: Settings) -> MasterKey:
    """The key of this installation, made at first use. Raises StoreError when the file is not one."""
    path = settings.master_key_file or settings.home / "master.key"
    if settings.master_key_file is None and not path.exists():
        make_key(path, _WHAT)
    key = read_key(path, _WHAT)
    return MasterKey(hashlib.sha256(key).hexdigest()[:12], key)


def key_for(settings: Settings, purpose: bytes) -> bytes:
    """A key for something else than credentials, made of the master key, which it does not tell."""
    path = settings.master_key_file or settings.home / "master.key"
    if settings.master_key_file is None and not path.exists():
        make_key(path, _WHAT)
    return hmac.digest(read_key(path, _WHAT), b"postroom:" + purpose, "sha256")
