"""Archives of tenants, read and rewritten by Python's own tarfile: not by what wrote them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

Members = list[tuple[str, bytes]]


def members(path: Path) -> Members:
    """Every member with its bytes, in their order."""
    data = path.read_bytes()
    if path.name.endswith(".zst"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [(each.name, tar.extractfile(each).read()) for each in tar.getmembers()]  # type: ignore[union-attr]


def hashes(path: Path) -> dict[str, str]:
    """The SHA-256 of every member but the manifest, which has a date."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in members(path) if name != "manifest.json"}


def manifest(path: Path) -> dict[str, Any]:
    return json.loads(dict(members(path))["manifest.json"])


def rewritten(path: Path, out: Path, change: Callable[[Members], Members]) -> Path:
    """The archive with other members."""
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in change(members(path)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out


def replaced(found: Members, name: str, data: bytes) -> Members:
    """With other bytes of one member, and a manifest that agrees."""
    said = json.loads(dict(found)["manifest.json"])
    if name in said["members"]:
        said["members"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    changed = (
        {name: data, "manifest.json": json.dumps(said).encode()} if name != "manifest.json" else {name: data}
    )
    return [(each, changed.get(each, old)) for each, old in found]
