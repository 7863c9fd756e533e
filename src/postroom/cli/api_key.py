"""key: who may ask the service, and for what."""

from __future__ import annotations

from typing import Annotated, Any, cast
from uuid import UUID

import typer

from postroom.cli.frame import JsonOption, app, print_json, run, store, tenant_id
from postroom.cli.lengths import seconds_of
from postroom.errors import UsageError
from postroom.ids import now_ms, time_of
from postroom.model import UserId

keys_app = typer.Typer(help="API keys: who may ask the service, and for what.", no_args_is_help=True)
app.add_typer(keys_app, name="key")
TenantOfKeyOption = Annotated[
    str | None, typer.Option("--tenant", "-t", help="The tenant's name.", metavar="NAME")
]
InstallationOption = Annotated[
    bool,
    typer.Option("--installation", help="A key that makes tenants and their first keys, and reads no mail."),
]
IdArgument = Annotated[str, typer.Argument(metavar="KEY", help="The key's id, or its beginning as listed.")]


@keys_app.command()
def create(
    tenant: TenantOfKeyOption = None,
    installation: InstallationOption = False,
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="read, write, send or admin; may stand more than once."),
    ] = None,
    user: Annotated[
        UUID | None, typer.Option("--user", help="Only what this user may see.", metavar="UUID")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", "-a", help="Only this account.", metavar="EMAIL")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="How long it is good: 24h, 90d. Without it: always.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown once.

    Example:  postroom key create -t acme --name "the web shop" --scope read --scope send
    """
    _one_of(tenant, installation=installation)
    if installation and (scope or user or account):
        raise UsageError(reason="A key of the installation has no --scope, --user or --account.")
    expires_at = now_ms() + seconds_of(expires) * 1000 if expires else None
    made = run(_create(tenant, name, scope or ["read"], user, account, expires_at))
    if as_json:
        print_json({"id": str(made.id), "prefix": made.prefix, "key": made.text})
    else:
        typer.echo(made.text)
        typer.echo("This is the only time that it is shown: keep it where secrets are kept.", err=True)


async def _create(
    tenant: str | None,
    name: str,
    scopes: list[str],
    user: UUID | None,
    email: str | None,
    expires_at: int | None,
) -> Any:
    from postroom.store import accounts, admin_keys, api_keys

    if unknown := [each for each in scopes if each not in api_keys.SCOPES]:
        raise UsageError(reason=f"There is no scope {unknown[0]!r}; there are {', '.join(api_keys.SCOPES)}.")
    if tenant is None:
        async with store("email_owner") as db, db.system() as tx:
            return await admin_keys.create(tx, name, expires_at=expires_at)
    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        account_id = (await accounts.by_email(tx, email)).id if email else None
        wanted = api_keys.Wanted(
            name=name,
            scopes=cast("list[api_keys.Scope]", scopes),
            user_id=user and UserId(user),
            account_id=account_id,
            expires_at=expires_at,
        )
        return await api_keys.create(tx, wanted)


@keys_app.command("list")
def list_(
    tenant: TenantOfKeyOption = None, installation: InstallationOption = False, as_json: JsonOption = False
) -> None:
    """The keys of a tenant, or of the installation, by their beginnings.

    Example:  postroom key list -t acme
    """
    _one_of(tenant, installation=installation)
    rows = [_row(row) for row in run(_keys(tenant))]
    if as_json:
        print_json({"items": rows})
        return
    for row in rows:
        whose = f"user {row['user_id']}" if row.get("user_id") else ""
        whose = f"account {row['account_id']}" if row.get("account_id") else whose
        said = [row["state"], ",".join(row.get("scopes", [])), whose, row["name"]]
        typer.echo(f"{row['prefix']:14} {row['id']}  {'  '.join(each for each in said if each)}")
    if not rows:
        typer.echo("There are no keys yet.")


async def _keys(tenant: str | None) -> list[dict[str, Any]]:
    from postroom.store import admin_keys, api_keys

    if tenant is None:
        async with store("email_owner") as db, db.system() as tx:
            return await admin_keys.all_keys(tx)
    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner, in_any_state=True) as tx:
        return await api_keys.all_keys(tx)


@keys_app.command()
def revoke(
    key: IdArgument,
    tenant: TenantOfKeyOption = None,
    installation: InstallationOption = False,
    as_json: JsonOption = False,
) -> None:
    """End a key: within two seconds it opens nothing any more.

    Example:  postroom key revoke -t acme prk_4k2m7q3a
    """
    _one_of(tenant, installation=installation)
    key_id = run(_revoke(tenant, key))
    if as_json:
        print_json({"id": str(key_id)})
    else:
        typer.echo(f"Key {key_id} is revoked.")


async def _revoke(tenant: str | None, key: str) -> UUID:
    from postroom.store import admin_keys, api_keys

    key_id = _meant(await _keys(tenant), key)
    if tenant is None:
        async with store("email_owner") as db, db.system() as tx:
            await admin_keys.revoke(tx, key_id)
    else:
        owner = await tenant_id(tenant)
        async with store("email_worker") as db, db.tenant(owner, in_any_state=True) as tx:
            await api_keys.revoke(tx, key_id)
    return key_id


@keys_app.command()
def rotate(
    key: IdArgument,
    tenant: TenantOfKeyOption = None,
    grace: Annotated[
        str, typer.Option("--grace", help="How long the old key is still good: 0min, 1h, 7d.")
    ] = "1h",
    as_json: JsonOption = False,
) -> None:
    """Make another key for the same; the old one is over soon.

    Example:  postroom key rotate -t acme prk_4k2m7q3a --grace 24h
    """
    if tenant is None:
        raise UsageError(
            reason="Name the tenant with -t; a key of the installation is made anew and revoked."
        )
    made = run(_rotate(tenant, key, seconds_of(grace)))
    if as_json:
        print_json({"id": str(made.id), "prefix": made.prefix, "key": made.text})
    else:
        typer.echo(made.text)
        typer.echo(f"This is the only time that it is shown. The old key is good for {grace}.", err=True)


async def _rotate(tenant: str, key: str, grace_seconds: int) -> Any:
    from postroom.store import api_keys

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        key_id = _meant(await api_keys.all_keys(tx), key)
        return await api_keys.rotate(tx, key_id, old_until=now_ms() + grace_seconds * 1000)


def _meant(rows: list[dict[str, Any]], key: str) -> UUID:
    found = [row["id"] for row in rows if key and (str(row["id"]).startswith(key) or row["prefix"] == key)]
    if len(found) != 1:
        reason = "There is no such key" if not found else "More than one key is called so"
        raise UsageError(reason=f"{reason}: {key!r}. See them: postroom key list.")
    return found[0]


def _one_of(tenant: str | None, *, installation: bool) -> None:
    if (tenant is None) != installation:
        raise UsageError(reason="Say whose key: -t TENANT, or --installation, and not both.")


def _row(row: dict[str, Any]) -> dict[str, Any]:
    state = "active"
    if row["expires_at"] is not None and row["expires_at"] <= now_ms():
        state = "expired"
    if row["revoked_at"] is not None:
        state = "revoked"
    times = {name: time_of(at) for name, at in row.items() if name.endswith("_at")}
    ids = {name: value and str(value) for name, value in row.items() if name == "id" or name.endswith("_id")}
    return {**row, **times, **ids, "state": state}
