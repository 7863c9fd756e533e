"""Mail that is made to be expensive: the work grows as the mail does, and nothing recurses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any
from uuid import UUID

import pytest

from postroom.model import ThreadNode
from postroom.threads import assign, families, tree
from tests.threads.letters import node

ACCOUNT = UUID(int=1)


def chain(count: int) -> list[ThreadNode]:
    """Each answers the one before."""
    return [node(number, f"{number}@x", (f"{number - 1}@x",)) for number in range(count)]


def backward_chain(count: int) -> list[ThreadNode]:
    """Each answers the one that comes after it."""
    return [node(number, f"{number}@x", (f"{number + 1}@x",)) for number in range(count)]


def fan(count: int) -> list[ThreadNode]:
    """All answer one."""
    return [node(0, "0@x"), *(node(number, f"{number}@x", ("0@x",)) for number in range(1, count))]


def revoked_fan(count: int) -> list[ThreadNode]:
    """Many were said to be answers of one, and then say otherwise."""
    claims = [node(number, f"claim{number}@x", ("0@x", f"{number}@x")) for number in range(count // 2)]
    return [*claims, *(node(count + number, f"{number}@x") for number in range(count // 2))]


def one_subject(count: int) -> list[ThreadNode]:
    """The reports of a machine, a dummy with two children among them."""
    orphans = [node(count + number, f"o{number}@x", ("gone@x",), "Report") for number in range(2)]
    return [*(node(number, f"{number}@x", (), "Report") for number in range(count - 2)), *orphans]


def one_id(count: int) -> list[ThreadNode]:
    """A mailer that gives every message the same id."""
    return [node(number, "same@x", ("same@x",), f"Subject {number}") for number in range(count)]


def long_list(count: int) -> list[ThreadNode]:
    """A message with all these references, and an answer that has them backwards."""
    references = [f"{number}@x" for number in range(count // 2)]
    return [node(1, "a@x", references), node(2, "b@x", references[::-1])]


def below_the_missing(count: int) -> list[ThreadNode]:
    """Many answers to the last of a long chain of which nothing came."""
    references = [f"{number}@x" for number in range(count // 2)]
    answers = [node(number, f"a{number}@x", references[-1:]) for number in range(1, count // 2)]
    return [node(0, "a@x", references), *answers]


def up_and_down(count: int) -> list[ThreadNode]:
    """The top and the bottom of a long chain, by turns: a loop at every step."""
    references = [f"{number}@x" for number in range(count // 4)]
    return [node(1, "a@x", [*references, *([references[0], references[-1]] * (count // 4))])]


def twins(count: int) -> list[ThreadNode]:
    """Nothing to tell them apart."""
    return [node(number, None, (), "", 0) for number in range(count)]


SHAPES = [
    chain,
    backward_chain,
    fan,
    revoked_fan,
    one_subject,
    one_id,
    long_list,
    below_the_missing,
    up_and_down,
    twins,
]

Shape = Callable[[int], list[ThreadNode]]


def lines_run(work: Callable[[], Any]) -> int:
    """How many lines of the threads package are run: a count that no busy machine changes."""
    count = 0

    def line(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        count += 1
        return line

    def call(frame: FrameType, event: str, arg: object) -> Any:
        return line if frame.f_globals.get("__name__", "").startswith("postroom.threads") else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("work", [lambda nodes: assign(ACCOUNT, nodes), tree, families])
@pytest.mark.parametrize("shape", SHAPES)
def test_four_times_the_mail_is_about_four_times_the_work(shape: Shape, work: Callable[..., Any]):
    small, large = shape(500), shape(2000)
    assert lines_run(lambda: work(large)) < 6 * lines_run(lambda: work(small))


@pytest.mark.parametrize("shape", SHAPES)
def test_fifty_thousand_messages_are_threaded(shape: Shape):
    mailbox = shape(50_000)
    threads = assign(ACCOUNT, mailbox)
    assert threads.keys() == {one.key for one in mailbox}
    shown = tree(mailbox)
    assert sum(1 for each in shown for one in each.walk() if one.node) == len(mailbox)
    assert len(shown) == len(set(threads.values()))
    assert sum(len(family) for family in families(mailbox)) == len(mailbox)


@pytest.mark.parametrize("shape", [chain, backward_chain, fan])
def test_a_long_chain_and_a_wide_fan_are_one_thread(shape: Shape):
    assert len(set(assign(ACCOUNT, shape(10_000)).values())) == 1


def test_a_message_that_answers_itself_stands_alone():
    [shown] = tree([node(1, "a@x", ("a@x", "a@x"))])
    assert shown.node
    assert shown.children == ()


def test_two_messages_that_answer_each_other_are_one_thread():
    [shown] = tree([node(1, "a@x", ("b@x",)), node(2, "b@x", ("a@x",))])
    assert [one.node.key.int for one in shown.walk() if one.node] == [2, 1]
