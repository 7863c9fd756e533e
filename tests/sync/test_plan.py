"""The plan: pure, and it never does harm."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroom.model import FolderState
from postroom.sync.plan import Fetch, Forget, Hold, Reflag, Restart, plan

words = st.frozensets(st.sampled_from(["\\Seen", "\\Flagged", "$Work"]))
folders = st.dictionaries(st.integers(1, 40), words)


def _state(uids: dict[int, frozenset[str]], uidvalidity: int | None = 7) -> FolderState:
    return FolderState(uidvalidity=uidvalidity, uidnext=50, exists=len(uids), uids=uids)


@given(folders, folders)
def test_carried_out_the_plan_makes_both_sides_equal(
    ours: dict[int, frozenset[str]], theirs: dict[int, frozenset[str]]
) -> None:
    result = dict(ours)
    for action in plan(_state(ours), _state(theirs), accept_empty=True):
        match action:
            case Fetch(uids=uids):
                assert list(uids) == sorted(uids, reverse=True)
                result.update({uid: theirs[uid] for uid in uids})
            case Forget(uids=uids):
                for uid in uids:
                    del result[uid]
            case Reflag(words=changed):
                result.update(changed)
            case _:
                raise AssertionError(action)
    assert result == theirs


@given(folders.filter(bool), st.integers(1, 9))
def test_an_empty_folder_is_held_whether_renumbered_or_not(
    ours: dict[int, frozenset[str]], uidvalidity: int
) -> None:
    assert [type(action) for action in plan(_state(ours), _state({}, uidvalidity))] == [Hold]


@given(folders.filter(bool), folders.filter(bool))
def test_a_renumbered_folder_forgets_nothing(
    ours: dict[int, frozenset[str]], theirs: dict[int, frozenset[str]]
) -> None:
    assert [type(action) for action in plan(_state(ours), _state(theirs, 8))] == [Restart, Fetch]


def test_a_server_that_proves_that_nothing_changed_is_believed() -> None:
    ours = FolderState(
        uidvalidity=7, uidnext=9, highestmodseq=3, exists=2, uids={1: frozenset(), 2: frozenset()}
    )
    theirs = FolderState(uidvalidity=7, uidnext=9, highestmodseq=3, exists=2)
    assert plan(ours, theirs) == []
