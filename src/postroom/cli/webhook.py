"""webhook: addresses that are told what happens."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from postroom.cli.frame import JsonOption, TenantOption, app, chosen, print_json, run, store, tenant_id
from postroom.cli.lengths import seconds_of
from postroom.errors import UsageError
from postroom.ids import time_of

webhooks_app = typer.Typer(help="Addresses that are told what happens.", no_args_is_help=True)
app.add_typer(webhooks_app, name="webhook")
IdArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, or how it begins.")]


@webhooks_app.command()
def add(
    tenant: TenantOption,
    url: Annotated[str, typer.Argument(metavar="URL", help="An https address.")],
    event: Annotated[
        list[str] | None,
        typer.Option("--event", "-e", help="message.created, …; may stand more than once. Without it: all."),
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", "-a", help="Only this account.", metavar="EMAIL")
    ] = None,
    description: Annotated[str, typer.Option("--description", help="What it is for.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a webhook. Its secret is shown once. `postroom worker` calls it.

    Example:  postroom webhook add -t acme https://app.example.com/hook -e message.created
    """
    made = run(_add(tenant, url, event or [], account, description))
    if as_json:
        print_json(made)
    else:
        typer.echo(made["secret"])
        typer.echo(f"Webhook {made['id']}. This is the only time that its secret is shown.", err=True)


async def _add(
    tenant: str, url: str, events: list[str], email: str | None, description: str
) -> dict[str, Any]:
    from postroom.hooks.address import networks, target_of
    from postroom.ops.master_key import master_key
    from postroom.store import accounts, webhooks

    target_of(url, networks(chosen().webhook_networks))
    if unknown := [each for each in events if each not in webhooks.EVENTS]:
        raise UsageError(reason=f"There is no event {unknown[0]!r}; there are {', '.join(webhooks.EVENTS)}.")
    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        account_id = (await accounts.by_email(tx, email)).id if email else None
        wanted = webhooks.Wanted(url=url, description=description, events=events, account_id=account_id)
        webhook_id, secret = await webhooks.create(tx, wanted, master_key(chosen()), user_id=None)
    return {"id": str(webhook_id), "secret": secret}


@webhooks_app.command("list")
def list_(tenant: TenantOption, as_json: JsonOption = False) -> None:
    """The webhooks of a tenant, how they are, and what waits.

    Example:  postroom webhook list -t acme
    """
    rows = [_shown(row) for row in run(_list(tenant))]
    if as_json:
        print_json({"items": rows})
        return
    for row in rows:
        why = row["disabled_reason"] or row["last_error"]
        events = ", ".join(row["events"]) or "all events"
        said = [row["state"], row["url"], events, f"{row['pending']} pending, {row['dead']} dead", why]
        typer.echo(f"{row['id']}  " + "  ".join(each for each in said if each))
    if not rows:
        typer.echo("There are no webhooks yet.")


async def _list(tenant: str) -> list[dict[str, Any]]:
    from postroom.store import deliveries, webhooks

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner, in_any_state=True) as tx:
        rows = await webhooks.all_of(tx)
        counts = await deliveries.counts(tx, [row["id"] for row in rows])
    return [
        row
        | {"state": webhooks.state_of(row)}
        | dict(zip(("pending", "dead"), counts.get(row["id"], (0, 0)), strict=True))
        for row in rows
    ]


@webhooks_app.command()
def remove(webhook: IdArgument, tenant: TenantOption, as_json: JsonOption = False) -> None:
    """Remove it, with its secret and what it was still to be told.

    Example:  postroom webhook remove -t acme 0198c7c2
    """
    _say(run(_do(tenant, webhook, "remove")), "removed", as_json=as_json)


@webhooks_app.command()
def enable(webhook: IdArgument, tenant: TenantOption, as_json: JsonOption = False) -> None:
    """Call it again, from where it was.

    Example:  postroom webhook enable -t acme 0198c7c2
    """
    _say(run(_do(tenant, webhook, "enable")), "enabled", as_json=as_json)


