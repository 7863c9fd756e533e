"""search and show: mail is found and read."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from html import escape
from typing import Annotated, Any
from uuid import UUID

import typer

from postroom.cli.frame import (
    AsUserOption,
    JsonOption,
    TenantOption,
    app,
    chosen,
    local_zone,
    print_json,
    run,
    store,
    tenant_id,
)
from postroom.cli.pending import shown
from postroom.cli.words import WordsCommand
from postroom.errors import NotFound, UsageError
from postroom.ids import time_of
from postroom.model import UserId


@app.command(cls=WordsCommand)
def search(
    tenant: TenantOption,
    query: Annotated[
        list[str] | None, typer.Argument(help="What to look for; nothing finds everything.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Messages a page.")] = 20,
    cursor: Annotated[str | None, typer.Option("--cursor", help="The 'next' of the page before.")] = None,
    ranked: Annotated[
        bool, typer.Option("--ranked", help="Best first, of the newest 1,000, instead of newest first.")
    ] = False,
    as_user: AsUserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find mail, newest first.

    Words, "phrases", prefix*, -not, OR, ( ), from: to: cc: bcc: subject: body: filename: list: has:attachment
    in:inbox is:unread|read|flagged|draft before:2025-06 after:7d on:yesterday larger:1M smaller:10k

    -word needs no quoting; of more than one word it does: -'"two words"'. A word with two dashes goes behind --.

    Example:  postroom search -t acme 'from:alice invoice has:attachment after:2025-01-01'
    Example:  postroom search -t acme invoice -draft
    """
    words = " ".join(query or [])
    page = run(_search(tenant, as_user, words, limit=limit, cursor=cursor, ranked=ranked, is_json=as_json))
    if as_json:
        print_json(page)
        return
    _table(page)


async def _search(
    tenant: str,
    as_user: UUID | None,
    query: str,
    *,
    limit: int,
    cursor: str | None,
    ranked: bool,
    is_json: bool,
) -> dict[str, Any]:
    from postroom.mime.bodies import html_to_text
    from postroom.search.compile import compiled, in_text, ranked_by
    from postroom.search.highlight import snippet
    from postroom.search.query import parse
    from postroom.store import search as store_search

    tree = parse(query, now=datetime.now(UTC), timezone=local_zone())
    rank = ranked_by(tree) if ranked else None
    owner = await tenant_id(tenant)
    async with store("email_service") as db, db.tenant(owner, as_user and UserId(as_user)) as tx:
        page = await store_search.matches(tx, compiled(tree), limit=limit, cursor=cursor, ranked_by=rank)
        texts = await store_search.texts(tx, [row["id"] for row in page.items])
    items = []
    for row in page.items:
        found = texts.get(row["id"]) or {"text": None, "html": None}  # deleted meanwhile
        text = found["text"] or (html_to_text(found["html"]) if found["html"] else row["preview"])
        items.append(
            {
                "id": str(row["id"]),
                "thread_id": str(row["thread_id"]),
                "subject": row["subject"],
                "from": row["from"],
                "received_at": time_of(row["received_at"]),
                "snippet": _marked(snippet(text, in_text(tree)), is_json=is_json),
            }
        )
    return {"items": items, "next": page.next}


def _marked(text: str, *, is_json: bool) -> str:
    """For machines that show pages: HTML with <mark>, everything else escaped."""
    return escape(text).replace("\x02", "<mark>").replace("\x03", "</mark>") if is_json else text


