"""Source: the operations and values of `postroom.client`, written from the OpenAPI document. Run by `make client`."""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOME = Path(__file__).parents[2] / "src/postroom/client"
Schema = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
BY_HAND = {"events"}
"""A stream has no answer to wait for: clients.py."""
_SECRET = re.compile("key|secret|password|token")
_HEAD = '"""{title} Written from the OpenAPI document by `make client`."""\n\nfrom __future__ import annotations\n\n'


def document() -> Schema:
    """What the service says of itself."""
    from postroom.api.app import documented

    return documented().openapi()


def sources(said: Schema) -> dict[str, str]:
    """Each file by its name, formatted."""
    written = _Writer(said)
    operations = written.operations()
    return {"values.py": _formatted(written.values()), "operations.py": _formatted(operations)}


class _Writer:
    def __init__(self, said: Schema) -> None:
        self._paths: Schema = said["paths"]
        self._schemas: Schema = said["components"]["schemas"]
        self._answers: set[str] = set()
        self._parts: set[str] = set()
        """Of what goes out: what stands within a body."""

    def operations(self) -> str:
        pieces = [self._operation(*each) for each in self._each()]
        names = ", ".join(sorted(self._named("".join(pieces))))
        text = _HEAD.format(title="Operations: everything that can be asked.")
        text += "from collections.abc import Sequence\nfrom datetime import datetime\nfrom typing import Literal\nfrom uuid import uuid4\n\n"
        text += "from postroom.client.calls import Call, asked, operation, paged, path\n"
        text += "from postroom.client.reading import UNSET, Id, Page, Unset, given\n"
        text += f"from postroom.client.values import {names}\n\n\n"
        return f'{text}class Operations:\n    """By the names of the document."""\n\n' + "\n".join(pieces)

    def values(self) -> str:
        """Those that `operations` found to be needed."""
        text = _HEAD.format(title="Values: what the service says, and parts of what it is told.")
        text += "from dataclasses import dataclass, field\nfrom datetime import datetime\nfrom typing import Any, Literal\nfrom uuid import UUID\n\n"
        text += "from postroom.client.reading import Id, Value\n\n"
        pieces = dict[str, str]()
        while missing := [name for name in sorted(self._answers | self._parts) if name not in pieces]:
            for name in missing:
                pieces[name] = self._value(name)
        parents = {name: self._parent(name) for name in pieces}
        ordered = sorted(pieces, key=lambda name: (_depth(name, parents), name))
        return text + "\n\n".join(pieces[name] for name in ordered)

    def _each(self) -> Iterator[tuple[str, str, Schema]]:
        for path, operations in self._paths.items():
            for method in _METHODS:
                if method in operations and operations[method]["operationId"] not in BY_HAND:
                    yield path, method, operations[method]

    def _operation(self, path: str, method: str, said: Schema) -> str:
        positional, named, query, headers, body = (
            list[str](),
            list[str](),
            list[str](),
            list[str](),
            list[str](),
        )
        for each in said.get("parameters", []):
            name = _python(each["name"])
            if each["in"] == "path":
                positional.append(f"{name}: Id")
            elif each["in"] == "query":
                named.append(self._parameter(name, each["schema"], is_given=each.get("required", False)))
                query.append(f'"{each["name"]}": {name}')
            elif name == "if_none_match":
                continue
            else:
                named.append(f"{name}: str | None = None")
                value = f"{name} or str(uuid4())" if name == "idempotency_key" else name
                headers.append(f'"{each["name"].title()}": {value}')
        if "requestBody" in said:
            (content,) = said["requestBody"]["content"].values()
            shape = self._schema(content["schema"])
            required = shape.get("required", [])
            for name, schema in shape["properties"].items():
                named.append(
                    self._parameter(
                        _python(name), schema, is_given=name in required, may_be_unset=method == "patch"
                    )
                )
                body.append(f'"{name}": {_python(name)}')
        kind, within, item = self._answer(said)
        named.sort(key=lambda each: "=" in each)
        star = ["*"] if named else []
        ids = "".join(f", {each.partition(':')[0]}={each.partition(':')[0]}" for each in positional)
        arguments = [f'"{method.upper()}"', f'path("{path}"{ids})' if ids else f'"{path}"', kind]
        if query:
            arguments.append(f"query=asked({{{', '.join(query)}}})")
        if body:
            wrapped = f"{{{', '.join(body)}}}"
            arguments.append(f"body=given({wrapped})" if method == "patch" else f"body=asked({wrapped})")
        if headers:
            arguments.append(f"headers={{{', '.join(headers)}}}")
        if within:
            arguments.append(f'within="{within}"')
        about = textwrap.indent(f'"""{said["description"].strip()}"""', " " * 8)
        decorator = f"@paged({item})" if item else "@operation"
        signature = ", ".join([*positional, *star, *named])
        return (
            f"    {decorator}\n    @staticmethod\n    def {said['operationId']}({signature}) -> Call[{kind}]:\n"
            f"{about}\n        return Call({', '.join(arguments)})\n"
        )

    def _answer(self, said: Schema) -> tuple[str, str | None, str | None]:
        """The type, the name that it stands within, and of a page the type of its items."""
        good = next(code for code in ("200", "201", "202", "204") if code in said["responses"])
        content = said["responses"][good].get("content")
        if content is None:
            return "None", None, None
        (media_type,), (found,) = content.keys(), content.values()
        if media_type != "application/json":
            return ("str" if media_type.startswith("text/") else "bytes"), None, None
        name = _name(found["schema"])
        properties = self._schemas[name]["properties"]
        if name.startswith("Page_"):
            item = self._answered(_name(properties["items"]["items"]))
            return f"Page[{item}]", None, item
        if list(properties) == ["items"]:
            return f"tuple[{self._answered(_name(properties['items']['items']))}, ...]", "items", None
        is_paged = {"items", "next"} <= set(properties) and "cursor" in [
            each["name"] for each in said.get("parameters", [])
        ]
        item = self._answered(_name(properties["items"]["items"])) if is_paged else None
        return self._answered(name), None, item

    def _answered(self, name: str) -> str:
        self._answers.add(name)
        return name

    def _parameter(self, name: str, schema: Schema, *, is_given: bool, may_be_unset: bool = False) -> str:
        bare, may_be_none = _without_none(schema)
        if name == "fields":
            return "fields: Sequence[str] | None = None"
        kind = self._taken(bare)
        if is_given:
            return f"{name}: {kind}"
        if may_be_unset:
            return f"{name}: {kind} | Unset{' | None' if may_be_none else ''} = UNSET"
        if schema.get("default") is not None:
            return f"{name}: {kind} = {schema['default']!r}"
        return f"{name}: {kind} | None = None"

    def _taken(self, schema: Schema) -> str:
        """The type of what goes out: wider than what comes in."""
        if "$ref" in schema:
            self._parts.add(_name(schema))
            return _name(schema)
        if "enum" in schema or "const" in schema:
            return _literal(schema)
        match schema.get("type"), schema.get("format"):
            case "string", "uuid":
                return "Id"
            case "string", "date-time":
                return "datetime | str"
            case "string", _:
                return "bytes" if schema.get("contentEncoding") else "str"
            case "array", _:
                return f"Sequence[{self._taken(schema['items'])}]"
            case kind, _:
                return {"integer": "int", "boolean": "bool", "number": "float"}.get(
                    str(kind), "dict[str, Any]"
                )

    def _said(self, schema: Schema) -> str:
        """The type of what comes in."""
        bare, may_be_none = _without_none(schema)
        if may_be_none:
            return f"{self._said(bare)} | None"
        if "$ref" in schema:
            return self._answered(_name(schema))
        if "enum" in schema or "const" in schema:
            return _literal(schema)
        match schema.get("type"), schema.get("format"):
            case "string", "uuid":
                return "UUID"
            case "string", "date-time":
                return "datetime"
            case "array", _:
                return f"tuple[{self._said(schema['items'])}, ...]"
            case "object", _ if "properties" not in schema:
                return "dict[str, Any]"
            case kind, _:
                return {"string": "str", "integer": "int", "boolean": "bool", "number": "float"}.get(
                    str(kind), "Any"
                )

    def _value(self, name: str) -> str:
        schema = self._schemas[name]
        parent = self._parent(name)
        inherited = self._schemas[parent]["properties"] if parent else {}
        lines = list[str]()
        for each, of in schema["properties"].items():
            if each in inherited:
                continue
            if name in self._parts:
                lines.append(self._parameter(_python(each), of, is_given=each in schema.get("required", [])))
            else:
                hidden = " = field(repr=False)" if _SECRET.fullmatch(each) else ""
                lines.append(f"{_python(each)}: {self._said(of)}{hidden}")
        about = schema.get("description")
        doc = textwrap.indent(f'"""{about}"""\n\n', " " * 4) if about else ""
        base = parent or "Value"
        head = "@dataclass(frozen=True, slots=True, kw_only=True, repr=False)"
        if name in self._parts:
            base, head = "", "@dataclass(frozen=True, slots=True, kw_only=True)"
        else:
            self._answered(base) if parent else None
        body = "".join(f"    {line}\n" for line in lines) or ("" if about else "    pass\n")
        return f"{head}\nclass {name}{f'({base})' if base else ''}:\n{doc}{body}"

    def _parent(self, name: str) -> str | None:
        """The largest that has nothing but what this one has, too: a Message is a Summary."""
        own = _facts(self._schemas[name]) if name not in self._parts else {}
        smaller = [
            other
            for other in self._schemas
            if other in self._answers
            and other != name
            and len(facts := _facts(self._schemas[other])) >= 4
            and len(facts) < len(own)
            and facts.items() <= own.items()
        ]
        return max(smaller, key=lambda each: len(_facts(self._schemas[each])), default=None)

    def _schema(self, schema: Schema) -> Schema:
        return self._schemas[_name(schema)] if "$ref" in schema else schema

    def _named(self, text: str) -> set[str]:
        known = self._answers | self._parts
        return {name for name in known if re.search(rf"\b{name}\b", re.sub(r'"""(.|\n)*?"""', "", text))}


