"""Progress: how far a sync has come, and how long it will take at the pace of late."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from postroom.store.jobs import Advance

Report = Callable[[str, int, int], None]
"""Told (folder, messages done, messages to do) after every batch."""
_WINDOW_SECONDS = 60.0


class Progress:
    """Fed by the reports of `AccountSync`. The time left is of messages that are known to be missing, never a guess."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._folders: dict[str, tuple[int, int]] = {}
        self._pace: deque[tuple[float, int]] = deque([(clock(), 0)])
        self.expected: Callable[[], int | None] = lambda: None
        """What the whole account lacks, where the server told."""

    def report(self, folder: str, done: int, total: int) -> None:
        """So many of so many messages of a folder are in."""
        self._folders[folder] = (done, total)
        now = self._clock()
        self._pace.append((now, self._done()))
        while len(self._pace) > 2 and self._pace[0][0] < now - _WINDOW_SECONDS:
            self._pace.popleft()

    def advance(self) -> Advance:
        """Where we are. Without `expected` the folders not yet looked at are unknown, and so is the time left."""
        done = self._done()
        expected = self.expected()
        if expected is not None:
            expected = max(expected, sum(total for _, total in self._folders.values()))
        (first, had), (_, has) = self._pace[0], self._pace[-1]
        seconds = self._clock() - first
        if expected is None or has <= had or seconds <= 0:
            return Advance(done=done, expected=expected)
        left_seconds = max(0, expected - done) * seconds / (has - had)
        return Advance(done=done, expected=expected, left_ms=int(left_seconds * 1000))

    def _done(self) -> int:
        return sum(done for done, _ in self._folders.values())
