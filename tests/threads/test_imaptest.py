"""The mailboxes of Dovecot's imaptest, and the THREAD=REFERENCES answers that it demands.

Its scripts for THREAD=ORDEREDSUBJECT are another algorithm, which nobody uses for mail, and not ours.
"""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from postroom.model import ThreadNode
from tests.support.corpus import corpus
from tests.threads.letters import answer, parsed

SCRIPTS = ("thread", "thread2", "thread3", "thread4", "thread5", "thread6", "thread7", "thread8")


class Mailbox:
    """What the commands of a script do to a mailbox."""

    def __init__(self, waiting: list[ThreadNode]) -> None:
        self.waiting = waiting
        self.held: list[ThreadNode] = []
        self.deleted: set[int] = set()

    def append(self) -> None:
        self.held.append(self.waiting.pop(0))

    def store(self, numbers: str) -> None:
        self.deleted |= {int(number) for number in numbers.split(",")}

    def expunge(self) -> None:
        self.held = [one for number, one in enumerate(self.held, 1) if number not in self.deleted]
        self.deleted.clear()

    def run(self, script: str) -> tuple[list[str], list[str]]:
        """The answers that the script demands, and ours at the same place."""
        demanded: list[str] = []
        given: list[str] = []
        for line in script.splitlines():
            words = line.lower().split()
            match words:
                case ["messages:", "all"]:
                    self.held, self.waiting = self.waiting, []
                case ["ok", "append"]:
                    self.append()
                case ["ok", "store", numbers, "+flags", "\\deleted"]:
                    self.store(numbers)
                case ["ok", "expunge"]:
                    self.expunge()
                case ["ok", "thread", "references", _, "all"]:
                    given.append(answer(self.held))
                case ["*", "thread", *_]:
                    demanded.append(line.split(" ", 2)[2].strip())
                case ["capabilities:", _] | ["state:", _] | ["ok", "select", _] | []:
                    pass
                case _:
                    raise AssertionError(f"not understood: {line}")
        return demanded, given


def _messages(mbox: bytes) -> list[ThreadNode]:
    """The messages of an mbox; imaptest gives them the date of their From_ line as the internal date."""
    pieces = re.split(rb"^From \S+ +(.*)\n", mbox, flags=re.MULTILINE)
    dates = [datetime.strptime(f"{date.decode()} +0000", "%a %b %d %H:%M:%S %Y %z") for date in pieces[1::2]]
    bodies = pieces[2::2]
    return [
        parsed(body, number, date) for number, (date, body) in enumerate(zip(dates, bodies, strict=True), 1)
    ]


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_answer_that_imaptest_demands_is_given(name: str):
    folder = corpus("imaptest")
    script = (folder / name).read_text()
    demanded, given = Mailbox(_messages((folder / f"{name}.mbox").read_bytes())).run(script)
    assert demanded
    assert given == demanded
