"""account smtp: by which server an account sends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from postroom.cli.account import accounts_app
from postroom.cli.frame import (
    AccountOption,
    JsonOption,
    TenantOption,
    chosen,
    print_json,
    run,
    store,
    tenant_id,
)
from postroom.errors import UsageError


@accounts_app.command()
def smtp(
    tenant: TenantOption,
    account: AccountOption,
    host: Annotated[str, typer.Option("--host", help="The server that takes outgoing mail.")],
    username: Annotated[str | None, typer.Option("--username", help="Without it: the address.")] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=1, max=65535, help="Without it: 465 for tls, 587 for starttls, 25 for none."
        ),
    ] = None,
    encryption: Annotated[str, typer.Option("--encryption", help="tls, starttls or none.")] = "tls",
    name: Annotated[str | None, typer.Option("--name", help="Your name, as others see it.")] = None,
    sent_copy: Annotated[
        str,
        typer.Option(
            "--sent-copy",
            help="Who keeps a copy in Sent: append (we do), server (it does), none; auto knows the large ones.",
        ),
    ] = "auto",
    same_password: Annotated[
        bool, typer.Option("--same-password", help="Sign in with the password of the mailbox.")
    ] = False,
    no_sign_in: Annotated[bool, typer.Option("--no-sign-in", help="The server wants no password.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    dkim_key: Annotated[
        Path | None,
        typer.Option("--dkim-key", help="A private key (PEM) to sign with, for a domain of your own."),
    ] = None,
    dkim_selector: Annotated[
        str | None, typer.Option("--dkim-selector", help="Where the DNS has its public key.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say by which server an account sends. The password is sealed before it is stored.

    Example:  postroom account smtp -t acme -a me@example.com --host smtp.example.com --same-password
    """
    from postroom.store import senders

    if encryption not in senders.PORTS:
        raise UsageError(reason=f"--encryption is {encryption!r}; there are tls, starttls and none.")
    if sent_copy == "auto":
        sent_copy = senders.copy_of(host)
    if sent_copy not in ("append", "server", "none"):
        raise UsageError(reason=f"--sent-copy is {sent_copy!r}; there are auto, append, server and none.")
    password = None if same_password or no_sign_in else _password(from_stdin=password_stdin)
    shown: dict[str, Any] = {
        "hostname": host,
        "port": port or senders.PORTS[encryption],
        "encryption": encryption,
        "username": None if no_sign_in else username or account,
        "display_name": name,
        "sent_copy": sent_copy,
        "dkim_domain": None,
        "dkim_selector": None,
    }
    key = _dkim(shown, account, dkim_key, dkim_selector)
    run(_put(tenant, account, shown, password, key, same_password=same_password))
    if as_json:
        print_json({"email_address": account, **shown})
    else:
        typer.echo(
            f"{account} sends by {host}:{shown['port']}. Try it: postroom send -t {tenant} -a {account} --help"
        )


def _password(*, from_stdin: bool) -> str:
    password = (
        sys.stdin.readline().rstrip("\r\n")
        if from_stdin
        else typer.prompt("Password", hide_input=True, err=True)
    )
    if not password:
        raise UsageError(reason="The password is empty. Give it on standard input with --password-stdin.")
    return password


def _dkim(shown: dict[str, Any], account: str, path: Path | None, selector: str | None) -> str | None:
    """The key, tried before it is kept; the domain is that of the address, for no other would be believed."""
    from postroom.outbox.dkim import Signer

    if path is None and selector is None:
        return None
    if path is None or selector is None:
        raise UsageError(reason="To sign, give both: --dkim-key and --dkim-selector.")
    try:
        key = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(reason=f"The key {path} cannot be read: {error}.") from error
    domain = account.rpartition("@")[2].lower()
    Signer(domain=domain, selector=selector, key=key).signed(f"From: {account}\r\n\r\n".encode())
    shown |= {"dkim_domain": domain, "dkim_selector": selector}
    return key


async def _put(
    tenant: str,
    email: str,
    shown: dict[str, Any],
    password: str | None,
    key: str | None,
    *,
    same_password: bool,
) -> None:
    from postroom.ops.master_key import master_key
    from postroom.store import accounts, audit, credentials, senders

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        account = await accounts.ensure(tx, email)
        credential_id = None
        if same_password:
            credential_id = account.credential_id
            if credential_id is None:
                raise UsageError(reason=f"{email} has no password yet: postroom account add --help.")
        elif password is not None:
            credential_id = await credentials.put_password(tx, account.id, password, master_key(chosen()))
        key_id = await credentials.put_password(tx, account.id, key, master_key(chosen())) if key else None
        sender = senders.Sender(**shown, credential_id=credential_id, dkim_key_id=key_id)
        await senders.put(tx, account.id, sender)
        await credentials.forget(tx, account.id)
        await audit.append(tx, "account.smtp", "account", account.id, after=shown)
