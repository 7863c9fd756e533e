"""audit: who did what, whether that is still what was written, and old months."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO
from uuid import UUID

import orjson
import typer

from postroom.cli.frame import JsonOption, TenantOption, app, print_json, run, store, tenant_id
from postroom.errors import AuditTampered, Held, SourceError, TargetError, UsageError
from postroom.ids import time_of

audits = typer.Typer(help="The audit trail: who did what, when, to what.", no_args_is_help=True)
app.add_typer(audits, name="audit")

BeforeOption = Annotated[str, typer.Option("--before", metavar="YYYY-MM", help="The months before this one.")]
_MOST_FAULTS = 20


@audits.command("list")
def list_(
    tenant: TenantOption,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Entries a page.")] = 20,
    of: Annotated[
        str | None, typer.Option("--of", metavar="TYPE:ID", help="Only of one thing: account:019a….")
    ] = None,
    cursor: Annotated[str | None, typer.Option("--cursor", help="The 'next' of the page before.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The entries of a tenant, newest first.

    Example:  postroom audit list -t acme --of message:019ab3f2-7a5e-7c3b-9d3a-0d9d1c2b3a4f
    """
    page = run(_list(tenant, limit, _thing(of), _position(cursor)))
    if as_json:
        print_json(page)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for each in page["items"]:
        who = " ".join(str(each[name]) for name in ("actor_role", "user_id", "api_key_id") if each[name])
        line = Text(f"{each['at'][:19].replace('T', ' ')}  ", style="dim")
        line.append(each["action"], style="bold")
        line.append(f"  {each['object_type']} {each['object_id'] or ''}".rstrip())
        line.append(f"  by {who}", style="dim")
        console.print(line, soft_wrap=True)
        changed = " → ".join(_short(each[name]) for name in ("before", "after") if each[name] is not None)
        if changed:
            console.print(Text(f"    {changed}"), soft_wrap=True)
    if not page["items"]:
        console.print("Nothing was done yet.")
    if page["next"]:
        console.print(f"More: --cursor {page['next']}", style="dim")


async def _list(
    tenant: str, limit: int, of: tuple[str, UUID] | None, before: tuple[int, UUID] | None
) -> dict[str, Any]:
    from postroom.store import audit

    owner = await tenant_id(tenant)
    async with store("email_service") as db, db.tenant(owner, in_any_state=True) as tx:
        rows = await audit.newest(tx, limit=limit + 1, before=before or audit.END, of=of)
    more = f"{rows[limit - 1]['at']}.{rows[limit - 1]['id']}" if len(rows) > limit else None
    return {"items": [each | {"at": time_of(each["at"])} for each in rows[:limit]], "next": more}


