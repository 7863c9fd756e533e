"""The words that let the server's own user run our archive command."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from postroom.errors import BackupError
from postroom.ops.server_user import ServerUser

_MODULE = "postroom.ops.backup.push"
_PACKAGES = ("postroom", "zstandard", "cryptography", "_cffi_backend", "dotenv")


def archive_command(user: ServerUser, config: Path) -> str:
    """The value of archive_command. Raises BackupError when that user cannot run Python with our packages."""
    for words in _candidates():
        if _works(user, words):
            fixed = shlex.join([*words, "-m", _MODULE, str(config)])
            return f"{fixed.replace('%', '%%')} %p %f"
    raise BackupError(
        reason=f"The user {user.name}, as whom the server runs, cannot run Python at {sys.executable}: "
        "the archive command needs it.",
        mend="Install Postroom where everybody can read it, for example in /opt, and run this again.",
    )


def _candidates() -> Iterator[list[str]]:
    yield [sys.executable, "-P", "-s"]
    # An interpreter below /root is shut to the server's user; the system's of the same version reads the same packages.
    version = f"python3.{sys.version_info.minor}"
    path = ":".join(dict.fromkeys(_folders()))
    for folder in ("/usr/local/bin", "/usr/bin"):
        if program := shutil.which(version, path=folder):
            yield ["env", f"PYTHONPATH={path}", program, "-P", "-s"]


def _folders() -> Iterator[str]:
    for name in _PACKAGES:
        spec = find_spec(name)
        if spec and spec.origin:
            origin = Path(spec.origin)
            yield str(origin.parent.parent if origin.name == "__init__.py" else origin.parent)


def _works(user: ServerUser, words: list[str]) -> bool:
    try:
        return user.run([*words, "-m", _MODULE, "--check"]).returncode == 0
    except OSError:
        return False
