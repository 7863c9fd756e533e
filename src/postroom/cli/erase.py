"""tenant erase, and report: a tenant goes for good, and what can be shown of that later."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from postroom.cli.frame import JsonOption, app, chosen, print_json, progress, run, say
from postroom.cli.move import owner_store
from postroom.cli.tenant import tenants
from postroom.errors import UsageError

reports = typer.Typer(help="Reports that this installation has signed.", no_args_is_help=True)
app.add_typer(reports, name="report")


@tenants.command()
def erase(
    name: Annotated[str, typer.Argument(help="The tenant's name.", metavar="TENANT")],
    yes_erase: Annotated[
        str | None, typer.Option("--yes-erase", help="The tenant's name once more.", metavar="NAME")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--report", help="Where the signed report goes.", metavar="OUT.json")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Remove all that there is of a tenant, for good, and say what it was. Interrupted, the same command goes on.

    Example:  postroom tenant erase acme --yes-erase acme --report acme-erased.json
    """
    if yes_erase != name:
        raise UsageError(
            reason=f"Nothing is erased: all mail of {name} would be gone for good. If that is meant, add --yes-erase {name}."
        )
    if out and not out.absolute().parent.is_dir():
        raise UsageError(
            reason=f"There is no folder {out.absolute().parent} for the report. Nothing was erased."
        )
    report = run(_erase(name, out))
    if as_json:
        print_json(report)
        return
    removed = report["removed"]
    rows = sum(removed["rows"].values())
    typer.echo(f"Nothing of {name} is left: {rows:,} rows and {removed.get('blobs', 0):,} blobs are gone.")
    if out:
        typer.echo(f"The report is {out}, signed with key {report['signature']['key_id']}.")


async def _erase(name: str, out: Path | None) -> Any:
    from postroom.ops.erase import erase
    from postroom.ops.provision import open_site
    from postroom.store import system

    async with owner_store() as db:
        async with db.system() as tx:
            tenant = await system.tenant_named(tx, name)
        _refuse_to_overwrite(out, tenant.id)
        with progress(f"erasing {name}", unit="rows") as show:
            return await erase(db, chosen(), open_site(chosen(), tell=say), tenant, out=out, report=show)


def _refuse_to_overwrite(path: Path | None, tenant_id: object) -> None:
    """But for the report of an erasure of the same tenant that was killed just before its end."""
    from postroom.errors import PostroomError
    from postroom.ops.report_file import read_report

    if path is None or not path.exists():
        return
    try:
        found = read_report(path)
    except PostroomError:
        found = {}
    tenant = found.get("tenant") if found.get("kind") == "postroom.erasure" else None
    if not isinstance(tenant, dict) or tenant.get("id") != str(tenant_id):
        raise UsageError(reason=f"{path} is there already: name a path that is not. Nothing was erased.")


@reports.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A signed report.")],
    key: Annotated[
        str | None,
        typer.Option("--key", help="The public key that must have signed it; else the one of here."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a report is what was signed, and by this installation or the key that is given.

    Example:  postroom report verify acme-erased.json
    """
    from postroom.ops import signing
    from postroom.ops.report_file import read_report

    report = read_report(file)
    public_key = key or signing.signing_key(chosen(), make=False).public_key
    signing.verify(report, public_key)
    found = {"kind": report.get("kind"), "key_id": signing.key_id(public_key), "valid": True}
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{file} is what key {found['key_id']} signed.")


@reports.command("key")
def key_(as_json: JsonOption = False) -> None:
    """Print the public key of this installation, for whoever is to verify its reports elsewhere.

    Example:  postroom report key
    """
    from postroom.ops import signing

    public_key = signing.signing_key(chosen()).public_key
    if as_json:
        print_json({"public_key": public_key, "key_id": signing.key_id(public_key)})
    else:
        typer.echo(public_key)
