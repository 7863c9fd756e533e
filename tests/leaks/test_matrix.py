"""Nobody reads, changes, counts or guesses another tenant's rows: every table, login, statement and setting."""

from __future__ import annotations

import pytest

from tests.leaks.expected import LOGINS
from tests.leaks.places import Place


def test_every_login_is_in_the_matrix(each_place: Place) -> None:
    assert set(each_place.catalog.logins) <= set(LOGINS)


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_no_login_learns_of_another_tenant(each_place: Place, way: str) -> None:
    with getattr(each_place, way)() as matrix:
        leaks = [leak for login in each_place.logins for leak in matrix.leaks(login)]
    assert leaks == []
    assert matrix.asked > 5_000
