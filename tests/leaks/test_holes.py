"""Every kind of hole, planted: the rules and the matrix fail, and their sentence begins with what is broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.leaks.holes import HOLES, Hole
from tests.leaks.places import Place
from tests.leaks.rules import faults

COPY = "scratch"


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
    with _scratch(place, hole.plant), place.direct(COPY) as matrix:
        found = list(matrix.leaks(hole.login, [hole.table]))
    assert found
    assert all(leak.startswith(f"{hole.table}: {hole.login}") for leak in found)


def test_the_copy_itself_has_no_hole(place: Place) -> None:
    with _scratch(place, "select"), place.superuser(COPY) as connection:
        assert faults(connection) == []


@contextmanager
def _scratch(place: Place, plant: str) -> Iterator[None]:
    """A copy of the database with the three tenants in it, and the hole."""
    with psycopg.connect(place.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"create database {COPY} template email_service".encode())
        connection.execute(f"revoke all on database {COPY} from public".encode())
        connection.execute(f"grant connect on database {COPY} to {', '.join(place.logins)}".encode())
        try:
            with place.superuser(COPY) as copy:
                copy.execute(plant.encode())
            yield
        finally:
            connection.execute(f"drop database {COPY} with (force)".encode())
