"""A tool: its name, what it is for, which scope it wants, what it is given and what it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from postroom.client import AsyncClient


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    about: str
    scope: Literal["read", "write", "send"]
    arguments: type[Arguments]
    perform: Callable[[AsyncClient, Any], Awaitable[Any]]
    """Asks the API. Raises ClientError."""
    is_final: bool = False
    """What it does cannot be undone."""
