"""Calls of every function with whatever the other tenant has, made from the types of its arguments."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.leaks.catalog import Function
from tests.leaks.fill import OTHER, OWN

_VALUES = {
    "uuid": [f"'{OTHER.id}'::uuid", f"'{OWN.id}'::uuid"],
    "uuid[]": [f"array['{OTHER.id}'::uuid]"],
    "text": [f"'{OTHER.word}0200'", "null"],
    "text[]": [f"array['{OTHER.word}']"],
    "jsonb": ["""'{"all": true}'::jsonb""", f"""'{{"ts": "''{OTHER.word}'':*"}}'::jsonb"""],
    "integer": ["50"],
    "bigint": ["1"],
    "smallint": ["1"],
    "boolean": ["true"],
    "bytea": [f"'\\x{OTHER.hex}'::bytea"],
    "tsquery": [f"'{OTHER.word}'::tsquery"],
    "interval": ["interval '0'"],
    "timestamp with time zone": ["now()"],
    "date": ["date '1970-01-01'"],
}


def calls(function: Function) -> Iterator[str]:
    """Fails by the function's name for a type that is not known here."""
    unknown = [kind for kind in function.types if kind not in _VALUES]
    assert not unknown, f"{function.name}: tests/leaks/calls.py knows no value of {unknown}"
    for values in product(*(_VALUES[kind] for kind in function.types)):
        yield f"select * from {function.name}({', '.join(values)}) f"