def _table(page: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for item in page["items"]:
        day = datetime.fromisoformat(item["received_at"]).astimezone(local_zone()).date()
        head = Text(f"{day}  ", style="dim")
        head.append(item["subject"] or "(no subject)", style="bold")
        head.append(f"  {item['from']}")
        console.print(head, no_wrap=True, overflow="ellipsis")
        line = Text("            ")
        for number, piece in enumerate(item["snippet"].replace("\x03", "\x02").split("\x02")):
            line.append(piece, style="black on yellow" if number % 2 else "dim")
        console.print(line, no_wrap=True, overflow="ellipsis")
        console.print(Text(f"            {item['id']}", style="cyan dim"))
    if not page["items"]:
        console.print("Nothing found.")
    if page["next"]:
        console.print(f"More: --cursor {page['next']}", style="dim")


@app.command()
def show(
    tenant: TenantOption,
    id_: Annotated[str, typer.Argument(metavar="ID", help="The message's id, or the beginning of it.")],
    raw: Annotated[bool, typer.Option("--raw", help="The exact bytes as they came.")] = False,
    as_user: AsUserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one message.

    Example:  postroom show -t acme 019a-4c
    """
    found = run(_show(tenant, as_user, id_, raw=raw))
    if raw:
        return
    if as_json:
        print_json(found)
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(found["subject"] or "(no subject)", style="bold")
    for name in ("from", "to", "cc"):
        value = found[name] if isinstance(found[name], str) else ", ".join(found[name])
        if value:
            console.print(f"{name.title():9}{value}")
    console.print(f"{'Date':9}{found['sent_at'] or found['received_at']}")
    console.print(f"{'In':9}{', '.join(folder['name'] for folder in found['folders'])}")
    for each in found["pending"]:
        why = f": {each['last_error']}" if each["last_error"] else ""
        console.print(f"{each['state'].title():9}{each['kind']}{why}", style="yellow")
    for part in found["attachments"]:
        console.print(
            f"{'File':9}{part['filename'] or '(no name)'}  {part['mime_type']}  {part['size_bytes']:,} bytes"
        )
    for defect in found["defects"]:
        console.print(f"{'Defect':9}{defect}", style="yellow")
    console.print()
    console.print(found["text"] or found["preview"])


async def _show(tenant: str, as_user: UUID | None, prefix: str, *, raw: bool) -> dict[str, Any]:
    from postroom.blobs import Blobs
    from postroom.mime.recipe import Recipe
    from postroom.store import attachments, intent_rows, messages, placements

    owner = await tenant_id(tenant)
    async with store("email_service") as db, db.tenant(owner, as_user and UserId(as_user)) as tx:
        row = await messages.get(tx, await resolved(tx, prefix))
        recipe = Recipe.from_json(row["raw_recipe"]) if row["raw_recipe"] else None
        pieces = Blobs(chosen()).message(tx, bytes(row["content_hash"]), bytes(row["raw_blob"]), recipe)
        if raw:
            async for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return {}
        return _shown(
            row,
            [
                await _header(pieces),
                await placements.of_message(tx, row["id"]),
                await attachments.of_message(tx, row["id"]),
                [shown(each) for each in await intent_rows.of_messages(tx, [row["id"]])],
            ],
        )


async def found_by(tx: Any, query: str, *, with_deleted: bool = False) -> list[Any]:
    """The ids of every message that a search finds, newest first; `with_deleted` also of what a purge has yet to take."""
    from postroom.search.compile import compiled
    from postroom.search.query import parse
    from postroom.store import search as store_search

    tree = parse(query, now=datetime.now(UTC), timezone=local_zone())
    return await store_search.ids(tx, compiled(tree), with_deleted=with_deleted)


async def resolved(tx: Any, prefix: str, *, is_deleted: bool = False) -> Any:
    """The id of the one message, living or deleted, that a person means. Raises UsageError or NotFound."""
    from postroom.store import messages

    digits = prefix.replace("-", "").lower()
    if not digits or len(digits) > 32 or not all(each in "0123456789abcdef" for each in digits):
        raise UsageError(reason=f"{prefix!r} is not the id of a message; copy it from postroom search.")
    found = await messages.starting_with(tx, prefix, is_deleted=is_deleted)
    if not found:
        where = "postroom message deleted" if is_deleted else "postroom search, or postroom message deleted"
        raise NotFound(
            what="deleted message" if is_deleted else "message", name=prefix, mend=f"Find it: {where}."
        )
    if len(found) > 1:
        raise UsageError(reason=f"More than one message starts with {prefix!r}. Give more of its id.")
    return found[0]


async def _header(pieces: Any) -> list[list[str]]:
    """All fields in their order, from the raw bytes: they are kept nowhere else."""
    from postroom.mime.parse import headers_only

    held = b""
    async for piece in pieces:
        held += piece
        if b"\n\n" in held or b"\n\r\n" in held or len(held) > 4 * 1024 * 1024:
            break
    return [[name, value] for name, value in headers_only(held)]


def _shown(row: dict[str, Any], parts: list[Any]) -> dict[str, Any]:
    headers, folders, attached, pending = parts
    return {
        "id": str(row["id"]),
        "thread_id": str(row["thread_id"]),
        "account_id": str(row["account_id"]),
        "folders": [
            {"name": each["name"], "uid": each["uid"], "flags": each["flags"] + each["keywords"]}
            for each in folders
        ],
        "pending": pending,
        "message_id": row["message_id_header"],
        "in_reply_to": row["in_reply_to"],
        "references": row["reference_ids"],
        "from": row["from"],
        "to": row["to"],
        "cc": row["cc"],
        "bcc": row["bcc"],
        "reply_to": row["reply_to"],
        "subject": row["subject"],
        "sent_at": time_of(row["sent_at"]),
        "received_at": time_of(row["received_at"]),
        "text": row["text_body"],
        "html": row["html_body"],
        "preview": row["preview"],
        "headers": headers,
        "attachments": [
            {
                "filename": each["filename"],
                "mime_type": each["mime_type"],
                "size_bytes": each["size_bytes"],
                "sha256": each["content_hash"],
                "content_id": each["content_id"],
                "inline": each["is_inline"],
                "storage_type": each["storage_type"],
            }
            for each in attached
        ],
        "size_bytes": row["size_bytes"],
        "sha256": bytes(row["content_hash"]).hex(),
        "defects": row["defects"],
    }