def _depth(name: str, parents: dict[str, str | None]) -> int:
    parent = parents.get(name)
    return 0 if parent is None else 1 + _depth(parent, parents)


def _facts(schema: Schema) -> dict[str, str]:
    kept = ("type", "format", "anyOf", "items", "$ref", "enum", "const")
    return {
        name: repr({key: of[key] for key in kept if key in of})
        for name, of in schema.get("properties", {}).items()
    }


def _without_none(schema: Schema) -> tuple[Schema, bool]:
    if "anyOf" not in schema:
        return schema, False
    kinds = [each for each in schema["anyOf"] if each.get("type") != "null"]
    return (kinds[0] if len(kinds) == 1 else {}), len(kinds) < len(schema["anyOf"])


def _literal(schema: Schema) -> str:
    values = schema.get("enum") or [schema["const"]]
    return f"Literal[{', '.join(repr(each) for each in values)}]"


def _name(schema: Schema) -> str:
    return schema["$ref"].rpartition("/")[2]


def _python(name: str) -> str:
    plain = name.replace("-", "_").lower()
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def _formatted(text: str) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--quiet", "--fix", "--select", "F401,I", "-"], ["format", "--quiet", "-"]):
        done = subprocess.run(
            [*ruff, *command, "--stdin-filename", str(HOME / "written.py")],
            input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{done.stderr}\n{text}")
        text = done.stdout
    return text


if __name__ == "__main__":
    for name, text in sources(document()).items():
        (HOME / name).write_text(text)