@webhooks_app.command()
def disable(webhook: IdArgument, tenant: TenantOption, as_json: JsonOption = False) -> None:
    """Call it no more; it keeps its place.

    Example:  postroom webhook disable -t acme 0198c7c2
    """
    _say(run(_do(tenant, webhook, "disable")), "off", as_json=as_json)


@webhooks_app.command("test")
def try_(webhook: IdArgument, tenant: TenantOption, as_json: JsonOption = False) -> None:
    """One call that says nothing, made by the next worker that is free. See what came of it: postroom webhook list.

    Example:  postroom webhook test -t acme 0198c7c2
    """
    _say(run(_do(tenant, webhook, "test")), "to be tried", as_json=as_json)


@webhooks_app.command()
def replay(
    webhook: IdArgument,
    tenant: TenantOption,
    all_: Annotated[
        bool, typer.Option("--all", help="All that ever happened, instead of what was given up.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the calls once more that were given up.

    Example:  postroom webhook replay -t acme 0198c7c2
    """
    _say(run(_do(tenant, webhook, "all" if all_ else "dead")), "told once more", as_json=as_json)


@webhooks_app.command()
def rotate(
    webhook: IdArgument,
    tenant: TenantOption,
    overlap: Annotated[
        str, typer.Option("--overlap", help="How long calls bear both signatures: 0min, 1h, 7d.")
    ] = "1d",
    as_json: JsonOption = False,
) -> None:
    """Another secret, shown once.

    Example:  postroom webhook rotate -t acme 0198c7c2 --overlap 1h
    """
    made = run(_rotate(tenant, webhook, seconds_of(overlap)))
    if as_json:
        print_json(made)
    else:
        typer.echo(made["secret"])
        typer.echo(
            f"This is the only time that it is shown. The old one signs as well for {overlap}.", err=True
        )


async def _rotate(tenant: str, webhook: str, overlap_seconds: int) -> dict[str, str]:
    from postroom.ops.master_key import master_key
    from postroom.store import webhooks

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        webhook_id = _meant(await webhooks.all_of(tx), webhook)
        secret = await webhooks.rotate(
            tx, webhook_id, master_key(chosen()), overlap_ms=overlap_seconds * 1000
        )
    return {"id": str(webhook_id), "secret": secret}


async def _do(tenant: str, webhook: str, what: str) -> UUID:
    from postroom.store import deliveries, webhooks

    owner = await tenant_id(tenant)
    async with store("email_worker") as db, db.tenant(owner) as tx:
        rows = await webhooks.all_of(tx)
        webhook_id = _meant(rows, webhook)
        match what:
            case "remove":
                await webhooks.remove(tx, webhook_id)
            case "enable":
                await webhooks.enable(tx, webhook_id)
                await deliveries.renew(tx, webhook_id, "pending")
            case "disable":
                await webhooks.disable(tx, webhook_id)
            case "test":
                if not next(row["is_enabled"] for row in rows if row["id"] == webhook_id):
                    raise UsageError(reason="The webhook is not enabled: nothing is called.")
                await deliveries.put_test(tx, webhook_id)
            case "dead":
                await deliveries.renew(tx, webhook_id, "dead")
            case _:
                await webhooks.go_on_from(tx, webhook_id, {})
    return webhook_id


def _meant(rows: list[dict[str, Any]], webhook: str) -> UUID:
    found = [row["id"] for row in rows if webhook and str(row["id"]).startswith(webhook)]
    if len(found) != 1:
        reason = "There is no such webhook" if not found else "More than one webhook begins so"
        raise UsageError(reason=f"{reason}: {webhook!r}. See them: postroom webhook list.")
    return found[0]


def _say(webhook_id: UUID, state: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": str(webhook_id), "state": state})
    else:
        typer.echo(f"Webhook {webhook_id}: {state}.")


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: time_of(at) for name, at in row.items() if name.endswith(("_at", "_since", "_until"))}
    ids = {name: value and str(value) for name, value in row.items() if name == "id" or name.endswith("_id")}
    return {**row, **times, **ids}
