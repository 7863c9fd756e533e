"""Address lists, as they should be and as they are."""

from __future__ import annotations

import pytest

from postroom.mime.addresses import parse_addresses
from postroom.mime.parse import parse


def read(value: str) -> list[tuple[str, str]]:
    return [(each.name, each.address) for each in parse_addresses(value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("a@b.example", [("", "a@b.example")]),
        ("<a@b.example>", [("", "a@b.example")]),
        ("Alice <a@b.example>", [("Alice", "a@b.example")]),
        ("Alice<a@b.example>", [("Alice", "a@b.example")]),
        ('"Doe, John" <j@b.example>, a@b.example', [("Doe, John", "j@b.example"), ("", "a@b.example")]),
        ('"a \\"b\\" \\\\ c" <j@b.example>', [('a "b" \\ c', "j@b.example")]),
        ('"=?utf-8?q?J=C3=BCrgen?=" <j@b.example>', [("Jürgen", "j@b.example")]),
        ("=?utf-8?q?Doe,_J=C3=BCrgen?= <j@b.example>", [("Doe, Jürgen", "j@b.example")]),
        ("=?utf-8?q?J=C3=BC?=\t=?utf-8?q?rgen?= Doe <j@b.example>", [("Jürgen Doe", "j@b.example")]),
        ("a@b.example (Alice (of Rome))", [("Alice (of Rome)", "a@b.example")]),
        ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", [("Pete", "pete@silly.test")]),
        ('"quoted local"@b.example', [("", '"quoted local"@b.example')]),
        ('Q <"quoted local"@b.example>', [("Q", '"quoted local"@b.example')]),
        ("<@a.example,@c.example:x@b.example>", [("", "x@b.example")]),
        ("john . doe @ machine . example", [("", "john.doe@machine.example")]),
        ("a@b.example;c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
        (",, a@b.example ,,", [("", "a@b.example")]),
        ("a@b.example c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
        ("Alice a@b.example", [("Alice", "a@b.example")]),
        ("a@b.example Alice", [("Alice", "a@b.example")]),
        ('"a@b.example" <a@b.example>', [("a@b.example", "a@b.example")]),
        ("a@b.example <a@b.example>", [("a@b.example", "a@b.example")]),
        ("Doe, John <j@b.example>", [("Doe, John", "j@b.example")]),
        ("root, John <j@b.example>", [("", "root"), ("John", "j@b.example")]),
        ("Alice", [("Alice", "")]),
        ("Alice <>", [("Alice", "")]),
        ("<>", []),
        ('"" <a@b.example>', [("", "a@b.example")]),
        ("<a@b.example", [("", "a@b.example")]),
        ("A <a@b.example, C <c@d.example>", [("A", "a@b.example"), ("C", "c@d.example")]),
        ("<mailto:a@b.example>", [("", "a@b.example")]),
        ("mailto:a@b.example", [("", "a@b.example")]),
        ("undisclosed-recipients:;", []),
        ("undisclosed-recipients:", []),
        ("jörg@mächine.example", [("", "jörg@mächine.example")]),
        ("(", []),
        ('"', []),
        ("a@b.example (never closed", [("", "a@b.example")]),
    ],
)
def test_lists(value: str, expected: list[tuple[str, str]]):
    assert read(value) == expected


def test_members_of_a_group_know_its_name():
    found = parse_addresses("A Group:Ed Jones <c@a.test>,joe@where.test; Bob <b@a.test>, Empty:;")
    assert [(each.name, each.address, each.group) for each in found] == [
        ("Ed Jones", "c@a.test", "A Group"),
        ("", "joe@where.test", "A Group"),
        ("Bob", "b@a.test", None),
    ]


def test_ten_thousand_recipients_are_all_there():
    wanted = [f"user{at}@example.com" for at in range(10_000)]
    raw = (
        "To: " + ",\r\n ".join(f'"User, {at}" <{each}>' for at, each in enumerate(wanted)) + "\r\n\r\n"
    ).encode()
    parsed = parse(raw)
    assert [each.address for each in parsed.to] == wanted
    assert parsed.to[-1].name == "User, 9999"


def test_a_field_that_stands_twice_is_read_twice():
    parsed = parse(b"To: a@example.com\nTo: b@example.com, a@example.com\n\n")
    assert [each.address for each in parsed.to] == ["a@example.com", "b@example.com"]


def test_what_is_too_long_for_an_address_is_a_name():
    (found,) = parse_addresses("x" * 5000 + "@example.com")
    assert found.address == ""
    assert found.name.endswith("@example.com")
