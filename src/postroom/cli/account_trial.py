"""account test: what works on the way to the mail, and what does not."""

from __future__ import annotations

from functools import partial
from typing import Any

import typer

from postroom.cli.account import accounts_app
from postroom.cli.frame import (
    AccountOption,
    JsonOption,
    TenantOption,
    chosen,
    print_json,
    run,
    say,
    store,
    tenant_id,
)


@accounts_app.command("test")
def try_(tenant: TenantOption, account: AccountOption, as_json: JsonOption = False) -> None:
    """Try an account step by step: name, connection, TLS, sign-in, mail. Nothing is fetched or changed.

    Example:  postroom account test -t acme -a me@example.com
    """
    found = run(_test(tenant, account, as_json=as_json))
    failed = next((each for each in found if each.error), None)
    if as_json:
        steps = [{"step": each.name, "ok": each.error is None, "detail": each.detail} for each in found]
        print_json({"ok": failed is None, "steps": steps})
    if failed:
        say(f"postroom: {failed.detail}")
        raise typer.Exit(failed.error.exit_code)


async def _test(tenant: str, email: str, *, as_json: bool) -> list[Any]:
    from postroom.ops.master_key import master_key
    from postroom.store import accounts
    from postroom.sync.aside import aside
    from postroom.sync.opening import way_in
    from postroom.wire.trial import steps

    owner = await tenant_id(tenant)
    found = []
    async with store("email_worker") as db:
        async with db.tenant(owner) as tx:
            account = await accounts.by_email(tx, email)
        place, who = await way_in(db, chosen(), owner, account, master_key(chosen()))
        trial = steps(place, who)
        while (step := await aside(partial(next, trial, None))) is not None:
            found.append(step)
            if not as_json:  # each as it comes: a server may keep us waiting
                typer.echo(f"{step.name:8} {'failed' if step.error else 'ok  ' + step.detail}")
    return found
