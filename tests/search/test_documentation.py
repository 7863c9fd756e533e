"""Every example of docs/reference/search.md does what the page says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroom.errors import QuerySyntaxError
from postroom.search import Document, compiled, parse
from postroom.search.query import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS
from postroom.search.tokens import WORD_LENGTH
from postroom.search.values import FIELDS
from postroom.search.words import TEXT_LENGTH, VECTOR_BYTES
from tests.search.finder import NOW, Finder, people

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "search.md").read_text("utf-8")
_CODE = re.compile(r"`([^`]*)`")


def rows(*columns: str) -> list[list[str]]:
    """The rows of all tables with these columns."""
    head = re.escape("| " + " | ".join(columns) + " |\n") + r"\|[-|]+\n"
    found = []
    for table in re.findall(head + r"((?:\|.*\n)+)", PAGE):
        for line in table.splitlines():
            cells = re.split(r"(?<!\\)\|", line[1:-1])
            found.append([cell.replace("\\|", "|").strip() for cell in cells])
    assert found
    return found


def code(cell: str) -> list[str]:
    return _CODE.findall(cell)


def document(example: str) -> Document:
    """A message as the page writes it: `From: Ann <ann@example.org>`, or the text of a body."""
    field, colon, value = example.partition(": ")
    match field if colon else "":
        case "From":
            return Document(from_=people(value))
        case "To":
            return Document(to=people(value))
        case "Cc":
            return Document(cc=people(value))
        case "Bcc":
            return Document(bcc=people(value))
        case "Subject":
            return Document(subject=value)
        case "File":
            return Document(filenames=[value], has_attachment=True)
        case "List":
            return Document(list_id=value)
    return Document(text=example.replace("\\n", "\n"))


@pytest.mark.parametrize(("query", "finds", "passes_over"), rows("Query", "Finds", "Passes over"))
def test_an_example_finds_what_the_page_says(
    finder: Finder, query: str, finds: str, passes_over: str
) -> None:
    (asked,) = code(query)
    assert [each for each in code(finds) if not finder.finds(asked, document(each))] == []
    assert [each for each in code(passes_over) if finder.finds(asked, document(each))] == []


@pytest.mark.parametrize(("query", "finds"), rows("Query", "Finds"))
def test_every_query_on_the_page_is_understood_by_the_database(
    finder: Finder, query: str, finds: str
) -> None:
    for each in code(query) + [example for example in code(finds) if ":" in example]:
        assert finder.condition(each)


@pytest.mark.parametrize(("query", "start", "end"), rows("Query", "From", "Until, not included"))
def test_a_date_lasts_as_long_as_the_page_says(query: str, start: str, end: str) -> None:
    (asked,) = code(query)
    node = compiled(parse(asked, now=NOW))
    bounds = {kind: at_ms for each in node.get("and", [node]) for kind, at_ms in each.items()}
    expected = {
        kind: int(datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp() * 1000)
        for kind, moment in (("after", start), ("before", end))
        if moment
    }
    assert bounds == expected


@pytest.mark.parametrize(("query", "character", "reason"), rows("Query", "Character", "Reason"))
def test_a_mistake_is_answered_as_the_page_says(query: str, character: str, reason: str) -> None:
    (asked,) = code(query)
    with pytest.raises(QuerySyntaxError) as caught:
        parse(asked, now=NOW)
    assert caught.value.fields == {"position": int(character), "reason": reason}


def test_every_field_is_on_the_page() -> None:
    assert [field for field in FIELDS if f"`{field}:" not in PAGE] == []


def test_the_limits_on_the_page_are_those_of_the_program() -> None:
    limits = (MAX_CHARACTERS, MAX_TERMS, MAX_DEPTH, WORD_LENGTH, TEXT_LENGTH, VECTOR_BYTES)
    _, _, section = PAGE.partition("## Limits")
    assert [limit for limit in limits if f"{limit:,}" not in section] == []


def test_the_first_example_finds_the_invoice(finder: Finder) -> None:
    (asked,) = re.findall(r"postroom search --tenant acme '(.*)'", PAGE)
    node = compiled(parse(asked, now=NOW))
    assert set(node) == {"and"}
    assert node["and"][1] == {"after": 1_735_689_600_000}
    invoice = Document(subject="Invoice", from_=people("Alice <a@b.c>"), has_attachment=True)
    assert finder.holds(parse(asked.rpartition(" ")[0], now=NOW), invoice)
    assert not finder.holds(parse(asked.rpartition(" ")[0], now=NOW), Document(subject="Invoice"))
