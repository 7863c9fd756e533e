"""The master key: 32 random bytes in base64, from the environment, a command or a file; behind it, older ones."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
from functools import partial
from pathlib import Path

from postroom.errors import StoreError
from postroom.ops.key_files import key_of, make_key, read_text
from postroom.settings import Settings
from postroom.store.credentials import MasterKey

WHAT = "master key"
_COMMAND_SECONDS = 30


def master_key(settings: Settings) -> MasterKey:
    """The keys of this installation. Raises StoreError where they cannot be had or are none."""
    found = [_key(text, source_of(settings)) for text in read(settings)]
    (key_id, key), *older = found
    return MasterKey(
        key_id,
        key,
        older=[MasterKey(*each) for each in older],
        reload=partial(master_key, settings),
        is_read_to_seal=settings.master_key is None and settings.master_key_command is None,
    )


def own_file(settings: Settings) -> Path | None:
    """The file that is ours to write; None where the operator keeps the key."""
    theirs = (settings.master_key, settings.master_key_command, settings.master_key_file)
    return settings.home / "master.key" if all(each is None for each in theirs) else None


def source_of(settings: Settings) -> str:
    """Where the key comes from, for people."""
    if settings.master_key is not None:
        return "POSTROOM_MASTER_KEY"
    if settings.master_key_command is not None:
        return "what POSTROOM_MASTER_KEY_COMMAND prints"
    return str(settings.master_key_file or settings.home / "master.key")


def read(settings: Settings) -> list[str]:
    """The keys as they are written down, the current one first; made at first use where the file is ours."""
    if settings.master_key is not None:
        text = settings.master_key
    elif settings.master_key_command is not None:
        text = _printed(settings.master_key_command)
    else:
        path = settings.master_key_file or settings.home / "master.key"
        if settings.master_key_file is None and not path.exists():
            make_key(path, WHAT)
        text = read_text(path, WHAT)
    if not text.split():
        raise StoreError(reason=f"{source_of(settings)} is empty, and holds no master key")
    return text.split()


def _printed(command: str) -> str:
    """What the command prints; what it says on standard error goes to the operator as it is."""
    try:
        done = subprocess.run(
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError, UnicodeError) as error:
        reason = f"POSTROOM_MASTER_KEY_COMMAND printed no key in {_COMMAND_SECONDS} seconds"
        raise StoreError(reason=reason) from error
    if done.returncode != 0:
        raise StoreError(reason=f"POSTROOM_MASTER_KEY_COMMAND ended with exit code {done.returncode}")
    return done.stdout


def _key(text: str, where: str) -> tuple[str, bytes]:
    key = key_of(text, f"{WHAT} {where}")
    return hashlib.sha256(key).hexdigest()[:12], key


def key_for(settings: Settings, purpose: bytes) -> bytes:
    """A key for something else than credentials, made of the current master key, which it does not tell."""
    _, key = _key(read(settings)[0], source_of(settings))
    return hmac.digest(key, b"postroom:" + purpose, "sha256")
