"""The command line of the search: -word is a word, and an option is one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.site import Store, running_store

LETTERS = {"apple": "apple pear", "plum": "plum pear", "nut": "tomato nut pear", "hot": "hotel pear"}


@pytest.fixture(scope="module")
def orchard() -> Iterator[Store]:
    with running_store() as store:
        store.cli("tenant", "create", "acme")
        folder = store.home.parent / "mail"
        folder.mkdir()
        for name, words in LETTERS.items():
            Path(folder, f"{name}.eml").write_text(f"From: a@b.example\nSubject: {name}\n\n{words}\n")
        store.cli("import", "-t", "acme", "-a", "a@b.example", str(folder))
        yield store


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["-t", "acme", "-apple"], {"plum", "nut", "hot"}),
        (["-apple", "--tenant", "acme", "-plum"], {"nut", "hot"}),
        (["--tenant=acme", "pear", "-tomato"], {"apple", "plum", "hot"}),  # not the option -t
        (["-t", "acme", "-nut"], {"apple", "plum", "hot"}),  # nor -n
        (["-t", "acme", "-hotel"], {"apple", "plum", "nut"}),  # nor -h
        (["-t", "acme", "apple", "OR", "plum", "-nut"], {"apple", "plum"}),
        (["-t", "acme", '-"apple pear"'], {"plum", "nut", "hot"}),
        (["-t", "acme", "-subject:plum", "--", "-apple"], {"nut", "hot"}),
        (["-t", "acme", "-n50", "pear"], set(LETTERS)),
    ],
    ids=lambda value: " ".join(sorted(value) if isinstance(value, set) else value),
)
def test_a_word_with_a_dash_is_what_is_not_found(
    orchard: Store, arguments: list[str], found: set[str]
) -> None:
    # What stands behind -- is a word, so that --json comes first.
    items = json.loads(orchard.cli("search", "--json", *arguments).stdout)["items"]
    assert {item["subject"] for item in items} == found


def test_options_keep_their_meaning(orchard: Store) -> None:
    page = orchard.json("search", "-t", "acme", "-n", "2", "pear")
    assert len(page["items"]) == 2
    more = orchard.json("search", "-t", "acme", "pear", "--cursor", page["next"])
    assert len(more["items"]) == 2
    assert "Find mail" in orchard.cli("search", "-h").stdout
    done = orchard.cli("search", "-t", "acme", "--apple", check=False)
    assert (done.returncode, "No such option" in done.stderr) == (2, True)
    assert orchard.cli("search", "-apple", check=False).returncode == 2  # without a tenant
