"""PostgreSQL 16, 17 and 18: one schema, the same mail, the same answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from postroom import sql
from tests.support.majors import programs_of
from tests.support.site import Store, running_store
from tests.support.statements import NOUNS, prepare

SEARCHES = [
    "",
    "the",
    "the is:unread",
    "has:attachment",
    "in:inbox after:2000",
    "--ranked the",
    "neverwritten",
]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("majors") / "box"
    program = [sys.executable, "-c", "from postroom.cli import main; main()"]
    subprocess.run([*program, "sample", str(out), "--messages", "50"], check=True, capture_output=True)
    return out


@contextmanager
def _store_on(major: int, box: Path) -> Iterator[Store]:
    with running_store(POSTROOM_POSTGRES_BIN=str(programs_of(major))) as store:
        store.cli("tenant", "create", "acme")
        store.cli("import", "-t", "acme", "-a", "me@example.com", str(box))
        yield store


@pytest.fixture(scope="module")
def expected(box: Path) -> dict[str, Any]:
    """What 17 answers."""
    with _store_on(17, box) as store:
        return {words: _found(store, words) for words in SEARCHES} | {"folders": _folders(store)}


@pytest.fixture(scope="module", params=[16, 18])
def on_another(request: pytest.FixtureRequest, box: Path) -> Iterator[Store]:
    with _store_on(request.param, box) as store:
        assert store.json("status")["server"].startswith(f"{request.param}.")
        yield store


def test_every_query_prepares(on_another: Store) -> None:
    with on_another.connect("postgres") as connection:
        for noun in NOUNS:
            for query in vars(sql.queries(noun)).values():
                prepare(connection, query)


@pytest.mark.parametrize("words", SEARCHES)
def test_the_same_mail_is_found_in_the_same_order(
    expected: dict[str, Any], on_another: Store, words: str
) -> None:
    assert _found(on_another, words) == expected[words]
    assert bool(expected[words]) == (words != "neverwritten")


def test_the_same_folders_hold_the_same_mail(expected: dict[str, Any], on_another: Store) -> None:
    assert _folders(on_another) == expected["folders"]


def _found(store: Store, words: str) -> list[dict[str, Any]]:
    """What was found, less the ids: each store makes its own."""
    found = store.json("search", "-t", "acme", "-n", "100", *words.split())["items"]
    return [{name: value for name, value in each.items() if not name.endswith("id")} for each in found]


def _folders(store: Store) -> list[tuple[Any, ...]]:
    with store.connect("postgres") as connection:
        return connection.execute(
            b'select name, type, total_count, unread_count from email_folders order by name collate "C"'
        ).fetchall()
