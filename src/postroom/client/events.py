"""Events: what the service streams, line by line, becomes what happened; and where to go on after a break."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from postroom.client.problems import Problem, Unauthorized, problem_of
from postroom.client.reading import read
from postroom.client.values import Change

SILENCE_SECONDS = 45.0
"""The service says something every fifteen: after this long the connection is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What one transaction did in one account. Keep `cursor` when you are done with it: it goes into `since`."""

    cursor: str
    changes: tuple[Change, ...]


@dataclass(slots=True)
class Stream:
    """Server-sent events without the wire: lines in, events out."""

    cursor: str
    """After the last event that was given out."""
    pause_seconds: float = 2.0
    _fields: dict[str, str] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        return {"Last-Event-ID": self.cursor, "Accept": "text/event-stream"}

    def begin(self) -> None:
        """A new connection: what came half is forgotten."""
        self._fields = {}

    def feed(self, line: str) -> Event | None:
        """Raises Unauthorized where the service ends the stream because the key is over."""
        if line:
            name, _, value = line.partition(":")
            if name == "retry" and value.strip().isdigit():
                self.pause_seconds = int(value) / 1000
            elif name:
                self._fields[name] = value.removeprefix(" ")
            return None
        said, self._fields = self._fields, {}
        if said.get("event") == "end":
            raise Unauthorized(401, "unauthorized", "The key is over or was revoked: the stream has ended.")
        if said.get("event") != "changes" or "id" not in said:
            return None
        self.cursor = said["id"]
        changes = read(orjson.loads(said["data"])["items"], tuple[Change, ...])
        return Event(cursor=self.cursor, changes=changes)

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raises Problem, unless it may pass: then `pause_seconds` says how long to wait."""
        problem = problem_of(status, headers, body)
        if not may_pass(problem):
            raise problem
        self.pause_seconds = max(self.pause_seconds, problem.retry_after_seconds or 0)


def may_pass(problem: Problem) -> bool:
    return problem.status == 429 or problem.status >= 500


def asked_for(account_id: Any) -> dict[str, str]:
    return {} if account_id is None else {"account_id": str(account_id)}
