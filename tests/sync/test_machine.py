"""Histories at random: whatever happened before, when all is quiet both sides are equal and the ledger adds up.

`POSTROOM_TEST_HISTORIES=2000` runs so many for each server instead of a few.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from postroom.model import FolderState, SourceFolder
from postroom.store import folders
from postroom.sync import folder as folder_sync
from postroom.sync.plan import Action, Fetch, plan
from postroom.testing import PERSONALITIES, Personality
from tests.support.site import Store
from tests.sync.machine import LastingMachine, Machine, Office, letter, open_office

HISTORIES = int(os.environ.get("POSTROOM_TEST_HISTORIES", "8"))


@pytest.fixture(scope="module")
def office(store: Store) -> Iterator[Office]:
    with open_office(store) as found:
        yield found


def play(
    office: Office,
    personality: Personality,
    histories: int,
    *,
    derandomize: bool = True,
    shrinks: bool = True,
    without: Iterable[str] = (),
    base: type[Machine] = Machine,
) -> None:
    kind = type(
        f"Machine_{personality.name}",
        (base,),
        {"office": office, "personality": personality, **dict.fromkeys(without)},
    )
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=histories,
            stateful_step_count=14,
            deadline=None,
            derandomize=derandomize,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
        ),
    )


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda each: each.name)
def test_when_all_is_quiet_both_sides_are_equal_and_the_ledger_adds_up(
    office: Office, personality: Personality
) -> None:
    play(office, personality, HISTORIES, derandomize="POSTROOM_TEST_HISTORIES" not in os.environ)


_BESIDE_THE_POINT = ("we_mark", "we_move_or_copy", "folder_is_renamed", "folder_is_deleted", "folder_is_made")
"""What may happen, and has no part in losing a message that failed once."""


def _moving_on(local: FolderState, remote: FolderState, *, accept_empty: bool = False) -> list[Action]:
    """The bug that eats mail: what is below the cursor counts as fetched, whether it came or not."""
    cursor = (local.uidnext or 1) if local.uidvalidity == remote.uidvalidity else 1
    return [
        Fetch(uids=tuple(uid for uid in each.uids if uid >= cursor)) if isinstance(each, Fetch) else each
        for each in plan(local, remote, accept_empty=accept_empty)
    ]


def test_a_sync_that_skips_what_failed_and_moves_its_cursor_on_is_found(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_sync, "plan", _moving_on)
    with pytest.raises(AssertionError):
        play(office, PERSONALITIES[0], 400, shrinks=False, without=_BESIDE_THE_POINT, base=LastingMachine)


def test_an_empty_folder_counts_no_message_whatever_the_server_says_of_its_number(office: Office) -> None:
    """EXISTS 3 and nothing there: the ledger of an empty folder did not add up (found by a history with the liar)."""

    class Liar(Machine):
        pass

    Liar.office, Liar.personality = office, PERSONALITIES[-1]
    machine = Liar()
    try:
        for _ in range(6):  # every lie has its turn
            machine.quiet()
    finally:
        machine.teardown()


@pytest.mark.parametrize("personality", PERSONALITIES[:4], ids=lambda each: each.name)
def test_a_change_of_ours_reaches_the_server_in_a_history(office: Office, personality: Personality) -> None:
    kind = type("Once", (Machine,), {"office": office, "personality": personality})
    machine = kind()
    try:
        machine.begin([letter(1)])
        machine.quiet()
        machine.we_mark(0, frozenset({"\\Flagged"}), frozenset())
        machine.quiet()
        assert machine.mailbox.folder("INBOX").entries[1].words == {"\\Flagged"}
    finally:
        machine.teardown()


def test_a_folder_takes_the_name_of_one_that_was_listed_and_never_read(office: Office) -> None:
    """A run died between the list and the reading; then the name went to another folder (found by a history)."""
    kind = type("Once", (Machine,), {"office": office, "personality": PERSONALITIES[0]})
    machine = kind()
    try:
        machine.mailbox.create("Work")
        machine.mailbox.append("Work", letter(1))
        machine.mailbox.append("Work", letter(2))
        machine.quiet()
        machine._run(_listed_only(machine, "Old"))
        machine.mailbox.rename("Work", "Old")
        machine.quiet()
        assert len(machine.mailbox.folder("Old").entries) == 2
    finally:
        machine.teardown()


def test_a_folder_that_was_listed_and_never_read_goes_with_the_server(office: Office) -> None:
    """A run died between the list and the reading; then somebody deleted the folder (found by a history)."""
    kind = type("Once", (Machine,), {"office": office, "personality": PERSONALITIES[0]})
    machine = kind()
    try:
        machine.begin([letter(1)])
        machine._run(_listed_only(machine, "Old"))
        machine.quiet()
        assert "Old" not in machine._ours()
    finally:
        machine.teardown()


async def _listed_only(machine: Machine, name: str) -> None:
    async with machine.office.db.tenant(machine.tenant_id) as tx:
        await folders.ensure(tx, machine.account.id, [SourceFolder(name=name, wire_name=name, type="custom")])


@pytest.mark.parametrize("personality", PERSONALITIES[:4], ids=lambda each: each.name)
def test_what_is_new_in_a_renumbered_folder_may_have_the_number_of_what_was_there(
    office: Office, personality: Personality
) -> None:
    kind = type("Once", (Machine,), {"office": office, "personality": personality})
    machine = kind()
    try:
        machine.begin([letter(1), letter(2), letter(3)])
        machine.quiet()
        machine.mailbox.expunge("INBOX", [1])
        machine.mailbox.renumber("INBOX")
        for number in range(4, 8):
            machine.mailbox.append("INBOX", letter(number))
        machine.quiet()
        assert len(machine.mailbox.folder("INBOX").entries) == 6
    finally:
        machine.teardown()
