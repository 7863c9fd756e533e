"""account: the mailboxes of a tenant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from postroom.cli.frame import (
    AccountOption,
    AsUserOption,
    JsonOption,
    TenantOption,
    app,
    chosen,
    print_json,
    run,
    say,
    store,
    tenant_id,
)
from postroom.errors import UsageError
from postroom.model import PORTS, Account, UserId

accounts_app = typer.Typer(
    help="Accounts: mailboxes on servers, and those filled by import.", no_args_is_help=True
)
app.add_typer(accounts_app, name="account")
_FOREVER = "forever"


@accounts_app.command()
def add(
    tenant: TenantOption,
    email: Annotated[str, typer.Option("--email", help="The account's address.")],
    host: Annotated[
        str | None, typer.Option("--host", help="The mail server; without it, it is looked for.")
    ] = None,
    username: Annotated[str | None, typer.Option("--username", help="Without it: the address.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Without it: 993 or 143 for IMAP, 995 or 110 for POP3.")
    ] = None,
    encryption: Annotated[str, typer.Option("--encryption", help="tls, starttls or none.")] = "tls",
    protocol: Annotated[str, typer.Option("--protocol", help="imap or pop3.")] = "imap",
    keep_on_server: Annotated[
        str,
        typer.Option(
            "--keep-on-server",
            help="POP3: forever, or days after which what is stored here is deleted there; 0: at once.",
            metavar="DAYS",
        ),
    ] = _FOREVER,
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
    oauth: Annotated[
        str | None,
        typer.Option(
            "--oauth", help="Sign in by OAuth: google, microsoft, or an issuer's URL.", metavar="PROVIDER"
        ),
    ] = None,
    oauth_flow: Annotated[
        str | None,
        typer.Option(
            "--oauth-flow", help="device (a code typed elsewhere) or browser; the first that there is."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a mailbox on a server, or change how it is reached. The password is sealed before it is stored.

    Example:  postroom account add -t acme --email me@example.com --password-stdin < secret
    """
    from postroom.wire import tls

    found = None if host else _found(email, protocol)
    if found:
        say(f"{email} is at {found.hostname}:{found.port} ({found.encryption}), as {found.found_by} says.")
        host, port, encryption = found.hostname, found.port, found.encryption
        username = username or found.username
        oauth = oauth or (None if password_stdin else found.oauth)  # who gives a password means it
    server = _server(protocol, host or "", port, encryption, username or email, keep_on_server)
    server["ca_pem"] = tls.certificates_in(ca_file) if ca_file else None
    kind, secret = _secret(email, oauth, oauth_flow, password_stdin=password_stdin)
    made = run(_add(tenant, email, user, server, kind, secret))
    if as_json:
        print_json({"id": str(made.id), "email_address": made.email_address})
    else:
        typer.echo(
            f"Account {made.email_address} is there. Bring its mail in: postroom sync -t {tenant} -a {made.email_address}"
        )


def _found(email: str, protocol: str) -> Any:
    """The server of an address, looked for. Raises NoServerFound and UsageError."""
    from postroom.wire.discover import Places, discover

    if protocol not in ("imap", "pop3"):
        raise UsageError(reason=f"--protocol is {protocol!r}; there are imap and pop3.")
    settings = chosen()
    ispdb = None if settings.ispdb_url == "none" else settings.ispdb_url
    places = Places(ispdb=ispdb, dns_server=settings.dns_server, ca_file=settings.ca_file)
    return discover(email, protocol, places)


def _secret(
    email: str, oauth: str | None, oauth_flow: str | None, *, password_stdin: bool
) -> tuple[Any, bytes]:
    """What kind of secret it is, and the secret."""
    if oauth is not None:
        from postroom.cli.consent import consent

        return "oauth2", consent(oauth, email, oauth_flow).to_json()
    password = (
        sys.stdin.readline().rstrip("\r\n")
        if password_stdin
        else typer.prompt("Password", hide_input=True, err=True)
    )
    if not password:
        raise UsageError(reason="The password is empty. Give it on standard input with --password-stdin.")
    return "password", password.encode()


def _server(
    protocol: str, host: str, port: int | None, encryption: str, username: str, keep_on_server: str
) -> dict[str, Any]:
    """Where the mailbox is, as `store.accounts.connect` takes it. Raises UsageError."""
    if protocol not in PORTS:
        raise UsageError(reason=f"--protocol is {protocol!r}; there are imap and pop3.")
    if encryption not in PORTS[protocol]:
        raise UsageError(reason=f"--encryption is {encryption!r}; there are tls, starttls and none.")
    keeps = keep_on_server == _FOREVER
    if not keeps and (not keep_on_server.isdecimal() or int(keep_on_server) > 36500):
        raise UsageError(reason=f"--keep-on-server is {keep_on_server!r}; it is a number of days or forever.")
    if not keeps and protocol != "pop3":
        raise UsageError(reason="--keep-on-server is for POP3; an IMAP server keeps what you keep.")
    return {
        "protocol": protocol,
        "hostname": host,
        "port": port or PORTS[protocol][encryption],
        "encryption": encryption,
        "username": username,
        "server_keep_days": None if keeps else int(keep_on_server),
    }


async def _add(
    tenant: str, email: str, user: UUID | None, server: dict[str, Any], kind: Any, secret: bytes
) -> Account:
    from postroom.ops.master_key import master_key
    from postroom.store import accounts, audit, changes, credentials, senders

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        account = await accounts.ensure(tx, email, user_id=user and UserId(user))
        if user not in (None, account.user_id):
            raise UsageError(
                reason=f"The account {email} is there and belongs to user {account.user_id}."
                f" Share it: postroom account share -t {tenant} -a {email} --user {user}."
            )
        if account.last_sync_at and account.protocol != server["protocol"]:
            reason = f"{email} has mail that came by {account.protocol}, and its folders would be told apart no more."
            raise UsageError(reason=f"{reason} Add it for another tenant, or by {account.protocol}.")
        modseq = await changes.next_modseq(tx, account.id)
        credential_id = await credentials.put(tx, account.id, kind, secret, master_key(chosen()))
        await accounts.connect(tx, account.id, credential_id=credential_id, **server)
        if account.credential_id is not None:
            await senders.sign_in_by(tx, account.id, credential_id, instead_of=account.credential_id)
        await credentials.forget(tx, account.id)
        after = {name: value for name, value in server.items() if name != "ca_pem"}
        after |= {"has_own_ca": True} if server["ca_pem"] else {}
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
                        "protocol": each.protocol,
                        "paused": not each.is_sync_enabled,
                        "user_id": str(each.user_id),
                    }
                    for each in found
                ]
            }
        )
        return
    width = max((len(each.email_address) for each in found), default=0)
    for each in found:
        typer.echo(
            f"{each.email_address:{width}}  {each.protocol or 'import':6} {each.hostname or ''}{'' if each.is_sync_enabled else '  paused'}"
        )


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
