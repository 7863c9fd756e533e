"""The store behind a pooler that has one connection for each login: whoever comes next gets what the last one left."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import pytest

from postroom.ops.provision import ROLES
from tests.support.pgbouncer import Bouncer, running_bouncer
from tests.support.site import Store


@pytest.fixture(scope="session")
def bouncer(store: Store) -> Iterator[Bouncer]:
    with running_bouncer(store.site.url("postgres"), passwords(store)) as found:
        yield found


def passwords(store: Store) -> dict[str, str]:
    return {role: unquote(urlsplit(store.site.url(role)).password or "") for role in ROLES}
