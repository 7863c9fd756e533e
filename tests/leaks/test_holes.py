"""Every kind of hole, planted: the rules and the matrix fail, and their sentence begins with what is broken."""

from __future__ import annotations

import pytest

from tests.leaks.holes import HOLES, Hole
from tests.leaks.places import COPY, Place
from tests.leaks.rules import faults


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.kind)
def test_the_rules_name_the_hole(place: Place, hole: Hole) -> None:
    with place.superuser() as connection, connection.transaction(force_rollback=True):
        assert not [each for each in faults(connection) if each.startswith(hole.table)]
        connection.execute(hole.plant.encode())
        connection.execute(b"reset role")
        assert [each for each in faults(connection) if each.startswith(hole.names)]


@pytest.mark.parametrize("hole", [hole for hole in HOLES if hole.login], ids=lambda hole: hole.kind)
def test_the_matrix_names_the_hole(place: Place, hole: Hole) -> None:
    assert hole.login
    with place.copy_with(hole.plant), place.direct(COPY) as matrix:
        found = list(matrix.leaks(hole.login, [hole.table]))
    assert found
    assert all(leak.startswith(f"{hole.table}: {hole.login}") for leak in found)


def test_the_copy_itself_has_no_hole(place: Place) -> None:
    with place.copy_with("select"), place.superuser(COPY) as connection:
        assert faults(connection) == []
