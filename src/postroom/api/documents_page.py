"""The page at /docs: the OpenAPI document for people, by noun, without a line from anywhere else."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""The page's Content-Security-Policy."""


def page(document: dict[str, Any]) -> str:
    """HTML of an OpenAPI 3.1 document."""
    schemas = document["components"]["schemas"]
    operations = [
        (operation.get("tags", ["other"])[0], path, method, operation)
        for path, several in document["paths"].items()
        for method, operation in several.items()
    ]
    nouns = list(dict.fromkeys(noun for noun, *_ in operations))
    operations.sort(key=lambda each: nouns.index(each[0]))
    info = document["info"]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
        *(f"<p>{_text(each)}</p>" for each in info["description"].split("\n\n")),
        '<p><a href="/openapi.json">openapi.json</a>, the same for programs (OpenAPI 3.1)</p>',
        "<nav>" + " ".join(f'<a href="#{escape(noun)}">{escape(noun)}</a>' for noun in nouns) + "</nav>",
    ]
    for noun, several in groupby(operations, key=lambda each: each[0]):
        parts.append(f'<h2 id="{escape(noun)}">{escape(noun.capitalize())}</h2>')
        parts += [_operation(path, method, operation, schemas) for _, path, method, operation in several]
    return "".join(parts)


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    said = " ".join(operation.get("description", operation.get("summary", "")).split())
    first, _, more = said.partition(". ")
    takes = _schema_of(operation.get("requestBody", {}))
    gives = next(
        (_schema_of(answer) for status, answer in operation["responses"].items() if status[0] == "2"), {}
    )
    return (
        f'<details><summary><b class="{method}">{method.upper()}</b><code>{escape(path)}</code>'
        f"<span>{_text(first.rstrip('.'))}</span></summary><div>"
        + (f"<p>{_text(more)}</p>" if more else "")
        + _table("Parameters", [_parameter(each) for each in operation.get("parameters", [])])
        + _fields("Takes", takes, schemas)
        + _fields("Gives", gives, schemas)
        + "</div></details>"
    )


def _schema_of(part: dict[str, Any]) -> dict[str, Any]:
    return part.get("content", {}).get("application/json", {}).get("schema", {})


def _parameter(each: dict[str, Any]) -> tuple[str, str, str]:
    where = each["in"] + (", required" if each.get("required") else "")
    return each["name"], f"{kind(each.get('schema', {}))}, {where}", each.get("description", "")


def _fields(title: str, schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """The fields of an object, one level deep; of anything else what it is."""
    if not schema:
        return ""
    known = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    required = known.get("required", [])
    rows = [
        (
            name,
            kind(each) + (", required" if title == "Takes" and name in required else ""),
            each.get("description", ""),
        )
        for name, each in known.get("properties", {}).items()
    ]
    return _table(title, rows) if rows else f"<h3>{title}</h3><p><code>{escape(kind(schema))}</code></p>"


def _table(title: str, rows: list[tuple[str, str, str]]) -> str:
    lines = "".join(
        f"<tr><td><code>{escape(name)}</code><td><i>{escape(what)}</i><td>{_text(why)}"
        for name, what, why in rows
    )
    return f"<h3>{title}</h3><table>{lines}</table>" if rows else ""


def kind(schema: dict[str, Any]) -> str:
    """What a value is, in a few words."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if "items" in schema:
        return f"{kind(schema['items'])} …"
    return schema.get("format") or str(schema.get("type", ""))


def _text(markdown: str) -> str:
    """Of Markdown there are code spans only."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(markdown))


_STYLE = """
:root{color-scheme:light dark;--line:#8883;--soft:#8881}
body{font:16px/1.55 system-ui,sans-serif;max-width:64rem;margin:2.5rem auto;padding:0 1.25rem}
h1 small{font-weight:400;opacity:.6}h2{margin:2.2rem 0 .4rem}h3{margin:.9rem 0 .2rem;font-size:.9rem;opacity:.75}
nav{margin:1.2rem 0;padding:.6rem 0;border-block:1px solid var(--line)}nav a{margin-right:.9rem}
details{border-bottom:1px solid var(--line)}details>div{padding:.2rem 0 1rem 5rem}
summary{display:flex;gap:.8rem;align-items:baseline;padding:.4rem 0;cursor:pointer}summary:hover{background:var(--soft)}
summary code{flex:none}summary span{opacity:.7;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
summary b{flex:none;width:4.2rem;font-size:.8rem}.get{color:#2a7ab8}.post{color:#2e8b57}.patch{color:#b8860b}.delete{color:#c0392b}
table{border-collapse:collapse;width:100%}td{padding:.15rem 1rem .15rem 0;vertical-align:top}td:nth-child(-n+2){width:14rem}td i{opacity:.7}code{font-size:.92em}
"""
