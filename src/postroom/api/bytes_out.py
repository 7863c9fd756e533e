"""Bytes out: files of any size, whole or a range of them.

They are read to their end while the transaction is open and sent when it is closed: somebody who reads slowly holds no
connection to the database. What is larger than two megabytes waits in a file without a name.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from typing import IO
from urllib.parse import quote

from fastapi import Request, Response
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from postroom.api import answers
from postroom.api.problems import Problem

Spool = AsyncIterator[bytes]
_IN_MEMORY = 2 * 1024 * 1024
_PIECE = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_SHOWN_IN_PLACE = {"image/png", "image/jpeg", "image/gif", "image/webp"}
"""What a browser may show where it stands: kinds that hold nothing but a picture."""
_ODD = re.compile(r'[\x00-\x1f\x7f"\\/:*?<>|]')
_UNSEEN = re.compile("[\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


async def download(
    request: Request,
    pieces: Callable[[], Spool],
    *,
    size: int,
    etag: str,
    media_type: str,
    filename: str,
    in_place: bool = False,
) -> Response:
    """Bytes that never change, by their hash in the `etag`. Raises Problem for a range that is not there."""
    kind = media_type.lower()
    shows = in_place and kind in _SHOWN_IN_PLACE
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": disposition("inline" if shows else "attachment", filename),
        # Whatever it says of itself, it is not a page of ours.
        "Content-Security-Policy": "sandbox; default-src 'none'",
        **getattr(request.state, "limits", {}),
    }
    if answers.matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    start, end = _range(request, size, etag)
    if (start, end) != (0, size):
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    file = await _spooled(pieces(), start, end)
    return StreamingResponse(
        _read(file),
        206 if "Content-Range" in headers else 200,
        media_type=_type(kind),
        headers=headers,
        background=BackgroundTask(file.close),
    )


def disposition(kind: str, filename: str) -> str:
    """RFC 6266 4.3: a name without paths, controls and what turns letters round, for old clients in ASCII."""
    name = _ODD.sub("_", _UNSEEN.sub("", filename)).strip(" .")[:200] or "file"
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace("%", "_")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"


def _type(kind: str) -> str:
    """What a browser could take for a page or a program goes out as bytes."""
    if not re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}", kind):
        return "application/octet-stream"
    if re.search(r"html|xml|script|svg|flash|multipart", kind):
        return "application/octet-stream"
    return kind


def _range(request: Request, size: int, etag: str) -> tuple[int, int]:
    """RFC 9110 14: one range; of several, or one that is not understood, everything."""
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if_range = request.headers.get("if-range")
    if not match or (if_range is not None and if_range != etag) or match[1] == match[2] == "":
        return 0, size
    if match[1] == "":
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
        if match[2] and int(match[2]) < start:
            return 0, size
    if start >= end:
        headers = {"Content-Range": f"bytes */{size}"}
        raise Problem(416, "no_such_range", f"It has {size} bytes.", headers=headers)
    return start, end


async def _spooled(pieces: Spool, start: int, end: int) -> IO[bytes]:
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
    try:
        at = 0
        async for piece in pieces:
            file.write(piece[max(0, start - at) : max(0, end - at)])
            at += len(piece)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
