"""Nobody reads, changes, counts or guesses another tenant's rows: every table, login, statement and setting."""

from __future__ import annotations

import pytest

from tests.leaks.expected import LOGINS, Sees, sees
from tests.leaks.places import Place


def test_every_login_is_in_the_matrix(each_place: Place) -> None:
    assert set(each_place.catalog.logins) >= set(LOGINS)
    assert {sees(login) for login in each_place.logins} >= {Sees.ITS_TENANT, Sees.ONE_TENANT, Sees.EVERYBODY}
    assert None not in {sees(login) for login in each_place.catalog.logins}


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_no_login_learns_of_another_tenant(each_place: Place, way: str) -> None:
    with getattr(each_place, way)() as matrix:
        leaks = [leak for login in each_place.logins for leak in matrix.leaks(login)]
    assert leaks == []
    assert matrix.asked > 3_000
