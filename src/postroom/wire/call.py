"""Call: one POST to somebody's server, which may be slow, talkative or not what it seems.

The host is asked for once, each address that it has is looked at, and the connection goes to that very address: what the
host's name says a moment later does not matter. Redirects are not followed, and no proxy is asked.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from postroom.errors import UsageError
from postroom.hooks.address import Network, Target, may_be_called, target_of
from postroom.wire import tls

_ANSWER_BYTES = 64 * 1024
"""More of an answer is not read."""
_ADDRESSES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a call. `error` is one sentence for a person where it was no success."""

    status: int | None = None
    error: str | None = None
    retry_after_seconds: int | None = None

    @property
    def is_ok(self) -> bool:
        return self.error is None

    @property
    def is_gone(self) -> bool:
        """The receiver wants no more calls."""
        return self.status == 410


class Caller:
    """Calls with one URL after the other; a connection is used again. Use it as an async context manager."""

    def __init__(self, *, allowed: Sequence[Network], ca_file: Path | None, timeout_seconds: float) -> None:
        self._allowed = allowed
        self._timeout_seconds = timeout_seconds
        self._http = httpx2.AsyncClient(
            verify=tls.context(ca_file),
            trust_env=False,
            follow_redirects=False,
            timeout=timeout_seconds,
            limits=httpx2.Limits(max_connections=4, max_keepalive_connections=1),
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._http)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Within the time that is given for all of it, whatever the receiver does."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                target = target_of(url, self._allowed)
                return await self._posted(target, headers, body)
        except TimeoutError:
            return Answer(error=f"no answer within {self._timeout_seconds:g} seconds")
        except UsageError as error:
            return Answer(error=str(error).rstrip("."))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            return Answer(error=_short(error))

    async def _posted(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        error: Exception | None = None
        for address in (await self._addresses(target))[:_ADDRESSES]:
            try:
                return await self._answer(target, address, headers, body)
            except httpx2.ConnectError as refused:
                error = refused
        raise error or OSError("there is no such host")

    async def _addresses(self, target: Target) -> list[str]:
        """Where the host is, as far as it may be called. Raises UsageError where none of it may be."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        allowed = [
            each for each in addresses if may_be_called(ip_address(each), target.scheme, self._allowed)
        ]
        if addresses and not allowed:
            raise UsageError(reason=f"{target.host} is at an address that may not be called.")
        return allowed

    async def _answer(self, target: Target, address: str, headers: Mapping[str, str], body: bytes) -> Answer:
        host = f"[{address}]" if ":" in address else address
        request = self._http.build_request(
            "POST",
            f"{target.scheme}://{host}:{target.port}{target.path}",
            content=body,
            headers={**headers, "Host": target.host_field},
            extensions={"sni_hostname": target.host},
        )
        answer = await self._http.send(request, stream=True)
        try:
            await _drained(answer)
        finally:
            await answer.aclose()
        if answer.is_success:
            return Answer(status=answer.status_code)
        more = ", and redirects are not followed" if answer.is_redirect else ""
        return Answer(
            status=answer.status_code,
            error=f"the receiver answered {answer.status_code}{more}",
            retry_after_seconds=_seconds(answer.headers.get("retry-after", "")),
        )


async def _drained(answer: httpx2.Response) -> None:
    """To the end where that is near, so that the connection can be used again; as it came, not unpacked."""
    read = 0
    async for piece in answer.aiter_raw():
        read += len(piece)
        if read > _ANSWER_BYTES:
            return


def _seconds(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _short(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    said = " ".join(str(error).split())[:200].rstrip(".")
    return said or f"the connection failed ({type(error).__name__})"
