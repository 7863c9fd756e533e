"""up, down, url, psql: the store itself."""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from postroom.cli.frame import app, chosen, say
from postroom.errors import Interrupted, UsageError


@app.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it is ready, and leave it running.")
    ] = False,
) -> None:
    """Start PostgreSQL and bring the schema up to date. Stays until Ctrl-C.

    Example:  postroom up --detach
    """
    ready = _up()
    try:
        say(ready)
        if detach:
            return
        if chosen().database_url is not None:
            say("That server is not ours to keep: nothing to wait for.")
            return
        while True:
            time.sleep(3600)
    except Interrupted:
        _stop()


def _up() -> str:
    from postroom.ops.cluster import Cluster
    from postroom.ops.home import Home
    from postroom.ops.members import is_follower, refuse_fenced
    from postroom.ops.provision import open_site

    if chosen().database_url is None:
        refuse_fenced(
            Home(chosen().home)
        )  # the store itself may live on elsewhere: that is not what was asked for
        if is_follower(Home(chosen().home)):
            server = Cluster(
                chosen().home, postgres_bin=chosen().postgres_bin, port=chosen().port
            ).ensure_running()
            return (
                f"Ready as a standby: {server.host}:{server.port}. See how far it is: postroom standby status"
            )
    site = open_site(chosen(), tell=say, renew_passwords=True)
    if chosen().database_url is None:
        refuse_fenced(Home(chosen().home))  # which may have come out only now
    where = site.url("postgres").rpartition("@")[2]
    return f'Ready: {where}. Connect with: psql "$(postroom url --role email_service)"'


@app.command()
def down() -> None:
    """Stop the embedded server. The mail stays where it is.

    Example:  postroom down
    """
    if chosen().database_url is not None:
        raise UsageError(reason="POSTROOM_DATABASE_URL names a server that is not ours to stop.")
    _stop()


def _stop() -> None:
    from postroom.ops.cluster import Cluster

    Cluster(chosen().home, postgres_bin=chosen().postgres_bin, port=chosen().port).stop()
    say("Stopped.")


@app.command()
def url(
    role: Annotated[
        str,
        typer.Option(
            "--role",
            "-r",
            help="email_service, email_worker, email_owner, email_readonly, email_backup, email_monitor, "
            "email_replication or postgres.",
        ),
    ] = "email_service",
) -> None:
    """Print a connection URL for psql and drivers. It holds the password.

    Example:  psql "$(postroom url --role email_service)"
    """
    from postroom.ops.provision import open_site

    typer.echo(open_site(chosen(), tell=say).url(role))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(
    context: typer.Context,
    role: Annotated[str, typer.Option("--role", "-r", help="The login to use.")] = "email_service",
) -> None:
    """Open psql on the store. What stands behind -- goes to psql.

    Example:  postroom psql -- -c '\\dt email_*'
    """
    from postroom.ops.cluster import Cluster
    from postroom.ops.provision import open_site

    site = open_site(chosen(), tell=say)
    program = str(Cluster(chosen().home, postgres_bin=chosen().postgres_bin).psql())
    os.execve(program, [program, *context.args], os.environ | site.environment(role))


def readable_size(size_bytes: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} GB"
