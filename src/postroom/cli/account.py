"""account: the mailboxes of a tenant."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from postroom.cli.frame import (
    AccountOption,
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
from postroom.model import Account, Encryption

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
    made = run(_add(tenant, email, host, port or _PORTS[encryption], encryption, username or email, password))  # pyright: ignore[reportArgumentType]
    if as_json:
        print_json({"id": str(made.id), "email_address": made.email_address})
    else:
        typer.echo(
            f"Account {made.email_address} is there. Bring its mail in: postroom sync -t {tenant} -a {made.email_address}"
        )


async def _add(
    tenant: str, email: str, host: str, port: int, encryption: Encryption, username: str, password: str
) -> Account:
    from postroom.ops.master_key import master_key
    from postroom.store import accounts, audit, changes, credentials

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        account = await accounts.ensure(tx, email)
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
        )
        after = {"hostname": host, "port": port, "encryption": encryption, "username": username}
        await audit.append(tx, "account.connect", "account", account.id, after=after)
        await changes.append(tx, account.id, modseq, "updated", "account", [account.id])
    return account


@accounts_app.command("list")
def list_(tenant: TenantOption, as_json: JsonOption = False) -> None:
    """The accounts of a tenant.

    Example:  postroom account list -t acme
    """
    from postroom.store import accounts

    async def work() -> list[Account]:
        owner = await tenant_id(tenant)
        async with store("email_service") as db, db.tenant(owner) as tx:
            return await accounts.all_accounts(tx)

    found = run(work())
    if as_json:
        print_json(
            {
                "items": [
                    {"id": str(each.id), "email_address": each.email_address, "hostname": each.hostname}
                    for each in found
                ]
            }
        )
        return
    for each in found:
        typer.echo(f"{each.email_address:40} {each.protocol or 'import'} {each.hostname or ''}")


@accounts_app.command()
def push(
    tenant: TenantOption,
    account: AccountOption,
    folder: Annotated[
        list[str] | None,
        typer.Option("--folder", "-f", help="Wait for news of this folder; may be repeated."),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Wait for no news: look in intervals only.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Which folders a worker waits for news of. All others are looked at in intervals.

    Example:  postroom account push -t acme -a me@example.com -f INBOX -f Work/Orders
    """
    if bool(folder) == off:
        raise UsageError(reason="Give the folders with --folder, or --off for none.")
    from postroom.store import accounts

    async def work() -> Account:
        owner = await tenant_id(tenant)
        async with store("email_worker") as db, db.tenant(owner) as tx:
            found = await accounts.by_email(tx, account)
            await accounts.watch_folders(tx, found.id, folder or [])
            return found

    found = run(work())
    if as_json:
        print_json({"id": str(found.id), "push_folders": folder or []})
        return
    what = ", ".join(folder or []) or "no folder: it is looked at in intervals"
    typer.echo(f"{found.email_address} waits for news of {what}.")