@audits.command()
def verify(
    tenant: Annotated[str | None, typer.Option("--tenant", "-t", help="Without it: every tenant.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="An export, in place of the database.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Follow the chain of every month: an entry that was changed, removed or put in is named. Exit code 14 then.

    Example:  postroom audit verify -t acme
    """
    found = _verify_file(file) if file else run(_verify(tenant))
    if as_json:
        print_json({"items": found})
    for each in found:
        if not as_json:
            state = f"{len(each['faults'])} faults" if each["faults"] else "as written"
            typer.echo(f"{each['tenant']:30} {each['entries']:>10,} entries  {state}")
            for fault in each["faults"][:_MOST_FAULTS]:
                typer.echo(f"    {_sentence(fault)}")
    for each in found:
        if each["faults"]:
            rest = len(each["faults"]) - 1
            more = f", and {rest} more" if rest else ""
            raise AuditTampered(tenant=each["tenant"], first=_sentence(each["faults"][0]), more=more)


async def _verify(tenant: str | None) -> list[dict[str, Any]]:
    from postroom.store import audit, system

    found = []
    async with store("email_worker") as db:
        async with db.system() as tx:
            chosen = [await system.tenant_named(tx, tenant)] if tenant else await system.tenants(tx)
        for each in chosen:
            async with db.tenant(each.id, in_any_state=True) as tx:
                verified = await audit.verify(tx)
            heads = {
                month: {"place": head.place, "hash": head.hash.hex()}
                for month, head in verified.heads.items()
            }
            found.append(_verified(each.name, verified.entries, heads, verified.faults))
    return found


def _verified(tenant: str, entries: int, heads: dict[str, Any], faults: Iterable[Any]) -> dict[str, Any]:
    named = [{"month": each.month, "place": each.place, "id": each.id, "what": each.what} for each in faults]
    return {"tenant": tenant, "entries": entries, "heads": heads, "faults": named}


def _sentence(fault: dict[str, Any]) -> str:
    which = f" ({fault['id']})" if fault["id"] else ""
    return f"{fault['month']}, entry {fault['place']}{which}: {fault['what']}"


@audits.command()
def export(
    tenant: TenantOption,
    out: Annotated[Path, typer.Argument(help="A file that is not there yet.")],
    before: Annotated[
        str | None, typer.Option("--before", metavar="YYYY-MM", help="Only the months before this one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a tenant's trail to a file, a JSON object a line, with the hashes: `audit verify --file` follows them.

    Example:  postroom audit export -t acme --before 2026-01 acme-audit.jsonl
    """
    exported = run(_export(tenant, out, _month(before) if before else date.max))
    if as_json:
        print_json({"exported": exported, "path": str(out)})
    else:
        typer.echo(f"{exported:,} entries written to {out}")


async def _export(tenant: str, out: Path, before: date) -> int:
    from postroom.store import audit

    owner, number = await tenant_id(tenant), 0
    async with store("email_worker") as db, db.tenant(owner, in_any_state=True) as tx:
        with _new_file(out) as file:
            for month in [each for each in await audit.months(tx) if each < before]:
                end = await audit.head(tx, month)
                async for entry in audit.chain(tx, month):
                    if entry["place"] > end.place:
                        break  # written while we read
                    hashes = {name: bytes(entry[name]).hex() for name in ("previous_hash", "hash")}
                    _write(
                        file,
                        {"tenant": tenant, "tenant_id": owner, "month": f"{month:%Y-%m}"} | entry | hashes,
                    )
                    number += 1
                if end.place:
                    head = {"place": end.place, "hash": end.hash.hex()}
                    _write(
                        file, {"tenant": tenant, "tenant_id": owner, "month": f"{month:%Y-%m}", "head": head}
                    )
        await audit.append(tx, "audit.export", "audit", after={"entries": number})
    return number


@audits.command()
def drop(before: BeforeOption, as_json: JsonOption = False) -> None:
    """Drop old months, of every tenant. Each trail says that it was done, and how the month had ended.

    Example:  postroom audit drop --before 2025-01
    """
    dropped = run(_drop(_month(before)))
    if as_json:
        print_json({"items": dropped})
        return
    for each in dropped:
        typer.echo(f"{each['month']}  {each['entries']:>10,} entries dropped")
    if not dropped:
        typer.echo(f"There is no month before {before}.")


async def _drop(before: date) -> list[dict[str, Any]]:
    from postroom.store import holds, system

    if before > datetime.now(UTC).date():
        raise UsageError(reason=f"{before:%Y-%m} is still to come: a month that is not over is not dropped.")
    dropped = []
    async with store("email_owner") as db:
        async with db.system() as tx:
            months = [each for each in await system.audit_months(tx) if each < before]
            tenants = await system.tenants(tx)
        for tenant in tenants if months else []:
            async with db.tenant(tenant.id, in_any_state=True) as tx:
                for hold in await holds.holds_of(tx):
                    if hold.scope == "tenant":
                        raise Held(what=f"Tenant {tenant.name}", hold=hold.name, tenant=tenant.name)
        for month in months:
            async with db.system() as tx:
                entries = await system.drop_audit_month(tx, month)
            dropped.append({"month": f"{month:%Y-%m}", "entries": entries})
    return dropped


def _verify_file(path: Path) -> list[dict[str, Any]]:
    from postroom.store.audit_chain import Chain, Fault, Head

    names: dict[UUID, str] = {}
    chains: dict[tuple[UUID, str], Chain] = {}
    heads: dict[tuple[UUID, str], Head] = {}
    for line in _lines(path):
        owner, month = UUID(line["tenant_id"]), line["month"]
        names[owner] = line["tenant"]
        chain = chains.setdefault((owner, month), Chain(owner, month))
        if "head" in line:
            heads[owner, month] = Head(place=line["head"]["place"], hash=bytes.fromhex(line["head"]["hash"]))
        else:
            hashes = {name: bytes.fromhex(line[name]) for name in ("previous_hash", "hash")}
            chain.follow(line | hashes)
    for key, chain in chains.items():
        chain.finish(heads.get(key, Head()))
    found = []
    for owner, name in names.items():
        mine = {month: chain for (each, month), chain in chains.items() if each == owner}
        faults: list[Fault] = [fault for chain in mine.values() for fault in chain.faults]
        ends = {
            month: {"place": heads[owner, month].place, "hash": heads[owner, month].hash.hex()}
            for month in mine
            if (owner, month) in heads
        }
        found.append(_verified(name, sum(chain.entries for chain in mine.values()), ends, faults))
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    reason = f"line {number} is not what audit export writes"
                    raise SourceError(where=str(path), reason=reason) from error
    except OSError as error:
        raise SourceError(where=str(path), reason=str(error.strerror)) from error


@contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("x", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise TargetError(where=str(path), reason=str(error.strerror), mend="Choose another path.") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write(file: TextIO, value: dict[str, Any]) -> None:
    file.write(orjson.dumps(value).decode() + "\n")


def _month(text: str) -> date:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text) or text < "1970":
        raise UsageError(reason=f"{text!r} is no month; write 2026-01.")
    return date(int(text[:4]), int(text[5:]), 1)


def _thing(text: str | None) -> tuple[str, UUID] | None:
    if text is None:
        return None
    kind, _, identifier = text.partition(":")
    try:
        return kind, UUID(identifier)
    except ValueError as error:
        raise UsageError(reason=f"{text!r} names nothing; write its type and id: account:019a….") from error


def _position(cursor: str | None) -> tuple[int, UUID] | None:
    if cursor is None:
        return None
    at, _, identifier = cursor.partition(".")
    try:
        return int(at), UUID(identifier)
    except ValueError as error:
        raise UsageError(
            reason="That is not a cursor of this list. Use the 'next' of its last page."
        ) from error


def _short(value: dict[str, Any]) -> str:
    """For people: a long list by how many it has."""
    told = {
        name: f"{len(each):,} of them" if isinstance(each, list) and len(each) > 3 else each
        for name, each in value.items()
    }
    return ", ".join(f"{name}: {orjson.dumps(each).decode()}" for name, each in told.items())
