"""Thread ids: the same messages have the same ones, however they came; they are the threads of RFC 5256."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.model import ThreadNode
from postroom.threads import ancestry, assign, families, links, tree
from tests.threads.bookkeeper import Bookkeeper
from tests.threads.letters import node

ACCOUNT = UUID(int=1)
OTHER_ACCOUNT = UUID(int=2)

ids = st.sampled_from([f"{name}@x" for name in "abcdefgh"] + ['"a"@x', "no id", ""])
subjects = st.sampled_from(["", "", "x", "Re: x", "y", "Fwd: y", "[list] X", "Re:", "ä", "Ä"])


@st.composite
def mailboxes(draw: st.DrawFn) -> list[ThreadNode]:
    """Messages that refer to a handful of ids, with equal dates, equal ids and loops among them."""
    count = draw(st.integers(0, 12))
    return [
        node(
            number,
            draw(st.none() | ids),
            draw(st.lists(ids, max_size=4)),
            draw(subjects),
            draw(st.integers(0, 4)),
        )
        for number in range(count)
    ]


def groups(threads: dict[object, object]) -> set[frozenset[object]]:
    """Who is together with whom."""
    return {frozenset(key for key, one in threads.items() if one == each) for each in threads.values()}


@given(mailboxes(), st.randoms(use_true_random=False))
def test_the_order_of_the_messages_does_not_matter(mailbox: list[ThreadNode], random: Random):
    expected = assign(ACCOUNT, mailbox)
    assert assign(ACCOUNT, random.sample(mailbox, len(mailbox))) == expected


@given(mailboxes(), st.randoms(use_true_random=False))
def test_keys_do_not_matter_where_messages_can_be_told_apart(mailbox: list[ThreadNode], random: Random):
    # Rows get their keys as they come, so a second import of the same mail has others.
    told = [replace(one, message_id=f"{one.key.int}@y") for one in mailbox]
    keys = random.sample([one.key for one in told], len(told))
    again = [replace(one, key=key) for one, key in zip(told, keys, strict=True)]
    threads, threads_again = assign(ACCOUNT, told), assign(ACCOUNT, again)
    assert [threads[one.key] for one in told] == [threads_again[one.key] for one in again]


@given(mailboxes(), st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=400)
def test_messages_that_come_in_batches_end_in_the_threads_of_all_at_once(
    mailbox: list[ThreadNode], random: Random, size: int
):
    arriving = random.sample(mailbox, len(mailbox))
    store = Bookkeeper(ACCOUNT)
    for start in range(0, len(arriving), size):
        store.bring(arriving[start : start + size])
    assert store.threads == assign(ACCOUNT, mailbox)


@given(mailboxes())
@settings(max_examples=400)
def test_one_thread_id_is_one_thread_of_rfc_5256(mailbox: list[ThreadNode]):
    together = {frozenset(one.node.key for one in each.walk() if one.node) for each in tree(mailbox)}
    assert groups(dict(assign(ACCOUNT, mailbox))) == together


@given(mailboxes())
def test_families_at_once_or_one_by_one_give_the_same(mailbox: list[ThreadNode]):
    apart = [assign(ACCOUNT, family) for family in families(mailbox)]
    assert {key: thread for each in apart for key, thread in each.items()} == assign(ACCOUNT, mailbox)


@given(mailboxes())
def test_families_share_no_id_and_lose_nobody(mailbox: list[ThreadNode]):
    found = families(mailbox)
    shared = [frozenset[str]().union(*(links(one) for one in family)) for family in found]
    assert sum(len(each) for each in shared) == len(frozenset[str]().union(*shared))
    assert sorted(one.key for family in found for one in family) == [one.key for one in mailbox]


@given(mailboxes())
def test_nothing_moves_when_nothing_comes(mailbox: list[ThreadNode]):
    store = Bookkeeper(ACCOUNT)
    store.bring(mailbox)
    assert assign(ACCOUNT, mailbox) == store.threads
    assert store.bring([]) == set()


def test_six_messages_have_one_result_in_all_of_their_720_orders():
    mailbox = [
        node(1, "a@x", (), "plan"),
        node(2, "b@x", ("a@x",), "Re: plan"),
        node(3, "c@x", ("missing@x", "b@x"), "other words"),
        node(4, "d@x", ("c@x", "a@x"), ""),
        node(5, "a@x", ("d@x",), "a copy"),
        node(6, None, ("missing@x",), "Re: plan", 3),
    ]
    expected = assign(ACCOUNT, mailbox)
    for order in permutations(mailbox):
        store = Bookkeeper(ACCOUNT)
        for one in order:
            store.bring([one])
        assert store.threads == expected


def test_a_late_parent_joins_two_threads():
    store = Bookkeeper(ACCOUNT)
    store.bring([node(2, "b@x", ("a@x",), "apples"), node(3, "c@x", ("b2@x",), "pears")])
    assert len(set(store.threads.values())) == 2
    moved = store.bring([node(1, "b2@x", ("b@x",), "cherries")])
    assert len(set(store.threads.values())) == 1
    assert moved == {node(3).key}


def test_a_late_parent_moves_its_own_family_only():
    store = Bookkeeper(ACCOUNT)
    strangers = [node(10, "s@x", (), "plan"), node(11, "t@x", ("s@x",), "Re: plan")]
    answers = [node(2, "b@x", ("a@x",), "Re: salary"), node(3, "c@x", ("a@x",), "Re: plan")]
    store.bring([*strangers, *answers])
    moved = store.bring([node(1, "a@x", (), "plan")])
    assert moved == {one.key for one in answers}
    assert len(set(store.threads.values())) == 1


def test_a_thread_without_a_subject_keeps_its_name_when_its_first_message_comes():
    store = Bookkeeper(ACCOUNT)
    store.bring([node(2, "b@x", ("a@x",)), node(3, "c@x", ("a@x", "b@x"))])
    assert store.bring([node(1, "a@x")]) == set()
    assert len(set(store.threads.values())) == 1


def test_mail_of_one_subject_is_one_thread_though_nothing_refers_to_it():
    threads = assign(ACCOUNT, [node(1, "a@x", (), "Backup done"), node(2, "b@x", (), "Backup done")])
    assert len(set(threads.values())) == 1


def test_mail_without_subject_and_references_stays_apart():
    assert len(set(assign(ACCOUNT, [node(1), node(2), node(3, "a@x"), node(4, "b@x")]).values())) == 4


def test_a_message_that_repeats_an_id_is_a_message_of_its_own():
    first, second, answer = node(1, "a@x"), node(2, "a@x"), node(3, "b@x", ("a@x",))
    threads = assign(ACCOUNT, [second, answer, first])
    assert threads[first.key] == threads[answer.key] != threads[second.key]


def test_the_same_mail_in_two_accounts_has_two_threads():
    mailbox = [node(1, "a@x", (), "plan")]
    assert assign(ACCOUNT, mailbox).values() != assign(OTHER_ACCOUNT, mailbox).values()


@pytest.mark.parametrize(
    ("references", "in_reply_to", "expected"),
    [
        (("a@x", "b@x"), ("c@x",), ("a@x", "b@x")),
        ((), ("c@x", "d@x"), ("c@x",)),
        (("junk", ""), ("c@x",), ("c@x",)),
        (("junk", "b@x"), ("c@x",), ("b@x",)),
        ((), ("junk", "c@x"), ("c@x",)),
        ((), (), ()),
    ],
)
def test_in_reply_to_is_asked_when_references_has_no_id(
    references: tuple[str, ...], in_reply_to: tuple[str, ...], expected: tuple[str, ...]
):
    assert ancestry(references, in_reply_to) == expected


def test_links_are_the_ids_in_one_spelling():
    assert links(node(1, '"a"@x', ("a@x", '"b\\"c"@x', "no id", "@x", "A@x"))) == {"a@x", 'b"c@x', "A@x"}
    assert links(node(1)) == frozenset()
