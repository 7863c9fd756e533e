"""Clients: the operations over HTTP, for a program that waits and for one that awaits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self, TypeVar

import httpx2

from postroom.client import retrying
from postroom.client.calls import Awaited, Call, Waiting
from postroom.client.events import SILENCE_SECONDS, Event, Stream, asked_for
from postroom.client.operations import Operations
from postroom.client.problems import ClientError, Unreachable
from postroom.client.reading import Id

T = TypeVar("T")
TIMEOUT_SECONDS = 30.0
RETRIES = 3
_EVENTS = "/v1/events"


class Client(Operations, Waiting):
    """With a key of a tenant (`prk_…`), of the installation (`pra_…`), or a token of the application's own users.

    Reads, and sends with their idempotency key, are asked again up to `retries` times where no answer comes; everything
    is where it cannot have been done: nobody listened, or the service said so (429).
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        transport: httpx2.BaseTransport | None = None,
        verify: Any = True,
    ) -> None:
        self._retries = retries
        self._http = httpx2.Client(
            base_url=_address(url),
            headers=_headers(key),
            timeout=timeout_seconds,
            transport=transport,
            verify=verify,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def perform(self, call: Call[T]) -> T:
        """Ask, and give the answer. Raises Problem, Unreachable."""
        request, attempt = retrying.request_of(call), 0
        while True:
            try:
                response = self._http.request(**request)
            except httpx2.TransportError as error:
                pause = retrying.after_silence(call, attempt, self._retries, error)
                if pause is None:
                    raise _unreachable(self._http.base_url, error) from error
            else:
                said = (response.status_code, response.headers)
                pause = retrying.after_answer(call, attempt, self._retries, *said)
                if pause is None:
                    return retrying.answer_of(call, *said, response.content)
            time.sleep(pause)
            attempt += 1

    def events(
        self, *, since: str | None = None, account_id: Id | None = None, give_up_after: int | None = None
    ) -> Iterator[Event]:
        """What happens, as it happens, from `since` or from now on. A connection that breaks is made again where it
        broke: nothing is missed. After `give_up_after` attempts in a row that come to nothing it raises Unreachable.
        Raises CursorGone where the feed does not reach `since` any more; Unauthorized when the key is over."""
        stream, failures = Stream(cursor=since or self._here(account_id)), 0
        while True:
            try:
                yield from self._connected(stream, account_id)
                failures = 0
            except (httpx2.TransportError, _Passing) as error:
                failures += 1
                if give_up_after is not None and failures >= give_up_after:
                    raise _unreachable(self._http.base_url, error) from error
            time.sleep(stream.pause_seconds)

    def _connected(self, stream: Stream, account_id: Id | None) -> Iterator[Event]:
        stream.begin()
        query, timeout = asked_for(account_id), httpx2.Timeout(TIMEOUT_SECONDS, read=SILENCE_SECONDS)
        with self._http.stream(
            "GET", _EVENTS, params=query, headers=stream.headers(), timeout=timeout
        ) as response:
            if response.status_code != 200:
                stream.refused(response.status_code, response.headers, response.read())
                raise _Passing(f"status {response.status_code}")
            for line in response.iter_lines():
                if event := stream.feed(line):
                    yield event

    def _here(self, account_id: Id | None) -> str:
        return self.list_changes(since="now", account_id=account_id).next


class AsyncClient(Operations, Awaited):
    """The same, to be awaited."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        transport: httpx2.AsyncBaseTransport | None = None,
        verify: Any = True,
    ) -> None:
        self._retries = retries
        self._http = httpx2.AsyncClient(
            base_url=_address(url),
            headers=_headers(key),
            timeout=timeout_seconds,
            transport=transport,
            verify=verify,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def perform(self, call: Call[T]) -> T:
        """Ask, and give the answer. Raises Problem, Unreachable."""
        request, attempt = retrying.request_of(call), 0
        while True:
            try:
                response = await self._http.request(**request)
            except httpx2.TransportError as error:
                pause = retrying.after_silence(call, attempt, self._retries, error)
                if pause is None:
                    raise _unreachable(self._http.base_url, error) from error
            else:
                said = (response.status_code, response.headers)
                pause = retrying.after_answer(call, attempt, self._retries, *said)
                if pause is None:
                    return retrying.answer_of(call, *said, response.content)
            await asyncio.sleep(pause)
            attempt += 1

    async def events(
        self, *, since: str | None = None, account_id: Id | None = None, give_up_after: int | None = None
    ) -> AsyncIterator[Event]:
        """As `Client.events`. Leave it with `contextlib.aclosing`, or the connection stays until it is collected."""
        stream, failures = Stream(cursor=since or await self._here(account_id)), 0
        while True:
            try:
                async for event in self._connected(stream, account_id):
                    yield event
                failures = 0
            except (httpx2.TransportError, _Passing) as error:
                failures += 1
                if give_up_after is not None and failures >= give_up_after:
                    raise _unreachable(self._http.base_url, error) from error
            await asyncio.sleep(stream.pause_seconds)

    async def _connected(self, stream: Stream, account_id: Id | None) -> AsyncIterator[Event]:
        stream.begin()
        query, timeout = asked_for(account_id), httpx2.Timeout(TIMEOUT_SECONDS, read=SILENCE_SECONDS)
        async with self._http.stream(
            "GET", _EVENTS, params=query, headers=stream.headers(), timeout=timeout
        ) as response:
            if response.status_code != 200:
                stream.refused(response.status_code, response.headers, await response.aread())
                raise _Passing(f"status {response.status_code}")
            async for line in response.aiter_lines():
                if event := stream.feed(line):
                    yield event

    async def _here(self, account_id: Id | None) -> str:
        return (await self.list_changes(since="now", account_id=account_id)).next


class _Passing(Exception):
    """A refusal that may be over soon."""


def _address(url: str) -> httpx2.URL:
    """Raises ClientError for what is none."""
    try:
        found = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ClientError(f"{url!r} is no address: {error}.") from error
    if found.scheme not in ("http", "https") or not found.host:
        raise ClientError(f"{url!r} is no address of a service: write https://mail.example.com.")
    return found


def _headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def _unreachable(url: httpx2.URL, error: Exception) -> Unreachable:
    return Unreachable(f"The service at {url} does not answer: {error or type(error).__name__}.")
