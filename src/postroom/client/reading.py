"""Reading: JSON becomes values, and values become JSON. What a newer service says beyond them is left aside."""

from __future__ import annotations

import base64
import dataclasses
import keyword
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Final, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

T = TypeVar("T")
Id = UUID | str


class _Unset(Enum):
    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


Unset = Literal[_Unset.UNSET]
UNSET: Final = _Unset.UNSET
"""Not given, where None would be an answer: a field of a change that stays as it is."""


class Value:
    """What the service said. An attribute that `fields` left out is not there."""

    __slots__ = ("etag",)
    etag: str | None
    """For `if_match` of a change, where the service gave one."""

    def __getattr__(self, name: str) -> Any:
        if name in getattr(type(self), "__dataclass_fields__", ()):
            raise AttributeError(f"The service did not say {name!r} of it: was it left out of fields?")
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def __repr__(self) -> str:
        there = [each.name for each in dataclasses.fields(self) if each.repr and hasattr(self, each.name)]  # pyright: ignore[reportArgumentType]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in there)})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Page(Value, Generic[T]):
    """One page of a list; `next` goes into `cursor`."""

    items: tuple[T, ...]
    next: str | None


def read(data: Any, kind: Any, etag: str | None = None) -> Any:
    """The value of that type."""
    found = _reader(kind)(data)
    if isinstance(found, Value):
        object.__setattr__(found, "etag", etag)
    return found


def written(value: Any) -> Any:
    """What goes out as JSON: times with their offset, bytes as base64."""
    match value:
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case str() | bool() | int() | float() | None:
            return value
        case Mapping():
            return {name: written(each) for name, each in value.items()}
        case Sequence() | set() | frozenset():
            return [written(each) for each in value]
        case _ if dataclasses.is_dataclass(value):
            given = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
            return {plain(name): written(each) for name, each in given.items() if each is not None}
        case _:
            return str(value)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was not given."""
    return {name: value for name, value in values.items() if value is not UNSET}


def plain(name: str) -> str:
    """The name in JSON of an attribute whose name Python keeps for itself: `from_` is `from`."""
    bare = name.removesuffix("_")
    return bare if keyword.iskeyword(bare) else name


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is UUID:
        return UUID
    if kind is datetime:
        return datetime.fromisoformat
    if origin in (Union, types.UnionType):
        (some,) = (each for each in inner if each is not type(None))
        of_some = _reader(some)
        return lambda data: None if data is None else of_some(data)
    if origin is tuple:
        of_each = _reader(inner[0])
        return lambda data: tuple(of_each(each) for each in data)
    if dataclasses.is_dataclass(origin or kind):
        return _reader_of_value(kind)
    return lambda data: data


def _reader_of_value(kind: Any) -> Callable[[Any], Any]:
    bare = get_origin(kind) or kind
    of_item = dict(zip(getattr(bare, "__parameters__", ()), get_args(kind), strict=True))
    hints = get_type_hints(bare)
    readers = {
        each.name: (plain(each.name), _reader(_filled(hints[each.name], of_item)))
        for each in dataclasses.fields(bare)
    }

    def made(data: Mapping[str, Any]) -> Any:
        found = object.__new__(bare)
        object.__setattr__(found, "etag", None)
        for name, (said, reader) in readers.items():
            if said in data:
                object.__setattr__(found, name, reader(data[said]))
        return found

    return made


def _filled(hint: Any, of_item: Mapping[Any, Any]) -> Any:
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(of_item[each] for each in parameters)] if parameters else hint
