"""Calls: an operation is written once, as a function that says what to ask; a client asks it, now or to be awaited.

class Operations:
    @operation
    def get_message(message_id: Id) -> Call[Message]:
        return Call("GET", f"/v1/messages/{message_id}", Message)

Client(…).get_message(id)              a Message
await AsyncClient(…).get_message(id)   a Message
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Self, TypeVar, cast, overload
from urllib.parse import quote

from postroom.client.reading import Page, given

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """What to ask, and what the answer is."""

    method: str
    path: str
    kind: Any
    """The type of the answer: a value, `bytes`, `str`, or None where nothing comes back."""
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    headers: Mapping[str, str | None] = field(default_factory=dict)
    within: str | None = None
    """The name under which the answer has the value."""

    @property
    def is_repeatable(self) -> bool:
        """Whether to ask twice does no more than to ask once."""
        return self.method == "GET" or "Idempotency-Key" in self.headers


def path(template: str, **ids: object) -> str:
    """The path with ids in it; what would make it another path is quoted."""
    return template.format(**{name: quote(str(value), safe="") for name, value in ids.items()})


def asked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Of a query string: what is None is not asked."""
    return {name: value for name, value in given(values).items() if value is not None}


class Waiting(ABC):
    """Performs calls and comes back with the answer."""

    @abstractmethod
    def perform(self, call: Call[T]) -> T: ...


class Awaited(ABC):
    """Performs calls for those who await the answer."""

    @abstractmethod
    async def perform(self, call: Call[T]) -> T: ...


class Operation(Generic[P, T]):
    """One operation, as an attribute of both clients."""

    def __init__(self, call: Callable[P, Call[T]]) -> None:
        self.call = call
        update_wrapper(cast("Any", self), call)

    @overload
    def __get__(self, client: Waiting, owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Awaited, owner: Any) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: None, owner: Any) -> Self: ...
    def __get__(self, client: Any, owner: Any) -> Any:
        if client is None:
            return self

        def perform(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.perform(self.call(*args, **kwargs))

        update_wrapper(perform, self.call)
        return perform


class PagedOperation(Generic[P, T, Item]):
    """An operation that lists: called it gives a page, `.each(…)` goes through all of them."""

    def __init__(self, call: Callable[P, Call[T]], item: type[Item]) -> None:
        self.call, self.item = call, item
        update_wrapper(cast("Any", self), call)

    @overload
    def __get__(self, client: Waiting, owner: Any) -> Pages[P, T, Item]: ...
    @overload
    def __get__(self, client: Awaited, owner: Any) -> AwaitedPages[P, T, Item]: ...
    @overload
    def __get__(self, client: None, owner: Any) -> Self: ...
    def __get__(self, client: Any, owner: Any) -> Any:
        if client is None:
            return self
        return Pages(client, self.call) if isinstance(client, Waiting) else AwaitedPages(client, self.call)


class Pages(Generic[P, T, Item]):
    def __init__(self, client: Waiting, call: Callable[P, Call[T]]) -> None:
        self._client, self._call = client, call
        update_wrapper(cast("Any", self), call)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """One page."""
        return self._client.perform(self._call(*args, **kwargs))

    def each(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Item]:
        """Every item; the next page is asked for when it is needed."""
        while True:
            page = cast("Page[Item]", self(*args, **kwargs))
            yield from page.items
            if page.next is None:
                return
            kwargs["cursor"] = page.next


class AwaitedPages(Generic[P, T, Item]):
    def __init__(self, client: Awaited, call: Callable[P, Call[T]]) -> None:
        self._client, self._call = client, call
        update_wrapper(cast("Any", self), call)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """One page."""
        return await self._client.perform(self._call(*args, **kwargs))

    async def each(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Item]:
        """Every item; the next page is asked for when it is needed."""
        while True:
            page = cast("Page[Item]", await self(*args, **kwargs))
            for item in page.items:
                yield item
            if page.next is None:
                return
            kwargs["cursor"] = page.next


def operation(call: Callable[P, Call[T]]) -> Operation[P, T]:
    return Operation(call)


def paged(item: type[Item]) -> Callable[[Callable[P, Call[T]]], PagedOperation[P, T, Item]]:
    def decorate(call: Callable[P, Call[T]]) -> PagedOperation[P, T, Item]:
        return PagedOperation(call, item)

    return decorate
