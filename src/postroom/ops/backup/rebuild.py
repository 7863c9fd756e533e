"""Rebuilding a data folder from a chain of backups."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from postroom.errors import BackupDamaged, BackupError
from postroom.ops.backup import manifest as manifests
from postroom.ops.backup.manifest import Manifest
from postroom.ops.backup.place import Place, unpacked
from postroom.ops.backup.seal import BackupKey, opened
from postroom.ops.backup.take import BASE, SECRETS
from postroom.ops.backup.target import Target, chain_for
from postroom.ops.backup.tools import failed, find_tool
from postroom.ops.binaries import find_all
from postroom.ops.reach import within_reach
from postroom.ops.server_user import ServerUser
from postroom.settings import Settings

Report = Callable[[int, int, str], None]
_MARGIN_BYTES = 256 * 1024 * 1024


class Source:
    """Where a chain is read from, and with which key."""

    def __init__(self, settings: Settings, place: Place, archive: Place, key: BackupKey) -> None:
        self.settings, self.place, self.archive, self.key = settings, place, archive, key

    def chain(self, found: Sequence[Manifest], target: Target) -> list[Manifest]:
        """The chain to begin from, each manifest of it written with this key. Raises NotFound, BackupError."""
        chain = chain_for(found, target)
        for each in chain:
            manifests.prove(self.place, self.key, each)
        return chain

    def object(self, manifest: Manifest, name: str) -> Iterator[bytes]:
        """An object of a backup, opened. Raises BackupDamaged."""
        return opened(self.key, manifest.path(name), manifests.hashed(self.place, manifest, name))


def rebuild(
    source: Source, chain: Sequence[Manifest], folder: Path, user: ServerUser, report: Report
) -> Path:
    """The data folder `folder/data` as the last backup of the chain holds it. Raises BackupError."""
    _require_space(folder, chain)
    total = sum(each.data_bytes for each in chain)
    done = 0
    parts: list[Path] = []
    for number, each in enumerate(chain):
        part = folder / (f"part-{number}" if len(chain) > 1 else "data")
        done = _unpack(source, each, part, user, done, total, report)
        parts.append(part)
    if len(parts) > 1:
        _combine(source.settings, chain[-1].major, parts, folder / "data", user)
        for part in parts:
            shutil.rmtree(part)
    return folder / "data"


def secrets_of(source: Source, manifest: Manifest) -> dict[str, bytes]:
    """The files of the home folder that the backup holds."""
    text = b"".join(source.object(manifest, SECRETS))
    with tarfile.open(fileobj=io.BytesIO(text)) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar.getmembers()}  # pyright: ignore[reportOptionalMemberAccess]


def _require_space(folder: Path, chain: Sequence[Manifest]) -> None:
    copies = 1 if len(chain) == 1 else 2
    needed = copies * sum(each.data_bytes for each in chain) + _MARGIN_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(
            reason=f"{folder} has {free >> 20:,} MB free, and {chain[-1].id} needs {needed >> 20:,} MB there.",
            mend="Free some, or choose a folder on another disk.",
        )


def _unpack(
    source: Source, each: Manifest, part: Path, user: ServerUser, done: int, total: int, report: Report
) -> int:
    part.mkdir(mode=0o700)
    stream = _Stream(unpacked(source.object(each, BASE)))
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                put(tar, member, part)
                done += member.size
                report(done, total, "database")
        stream.drain()
    except tarfile.TarError as error:
        raise BackupDamaged(
            reason=f"{each.path(BASE)} in the backup cannot be unpacked: {error}.", mend="Use another backup."
        ) from error
    except OSError as error:
        raise BackupError(
            reason=f"{part} cannot be written: {error.strerror}.", mend="Mend that and try again."
        ) from error
    for path in (part, *part.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
        user.own(path)
    return done


def put(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One file or folder of a data folder; no name leads out of it. Debian's Python 3.11 has no filters of its own."""
    path = folder / member.name
    if member.name.startswith("/") or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise tarfile.TarError(f"{member.name!r} is nothing that a data folder holds")
    if member.isdir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    content = tar.extractfile(member)
    assert content is not None
    with path.open("xb") as file:
        path.chmod(0o600)
        shutil.copyfileobj(content, file, 1024 * 1024)


def _combine(settings: Settings, major: int, parts: list[Path], out: Path, user: ServerUser) -> None:
    """As the server's user, whose files they are."""
    program = find_tool(settings, "pg_combinebackup", major)
    if not user.can_run(program):
        found = next(
            each for each in find_all(settings.postgres_bin) if each.program("pg_combinebackup") == program
        )
        program = within_reach(found, user, out.parent).program("pg_combinebackup")
    out.mkdir(mode=0o700)
    user.own(out)
    done = user.run(
        [program, "--no-sync", "--output", out, *parts]
    )  # the server itself syncs what it recovers
    if done.returncode != 0:
        raise failed(program, done.text)


class _Stream(io.RawIOBase):
    """Chunks as a file that is read from its beginning to its end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._held = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        found, wanted = list[memoryview](), size
        while wanted:
            if not self._held:
                self._held = memoryview(next(self._chunks, b""))
                if not self._held:
                    break
            piece = self._held if wanted < 0 else self._held[:wanted]
            self._held = self._held[len(piece) :]
            found.append(piece)
            wanted -= len(piece) if wanted > 0 else 0
        return b"".join(found)

    def drain(self) -> None:
        """To the end, where the hashes are compared."""
        for _ in self._chunks:
            pass
