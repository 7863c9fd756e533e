"""account: the mailboxes of a tenant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, cast
from uuid import UUID

import typer

from postroom.cli.frame import (
    AsUserOption,
    JsonOption,
    TenantOption,
    app,
    chosen,
    print_json,
    run,
    store,
    tenant_id,
)
from postroom.errors import UsageError
from postroom.model import Account, Encryption, UserId

accounts_app = typer.Typer(
    help="Accounts: mailboxes on servers, and those filled by import.", no_args_is_help=True
)
app.add_typer(accounts_app, name="account")
_PORTS = {"tls": 993, "starttls": 143, "none": 143}


@accounts_app.command()
def add(
    tenant: TenantOption,
    email: Annotated[str, typer.Option("--email", help="The account's address.")],
    host: Annotated[str, typer.Option("--host", help="The IMAP server.")],
    username: Annotated[str | None, typer.Option("--username", help="Without it: the address.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Without it: 993 for tls, 143 otherwise.")
    ] = None,
    encryption: Annotated[str, typer.Option("--encryption", help="tls, starttls or none.")] = "tls",
    protocol: Annotated[str, typer.Option("--protocol", help="imap.")] = "imap",
    ca_file: Annotated[
        Path | None,
        typer.Option(
            "--ca-file", help="Trust this server by the certificates of this PEM file alone; they are stored."
        ),
    ] = None,
    user: Annotated[
        UUID | None,
        typer.Option(
            "--user", help="Whose account it is. Without it: of the tenant's first user.", metavar="UUID"
        ),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add a mailbox on a server, or change how it is reached. The password is sealed before it is stored.

    Example:  postroom account add -t acme --email me@example.com --host imap.example.com --password-stdin < secret
    """
    if encryption not in _PORTS:
        raise UsageError(reason=f"--encryption is {encryption!r}; there are tls, starttls and none.")
    if protocol != "imap":
        raise UsageError(reason=f"--protocol is {protocol!r}; for now there is imap only.")
    password = (
        sys.stdin.readline().rstrip("\r\n")
        if password_stdin
        else typer.prompt("Password", hide_input=True, err=True)
    )
    if not password:
        raise UsageError(reason="The password is empty. Give it on standard input with --password-stdin.")
    from postroom.wire import tls

    kind = cast("Encryption", encryption)
    ca_pem = tls.certificates_in(ca_file) if ca_file else None
    made = run(
        _add(tenant, email, host, port or _PORTS[kind], kind, username or email, password, user, ca_pem)
    )
    if as_json:
        print_json({"id": str(made.id), "email_address": made.email_address})
    else:
        typer.echo(
            f"Account {made.email_address} is there. Bring its mail in: postroom sync -t {tenant} -a {made.email_address}"
        )


async def _add(
    tenant: str,
    email: str,
    host: str,
    port: int,
    encryption: Encryption,
    username: str,
    password: str,
    user: UUID | None,
    ca_pem: str | None,
) -> Account:
    from postroom.ops.master_key import master_key
    from postroom.store import accounts, audit, changes, credentials

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        account = await accounts.ensure(tx, email, user_id=user and UserId(user))
        if user not in (None, account.user_id):
            raise UsageError(
                reason=f"The account {email} is there and belongs to user {account.user_id}."
                f" Share it: postroom account share -t {tenant} -a {email} --user {user}."
            )
        modseq = await changes.next_modseq(tx, account.id)
        credential_id = await credentials.put_password(tx, account.id, password, master_key(chosen()))
        await accounts.connect(
            tx,
            account.id,
            protocol="imap",
            hostname=host,
            port=port,
            encryption=encryption,
            username=username,
            credential_id=credential_id,
            ca_pem=ca_pem,
        )
        after = {"hostname": host, "port": port, "encryption": encryption, "username": username}
        after |= {"has_own_ca": True} if ca_pem else {}
        await audit.append(tx, "account.connect", "account", account.id, after=after)
        await changes.append(tx, account.id, modseq, "updated", "account", [account.id])
    return account


@accounts_app.command("list")
def list_(tenant: TenantOption, as_user: AsUserOption = None, as_json: JsonOption = False) -> None:
    """The accounts of a tenant.

    Example:  postroom account list -t acme
    """
    from postroom.store import accounts

    async def work() -> list[Account]:
        owner = await tenant_id(tenant)
        async with store("email_service") as db, db.tenant(owner, as_user and UserId(as_user)) as tx:
            return await accounts.all_accounts(tx)

    found = run(work())
    if as_json:
        print_json(
            {
                "items": [
                    {
                        "id": str(each.id),
                        "email_address": each.email_address,
                        "hostname": each.hostname,
                        "user_id": str(each.user_id),
                    }
                    for each in found
                ]
            }
        )
        return
    for each in found:
        typer.echo(f"{each.email_address:40} {each.protocol or 'import'} {each.hostname or ''}")
